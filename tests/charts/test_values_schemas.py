"""Our values are ones that the charts' own schemas take, where a chart has one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.charts.deployed import DeployedRelease
from values_schema import schema_of_ours

FOLDER = Path(__file__).parent / "values_schemas"
# The upstream charts that have a values.schema.json: charts.md of the versions that are pinned.
WITH_SCHEMA = {path.stem for path in FOLDER.glob("*.json")}


def without_nulls(values: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Values as Helm checks them: a null has removed the chart's default and is gone."""
    if isinstance(values, Mapping):
        return {key: without_nulls(value) for key, value in values.items() if value is not None}
    if isinstance(values, list):
        return [without_nulls(value) for value in values]
    return values


def refusals(chart: str, values: Mapping[str, Any]) -> list[str]:
    """What the chart's schema says against values."""
    schema = json.loads((FOLDER / f"{chart}.json").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema, jsonschema.Draft7Validator)(schema)
    return [
        f"{error.json_path}: {error.message}"
        for error in validator.iter_errors(without_nulls(values))
        # What is known on deployment only stands there as ${Name}, and has no form yet.
        if not (error.validator == "pattern" and "${" in str(error.instance))
    ]


def test_the_schemas_take_our_values(releases: Mapping[str, DeployedRelease]) -> None:
    held = [release for release in releases.values() if release.chart in WITH_SCHEMA]
    assert {"external-secrets", "mlflow", "reloader"} <= {release.chart for release in held}

    assert {release.name: found for release in held if (found := refusals(str(release.chart), release.values))} == {}


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("external-dns", {"policy": "delete-everything"}),
        ("external-secrets", {"replicaCount": "two"}),
        ("mlflow", {"replicaCount": "two"}),
        ("reloader", {"reloader": {"reloadStrategy": "restart"}}),
    ],
)
def test_a_schema_refuses_what_helm_would(chart: str, values: Mapping[str, Any]) -> None:
    assert refusals(chart, values)


def test_every_schema_is_tried() -> None:
    assert {"external-dns", "external-secrets", "mlflow", "reloader"} == WITH_SCHEMA


def test_a_schema_of_ours_says_nothing_of_what_must_be_given() -> None:
    schema = {
        "title": "Values",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "default": 1, "description": "How big."},
            "required": {"type": "array", "items": {"type": "object", "required": ["name"]}},
            "description": {"type": "string"},
        },
    }

    assert schema_of_ours(schema) == {
        "properties": {
            "size": {"type": "integer"},
            "required": {"type": "array", "items": {"type": "object"}},
            "description": {"type": "string"},
        }
    }
