"""Which properties replace a resource, from the CloudFormation resource schemas that cfn-lint ships.

The files are read as data. cfn-lint's own way to them would prefer a newer copy in the user's cache, and two people
would read two plans; and importing it takes half a second from every other verb of the command.
"""

import functools
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Pattern = tuple[str, ...]
"""Keys from the properties down, ``*`` for the items of a list."""

_CUSTOM = "AWS::CloudFormation::CustomResource"
# Has every type; a region that cfn-lint does not know yet has most of them.
_ANY_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSchema:
    """What a resource's schema says about changes.

    Attributes:
        create_only: Properties whose change replaces the resource.
        conditional: Properties whose change replaces it under conditions that the schema does not name.
        identifier: The properties that name the resource in its service.
        updatable: Whether it can be updated at all. A resource that cannot is replaced by any change.
        deleted_first: Whether CloudFormation deletes the old one before it makes the new one, so that both may have
            the same name.
    """

    create_only: tuple[Pattern, ...]
    conditional: tuple[Pattern, ...]
    identifier: tuple[Pattern, ...]
    updatable: bool
    deleted_first: bool


@functools.cache
def resource_schema(resource_type: str, region: str) -> ResourceSchema | None:
    """The schema of a type, or None for a type of which cfn-lint has none, such as a private one."""
    name = _CUSTOM if resource_type.startswith("Custom::") else resource_type
    file = _files(region).get(name) or _files(_ANY_REGION).get(name)
    if file is None:
        return None
    schema = _read(_folder() / "resources" / f"{file}.json")
    return ResourceSchema(
        create_only=_patterns(schema, "createOnlyProperties"),
        conditional=_patterns(schema, "conditionalCreateOnlyProperties"),
        identifier=_patterns(schema, "primaryIdentifier"),
        # Schemas of custom resources and of some old types name no handlers at all: those can be updated.
        updatable="update" in schema.get("handlers", {"update": {}}),
        deleted_first=schema.get("replacementStrategy") == "delete_then_create",
    )


@functools.cache
def _folder() -> Path:
    spec = importlib.util.find_spec("cfnlint")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("cfn-lint is not installed, and with it the CloudFormation schemas: run `make setup`")
    return Path(spec.origin).parent / "data" / "schemas"


@functools.cache
def _files(region: str) -> Mapping[str, str]:
    """Type to the name of its schema's file, in a region."""
    file = _folder() / "providers" / f"{region}.json"
    return _read(file) if file.exists() else {}


def _read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def _patterns(schema: Mapping[str, Any], section: str) -> tuple[Pattern, ...]:
    return tuple(tuple(pointer.removeprefix("/properties/").split("/")) for pointer in schema.get(section, []))
