"""The tool that makes JSON schemas of CRDs, and the schemas that it made."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from crd_schemas import keep_only, resource_schema
from tests.templates import ROOT

CRD = {
    "metadata": {"name": "boxes.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"kind": "Box"},
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "description": "A box.",
                        "properties": {
                            "apiVersion": {"type": "string"},
                            "kind": {"type": "string"},
                            "metadata": {"type": "object"},
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {
                                    "size": {"type": "integer", "description": "How big."},
                                    "description": {"type": "string"},
                                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                },
                            },
                            "status": {"type": "object"},
                        },
                    }
                },
            }
        ],
    },
}
BOX = {"apiVersion": "example.com/v1", "kind": "Box", "metadata": {"name": "b"}, "spec": {"size": 1}}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"size": 1}, id="the least"),
        pytest.param({"size": 1, "description": "mine", "labels": {"any": "thing"}}, id="everything"),
    ],
)
def test_the_schema_takes_what_the_api_server_takes(spec: dict[str, object]) -> None:
    jsonschema.validate({**BOX, "spec": spec}, resource_schema(CRD, "v1"))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"spec": {"size": 1, "colour": "red"}}, id="an unknown key"),
        pytest.param({"spec": {"size": "1"}}, id="a wrong type"),
        pytest.param({"spec": {}}, id="a missing key"),
        pytest.param({"apiVersion": "example.com/v2"}, id="another version"),
        pytest.param({"kind": "Crate"}, id="another kind"),
    ],
)
def test_the_schema_refuses_what_the_api_server_refuses(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**BOX, **change}, resource_schema(CRD, "v1"))


def test_prose_goes_and_a_property_called_description_stays() -> None:
    spec = resource_schema(CRD, "v1")["properties"]["spec"]

    assert "description" in spec["properties"]
    assert spec["properties"]["size"] == {"type": "integer"}


def test_a_pattern_of_go_becomes_one_of_python() -> None:
    crd = json.loads(json.dumps(CRD).replace('"integer"', '"string", "pattern": "^(?i)(big|small)$"'))

    size = resource_schema(crd, "v1")["properties"]["spec"]["properties"]["size"]

    assert size["pattern"] == "(?i)^(big|small)$"
    assert re.search(size["pattern"], "BIG")


def test_properties_that_we_never_set_can_be_dropped() -> None:
    schema = resource_schema(CRD, "v1")

    keep_only(schema, ["spec"], ["size"])

    assert list(schema["properties"]["spec"]["properties"]) == ["size"]


def test_the_program_says_which_versions_there_are(tmp_path: Path) -> None:
    crd = tmp_path / "crd.yaml"
    crd.write_text(json.dumps(CRD), encoding="utf-8")
    program: list[str | Path] = [sys.executable, ROOT / "tools" / "crd_schemas.py"]

    done = subprocess.run([*program, crd, "v2"], check=False, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert done.stderr == f"{crd}: boxes.example.com: no version v2; there are: v1\n"


@pytest.mark.parametrize("schema", sorted((Path(__file__).parent / "crds").glob("*.json")), ids=lambda path: path.stem)
def test_the_kept_schemas_are_schemas_and_closed(schema: Path) -> None:
    content = json.loads(schema.read_text(encoding="utf-8"))

    jsonschema.Draft7Validator.check_schema(content)
    assert content["properties"]["spec"]["additionalProperties"] is False
