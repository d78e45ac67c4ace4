"""The reference of the commands has every command, and no document names one that does not exist."""

import re
from collections.abc import Iterator, Mapping

from typer import Typer

from aerodrome.main import app

# `aerodrome local up`, .venv/bin/aerodrome check, $ aerodrome try: the words after the name, up to an option.
NAMED = re.compile(r"(?:^|[`\s/])aerodrome ((?:[a-z]+(?:-[a-z]+)* ?)+)", re.MULTILINE)
CODE = re.compile(r"^```\w*\n(.*?)^```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)


def commands(group: Typer, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of a group and of the groups below it, by its words."""
    for command in group.registered_commands:
        yield (*path, str(command.name or getattr(command.callback, "__name__", "")))
    for child in group.registered_groups:
        if child.typer_instance is not None:
            yield from commands(child.typer_instance, (*path, str(child.name or child.typer_instance.info.name)))


def named_commands(page: str) -> set[tuple[str, ...]]:
    """The words after `aerodrome` in a page's code."""
    code = "\n".join(block or f"{inline}" for block, inline in CODE.findall(page))
    return {tuple(words.split()) for words in NAMED.findall(code)}


def test_the_reference_has_every_command(texts: Mapping[str, str]) -> None:
    existing = set(commands(app))
    assert {("check",), ("local", "up")} <= existing, "the listing is broken"
    assert existing - named_commands(texts["docs/reference/commands.md"]) == set()


def test_no_document_names_a_command_that_does_not_exist(texts: Mapping[str, str]) -> None:
    existing = set(commands(app))
    groups = {words[:length] for words in existing for length in range(1, len(words))}

    def exists(words: tuple[str, ...]) -> bool:
        # What follows a command is its argument.
        return words in groups or any(words[: len(command)] == command for command in existing)

    pages = {name: named_commands(text) for name, text in texts.items() if name.endswith(".md")}
    assert pages["README.md"], "the README names commands"
    assert {name: bad for name, named in pages.items() if (bad := {w for w in named if not exists(w)})} == {}


def test_the_reference_has_every_verb_of_make(texts: Mapping[str, str]) -> None:
    verbs = set(re.findall(r"^([a-z-]+):.*## ", texts["Makefile"], re.MULTILINE)) - {"help"}
    assert "try" in verbs, "the listing is broken"
    reference = texts["docs/reference/commands.md"]
    assert [verb for verb in sorted(verbs) if f"`make {verb}`" not in reference] == []


def test_commands_are_found_in_code_and_not_in_prose() -> None:
    page = "aerodrome sings\n`aerodrome check -e dev` and\n```console\n$ .venv/bin/aerodrome local up\n```\n"
    assert named_commands(page) == {("check",), ("local", "up")}
