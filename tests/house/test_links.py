"""Links between the documents lead somewhere, and every page can be reached."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from posixpath import normpath

import pytest

# [text](target) and [text](target "title"), pictures included. Reference links are not used in this repository.
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:")


def links(page: str) -> list[str]:
    """The targets of a page's links, those in comments included, without what stands in code."""
    return LINK.findall(CODE.sub("", page))


def anchors(page: str) -> Iterator[str]:
    """The anchors that GitHub gives to a page's headings."""
    seen: Counter[str] = Counter()
    for heading in HEADING.findall(FENCE.sub("", page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug
        seen[slug] += 1


def broken(name: str, texts: Mapping[str, str], paths: set[str]) -> Iterator[str]:
    """The links of one page that lead nowhere."""
    for link in links(texts[name]):
        if EXTERNAL.match(link):
            continue
        path, _, anchor = link.partition("#")
        target = normpath(PurePosixPath(name).parent / path) if path else name
        if target not in paths:
            yield f"{name}: ({link}): there is no {target}"
        elif anchor and anchor not in set(anchors(texts.get(target, ""))):
            yield f"{name}: ({link}): {target} has no heading with this anchor"


def with_folders(texts: Mapping[str, str]) -> set[str]:
    """Every file, and every folder that holds one."""
    return {*texts, *(str(folder) for name in texts for folder in PurePosixPath(name).parents)}


def test_every_link_leads_to_a_file_and_a_heading_that_exist(texts: Mapping[str, str]) -> None:
    pages = [name for name in texts if name.endswith(".md")]
    assert {"README.md", "CONTRIBUTING.md", "docs/README.md"} <= set(pages), "the listing is broken"
    paths = with_folders(texts)
    problems = [problem for name in pages for problem in broken(name, texts, paths)]
    assert not problems, "\n".join(problems)


def test_the_start_page_of_the_documents_leads_to_every_page(texts: Mapping[str, str]) -> None:
    pages = {name for name in texts if name.startswith("docs/") and name.endswith(".md")}
    linked = {normpath(PurePosixPath("docs") / link.partition("#")[0]) for link in links(texts["docs/README.md"])}
    assert pages - linked == {"docs/README.md", "docs/adr/_template.md"}


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("missing.md", "there is no docs/missing.md"),
        ("../other.md", "there is no other.md"),
        ("b.md#nowhere", "no heading"),
        ("#nowhere", "no heading"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str, says: str) -> None:
    texts = {"docs/a.md": f"# Title\n\n[text]({link})\n", "docs/b.md": "# There\n"}
    problems = list(broken("docs/a.md", texts, with_folders(texts)))
    assert len(problems) == 1
    assert says in problems[0]


@pytest.mark.parametrize(
    "link", ["b.md", "b.md#what-it-isnt-make-try", "#title", "../docs", "https://example.com/x", "mailto:a@example.com"]
)
def test_a_link_that_leads_somewhere_is_not(link: str) -> None:
    texts = {"docs/a.md": f"# Title\n\n[text]({link})\n", "docs/b.md": "# There\n\n## What it isn't: `make try`\n"}
    assert not list(broken("docs/a.md", texts, with_folders(texts)))


def test_what_stands_in_code_is_no_link_and_what_stands_in_a_comment_is_one() -> None:
    assert links("`[a](b)` <!-- [c](d) -->\n```\n[e](f)\n```\n[g](h)") == ["d", "h"]


def test_headings_of_the_same_text_have_anchors_of_their_own() -> None:
    assert list(anchors("# Use\n## Use\n```\n# no heading\n```\n## Two `words`")) == ["use", "use-1", "two-words"]
