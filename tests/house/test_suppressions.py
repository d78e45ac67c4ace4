"""Every exception carries its reason beside it, and no test is switched off."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping

import pytest

NOQA = re.compile(r"# noqa: [A-Z]+\d+(, [A-Z]+\d+)* - \S.+")
# mypy takes nothing but another comment behind the bracket.
TYPE_IGNORE = re.compile(r"# type: ignore\[[\w, -]+\]  # \S.+")

# Comments that switch off a whole file, or a tool that the project does not use.
WHOLESALE = re.compile(
    r"#\s*(ruff: noqa|flake8:|mypy:|pylint:|pragma: no cover|fmt: (off|skip)|pyright:)", re.IGNORECASE
)

SWITCHED_OFF = {
    *("pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"),
    *("pytest.skip", "pytest.xfail", "pytest.importorskip"),
    *("unittest.skip", "unittest.skipIf", "unittest.SkipTest"),
}


def bad_suppressions(text: str) -> Iterator[str]:
    """Find the comments that silence a tool without a code or a reason."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comment = token.string
            # One token holds the whole rest of the line, so each of two suppressions on it is looked for.
            silenced = re.search(r"#\s*noqa", comment, re.IGNORECASE) and not NOQA.search(comment)
            untyped = re.search(r"#\s*type:\s*ignore", comment) and not TYPE_IGNORE.search(comment)
            if silenced or untyped or WHOLESALE.search(comment):
                yield f"line {token.start[0]}: {comment}"


def switched_off(module: ast.Module) -> list[str]:
    """Find the markers and calls that keep a test from counting."""
    names = [ast.unparse(node) for node in ast.walk(module) if isinstance(node, ast.Attribute)]
    imported = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    return [name for name in (*names, *imported) if name in SWITCHED_OFF]


def test_every_suppression_has_a_code_and_a_reason(modules: Mapping[str, ast.Module], texts: Mapping[str, str]) -> None:
    found = {name: list(bad_suppressions(texts[name])) for name in modules}
    assert len(found) > 20, "the listing is broken"
    problems = [f"{name}, {problem}" for name, items in found.items() for problem in items]
    assert not problems, "\n".join(["write '# noqa: CODE - reason' or '# type: ignore[code]  # reason':", *problems])


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# NOQA",
        "#noqa: S101",
        "# noqa: S101",
        "# noqa: S101 because",
        "# type: ignore",
        "# type: ignore[arg-type]",
        "# ruff: noqa",
        "# mypy: ignore-errors",
        "# pragma: no cover",
        "# fmt: off",
    ],
)
def test_a_bare_suppression_is_found(comment: str) -> None:
    assert list(bad_suppressions(f"x = 1  {comment}\n"))


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: S101 - the caller asked",
        "# noqa: S101, S603 - the caller asked",
        "# type: ignore[arg-type]  # the stubs are wrong",
        "# what a noqa is for",
    ],
)
def test_a_suppression_with_a_reason_is_not(comment: str) -> None:
    assert not list(bad_suppressions(f"x = 1  {comment}\ny = '# noqa'\n"))


def test_no_test_is_switched_off(modules: Mapping[str, ast.Module]) -> None:
    tests = {name: module for name, module in modules.items() if "tests/" in name}
    assert len(tests) > 5, "the listing is broken"
    assert not {name: found for name, module in tests.items() if (found := switched_off(module))}


@pytest.mark.parametrize(
    "code",
    [
        "@pytest.mark.skip\ndef test(): ...",
        "@pytest.mark.skipif(True, reason='slow')\ndef test(): ...",
        "pytestmark = [pytest.mark.xfail]",
        "def test():\n    pytest.skip('later')",
        "psutil = pytest.importorskip('psutil')",
        "from pytest import skip",
        "@unittest.skip('later')\ndef test(): ...",
    ],
)
def test_a_test_that_is_switched_off_is_found(code: str) -> None:
    assert switched_off(ast.parse(code))
