"""The JSON schemas of custom resources, from the definitions (CRDs) that the API server enforces.

Kept small enough to live in ``tests/charts/crds/``, where our own templates are held against them: descriptions are
dropped, and so is what a resource of ours never has. What is left is closed: a key that the schema does not know is an
error, as with the API server's strict field validation, and not dropped without a word.

    .venv/bin/python tools/crd_schemas.py CRD_FILE VERSION [--only spec.provider=aws]
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Schema = dict[str, Any]


def resource_schema(crd: Mapping[str, Any], version: str) -> Schema:
    """The JSON schema of a custom resource.

    Args:
        crd: The CustomResourceDefinition.
        version: The version of the resource, such as ``v1``.

    Raises:
        KeyError: The definition has no such version.
    """
    schemas = {entry["name"]: entry["schema"]["openAPIV3Schema"] for entry in crd["spec"]["versions"]}
    if version not in schemas:
        raise KeyError(f"{crd['metadata']['name']}: no version {version}; there are: {', '.join(schemas)}")
    schema: Schema = _closed(_without_prose(schemas[version]))
    # Every object has these, and their form is Kubernetes' own.
    schema["properties"].update(
        {
            "apiVersion": {"const": f"{crd['spec']['group']}/{version}"},
            "kind": {"const": crd["spec"]["names"]["kind"]},
            "metadata": {"type": "object"},
        }
    )
    schema["properties"].pop("status", None)
    schema["required"] = sorted({*schema.get("required", []), "apiVersion", "kind", "metadata", "spec"})
    return schema


def keep_only(schema: Schema, path: Sequence[str], names: Sequence[str]) -> None:
    """Drop the properties of the object at a path, but for some.

    Raises:
        KeyError: There is no such path, or the object has no property of such a name.
    """
    for key in path:
        schema = schema["properties"][key]
    schema["properties"] = {name: schema["properties"][name] for name in names}


def _without_prose(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON schema
    if isinstance(schema, list):
        return [_without_prose(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    # A property may be called "description": only a text is prose.
    return {
        # Go takes a flag behind the beginning, Python does not.
        key: part.replace("^(?i)", "(?i)^", 1) if key == "pattern" and isinstance(part, str) else _without_prose(part)
        for key, part in schema.items()
        if not (key == "description" and isinstance(part, str)) and key != "x-kubernetes-validations"
    }


def _closed(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON schema
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    takes_anything = closed.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in closed
    if closed.get("type") == "object" and "properties" in closed and not takes_anything:
        closed["additionalProperties"] = False
    return closed


def _main() -> int:
    parser = argparse.ArgumentParser(description="Print the JSON schema of a custom resource.")
    parser.add_argument("crd", type=Path, help="a file with the CustomResourceDefinition, YAML or JSON")
    parser.add_argument("version", help="the version of the resource, such as v1")
    parser.add_argument("--only", action="append", default=[], metavar="PATH=NAME,...", help="drop other properties")
    arguments = parser.parse_args()
    crd = YAML(typ="safe").load(arguments.crd)
    try:
        schema = resource_schema(crd, arguments.version)
        for only in arguments.only:
            path, _, names = only.partition("=")
            keep_only(schema, path.split("."), names.split(","))
    except KeyError as error:
        print(f"{arguments.crd}: {error.args[0]}", file=sys.stderr)
        return 2
    print(json.dumps(schema, indent=1, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
