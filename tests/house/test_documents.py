"""What people read: decisions, changes, licence, commands that exist, and nothing of the machine it was written on."""

import json
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

ADR_STATUS = re.compile(
    r"^Status: (Proposed|Accepted|Superseded by \[\d{4}\]\((\d{4}-[a-z0-9-]+\.md)\))$", re.MULTILINE
)

# A folder of whoever wrote the line. `/root/` and the like inside a longer path, or in a word, are something else.
MACHINE_PATH = re.compile(r"(?<![\w.:/{}$*-])/(work|root|home/\w+|Users/\w+)/")

TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)


def test_decisions_are_numbered_without_gaps_and_have_a_status(texts: Mapping[str, str]) -> None:
    decisions = {PurePosixPath(name).name: text for name, text in texts.items() if re.match(r"docs/adr/\d", name)}
    assert decisions, "the listing is broken"
    assert sorted(int(name[:4]) for name in decisions) == list(range(1, len(decisions) + 1))
    for name, text in decisions.items():
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)
        assert text.startswith(f"# {name[:4]}. "), f"{name}: the title says another number"
        status = ADR_STATUS.search(text)
        assert status, f"{name}: no line 'Status: Accepted', 'Proposed' or 'Superseded by [NNNN](NNNN-title.md)'"
        assert status[2] is None or status[2] in decisions, f"{name}: superseded by {status[2]}, which does not exist"


def test_the_changelog_has_a_place_for_the_next_change(texts: Mapping[str, str]) -> None:
    assert re.search(r"^## \[?Unreleased\]?$", texts["CHANGELOG.md"], re.MULTILINE)


def test_the_licence_is_apache_2_everywhere(texts: Mapping[str, str]) -> None:
    assert "Apache License" in texts["LICENSE"]
    assert "Version 2.0, January 2004" in texts["LICENSE"]
    projects = [name for name in texts if PurePosixPath(name).name == "pyproject.toml"]
    assert {"pyproject.toml", "testing/pyproject.toml"} <= set(projects), "the listing is broken"
    assert {tomllib.loads(texts[name])["project"]["license"] for name in projects} == {"Apache-2.0"}
    assert json.loads(texts["package.json"])["license"] == "Apache-2.0"


def test_no_file_names_a_folder_of_the_machine_it_was_written_on(texts: Mapping[str, str]) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts.items()
        if name != "tests/house/test_documents.py"
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert not found


def test_a_machine_path_is_found_and_its_likes_are_not() -> None:
    for line in ("see /work/main/app.py", '"/home/jane/aerodrome"', "(/root/.cache)", "=/Users/jane/x"):
        assert MACHINE_PATH.search(line), line
    for line in (
        "arn:aws:iam::1:role/work/x",
        "https://example.com/work/x",
        "a/root/b",
        "${HOME}/work/",
        "/workspace/x",
    ):
        assert not MACHINE_PATH.search(line), line


def test_make_help_explains_every_target(root: Path, texts: Mapping[str, str]) -> None:
    targets = set(TARGET.findall(texts["Makefile"]))
    phony = re.search(r"^\.PHONY: (.*)$", texts["Makefile"], re.MULTILINE)
    assert phony
    assert targets == set(phony[1].split())
    assert {"help", "try", "test", "snapshots", "bench"} <= targets
    helped = subprocess.run(["make", "help"], cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S607 - the make of whoever runs the tests
    explained = dict(re.findall(r"^  make ([a-z0-9-]+) +(\S.*)$", helped, re.MULTILINE))
    assert explained.keys() == targets


def make_commands(text: str) -> set[str]:
    """The targets of the `make` commands in a Markdown text: in backticks, and at the start of lines of code blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    commands = [*re.findall(r"`([^`\n]+)`", text), *(line for block in blocks for line in block.splitlines())]
    return {found[1] for command in commands if (found := re.match(r"\$?\s*make ([a-z][a-z0-9-]*)", command.strip()))}


def test_every_make_command_in_the_documents_exists(texts: Mapping[str, str]) -> None:
    targets = set(TARGET.findall(texts["Makefile"]))
    named = {name: make_commands(text) for name, text in texts.items() if name.endswith(".md")}
    assert {"try", "test"} <= named["README.md"], "the README names the two commands"
    assert not {name: unknown for name, commands in named.items() if (unknown := commands - targets)}


def test_every_environment_names_its_schema_for_editors(texts: Mapping[str, str]) -> None:
    environments = {name: text for name, text in texts.items() if re.fullmatch(r"environments/[^/]+\.yaml", name)}
    assert {"environments/dev.yaml", "environments/staging.yaml", "environments/prod.yaml"} <= environments.keys()
    for name, text in environments.items():
        assert text.startswith("# yaml-language-server: $schema=schema.json\n"), name
    assert "environments/schema.json" in texts
