"""Writes docs/reference/environment.md from the environment model: ``python tools/environment_reference.py``."""

from collections.abc import Iterator, Mapping
from inspect import getdoc
from pathlib import Path
from typing import Any

from aerodrome_stacks.environment.model import Environment
from aerodrome_stacks.environment.rules import RULES

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "environment.md"

_INTRODUCTION = """\
# The environment file

`environments/<name>.yaml` holds what a team decides about one environment, and nothing else. This page is generated
from the model by `.venv/bin/python tools/environment_reference.py`; the same model gives editors
[the schema](../../environments/schema.json) that the first line of each file names. `make check` says what is wrong
with the files, or what each will build. Why it is done so: [decision 0005](../adr/0005-configuration.md).

Keys that are not on this page are refused. `[]` stands for each entry of a list, `*` for each name in a map.
"""

_Schema = Mapping[str, Any]


def page() -> str:
    """The page as it stands in the file."""
    schema = Environment.model_json_schema()
    return "\n".join([_INTRODUCTION, *_section(schema, schema, "Top level", ""), *_rules()])


def _section(root: _Schema, schema: _Schema, title: str, prefix: str) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    if prefix:
        yield schema["description"]
        yield ""
    yield "| key | required | meaning |"
    yield "|---|---|---|"
    required = schema.get("required", ())
    for key, field in schema["properties"].items():
        yield f"| `{prefix}{key}` | {'yes' if key in required else 'no'} | {_meaning(root, field)} |"
    yield ""
    for key, field in schema["properties"].items():
        if nested := _nested(root, field):
            suffix, section = nested
            yield from _section(root, section, f"`{prefix}{key}{suffix}`", f"{prefix}{key}{suffix}.")


def _meaning(root: _Schema, field: _Schema) -> str:
    # pydantic leaves a field's description out where it is that of its section.
    text: str = field["description"] if "description" in field else _definition(root, field)["description"]
    # The names in a map, or the values of a field, where there are only certain ones.
    choices = field.get("propertyNames", field).get("enum", ())
    return f"{text} Allowed: {', '.join(f'`{choice}`' for choice in choices)}." if choices else text


def _nested(root: _Schema, field: _Schema) -> tuple[str, _Schema] | None:
    """The section below a field, and how a path goes there: nothing for a section, `[]` for a list, `.*` for a map."""
    if "$ref" in field:
        definition = _definition(root, field)
        return ("", definition) if "properties" in definition else None
    for choice in field.get("anyOf", ()):
        if found := _nested(root, choice):
            return found
    for keyword, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        inner = field.get(keyword)
        if isinstance(inner, Mapping) and (found := _nested(root, inner)):
            return suffix + found[0], found[1]
    return None


def _definition(root: _Schema, field: _Schema) -> _Schema:
    definition: _Schema = root["$defs"][field["$ref"].rpartition("/")[2]]
    return definition


def _rules() -> Iterator[str]:
    yield "## Rules between sections"
    yield ""
    for rule in RULES:
        yield f"- {(getdoc(rule) or '').partition(chr(10))[0]}"
    yield ""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE)


if __name__ == "__main__":
    main()
