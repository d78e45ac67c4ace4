"""Values in templates: what differs between two, what is at a place, and which resources a value refers to."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
"""Keys and list positions from the properties down."""

_VARIABLE = re.compile(r"\$\{(?!!)\s*([^}]+?)\s*\}")


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two values differ.

    Attributes:
        path: The place.
        before: What was there. None: nothing, for CloudFormation knows no null.
        after: What is there now.
    """

    path: Path
    before: Any
    after: Any


def same(one: object, other: object) -> bool:
    """Whether two JSON values are the same. In Python alone, ``True == 1``."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def is_function(value: object) -> bool:
    """Whether a value is computed by CloudFormation, such as ``{"Ref": "Key"}``."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    name = next(iter(value))
    return isinstance(name, str) and (name == "Ref" or name.startswith("Fn::"))


def differences(before: object, after: object, path: Path = ()) -> Iterator[Difference]:
    """Every innermost place where two values differ. A list of another length differs as a whole."""
    if same(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping) and not (is_function(before) or is_function(after)):
        for key in sorted(before.keys() | after.keys()):
            yield from differences(before.get(key), after.get(key), (*path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, (*path, index))
    else:
        yield Difference(path, before, after)


def values_at(value: object, pattern: Sequence[str]) -> list[object]:
    """The values at a place, for which a schema writes ``*`` wherever a list lies on the way.

    A function on the way is itself the value: nobody can look into it.
    """
    if value is None:
        return []
    if not pattern or is_function(value):
        return [value]
    if isinstance(value, list):
        rest = pattern[1:] if pattern[0] == "*" else pattern
        return [found for item in value for found in values_at(item, rest)]
    if isinstance(value, Mapping):
        if pattern[0] == "*":
            return [found for item in value.values() for found in values_at(item, pattern[1:])]
        return values_at(value.get(pattern[0]), pattern[1:])
    return [value]


def overlaps(path: Path, pattern: Sequence[str]) -> bool:
    """Whether a place lies within what a pattern names, or around it. Positions in lists need no ``*``."""
    keys = [key for key in path if isinstance(key, str)]
    names = [name for name in pattern if name != "*"]
    return all(key == name for key, name in zip(keys, names, strict=False))


def references(value: object, path: Path = ()) -> Iterator[tuple[Path, str, str]]:
    """Every reference in a value: where it is, the name that it refers to, and the attribute. Empty: ``Ref``."""
    if isinstance(value, Mapping):
        if is_function(value):
            yield from _of_function(*next(iter(value.items())), path)
        else:
            for key, item in value.items():
                yield from references(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from references(item, (*path, index))


def imports(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every use of what another stack exports: where it is, and the export's name."""
    if isinstance(value, Mapping):
        function = is_function(value)
        for key, item in value.items():
            if key == "Fn::ImportValue" and isinstance(item, str):
                yield path, item
            else:
                found = imports(item, path if function else (*path, key))
                yield from ((path, name) for _, name in found) if function else found
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from imports(item, (*path, index))


def _of_function(function: str, argument: object, path: Path) -> Iterator[tuple[Path, str, str]]:
    if function == "Ref":
        yield path, str(argument), ""
    elif function == "Fn::GetAtt":
        name, _, attribute = (
            argument.partition(".")
            if isinstance(argument, str)
            else (str(argument[0]), ".", ".".join(map(str, argument[1:])))
            if isinstance(argument, list)
            else ("", "", "")
        )
        yield path, name, attribute
    elif function == "Fn::Sub":
        text, variables = argument if isinstance(argument, list) else (argument, {})
        for variable in _VARIABLE.findall(str(text)):
            if variable not in variables:
                name, _, attribute = variable.partition(".")
                yield path, name, attribute
        yield from ((path, name, attribute) for _, name, attribute in references(variables))
    else:
        # What a function computes is one value, wherever inside its arguments the reference stands.
        items = argument if isinstance(argument, list) else [argument]
        yield from ((path, name, attribute) for item in items for _, name, attribute in references(item))


def written(path: Path) -> str:
    """A path as a reader writes it: ``Tags[0].Value``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")
