"""Releases as they stand in the synthesized templates: with the values that Helm gets, not those somebody meant."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from aerodrome_constructs.helm import ReleaseSpec
from pytest_cdk.assembly import Assembly
from tests.templates import ROOT, text

CHARTS = ROOT / "charts"

_HELM_CHART = "Custom::AWSCDK-EKS-HelmChart"


@dataclass(frozen=True)
class DeployedRelease:
    """A release in a template.

    Attributes:
        name: The release's name.
        namespace: Where it goes.
        stack: The stack that holds it.
        chart: The name of an upstream chart; ``None`` for one of our own.
        version: The version of an upstream chart; ``None`` for one of our own.
        values: The values. What is known on deployment only stands there as ``${Name}``.
        properties: All properties of the resource.
    """

    name: str
    namespace: str
    stack: str
    chart: str | None
    version: str | None
    values: Mapping[str, Any]
    properties: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """The chart's folder."""
        if self.chart is not None:
            return CHARTS / self.chart
        return CHARTS / ("aerodrome-secrets" if self.name.endswith("-secrets") else self.name)

    def value(self, *keys: str) -> Any:  # noqa: ANN401 - any JSON value
        """The value at a path. A path that is not set is an error, so that a null cannot be mistaken for it."""
        return reduce(lambda values, key: values[key], keys, self.values)


def deployed_releases(assembly: Assembly) -> dict[str, DeployedRelease]:
    """Every release of an app, by its name."""
    releases = {
        resource["Properties"]["Release"]: _release(stack, resource["Properties"])
        for stack, template in assembly.stacks.items()
        for resource in resources_of(template).values()
        if resource["Type"] == _HELM_CHART
    }
    assert releases, "the app has no Helm release"
    return releases


def resources_of(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """The resources of a template by logical ID."""
    return dict(template["Resources"])


def specs() -> dict[str, ReleaseSpec]:
    """Every folder in ``charts/``, by its name."""
    found = {folder.name: ReleaseSpec.from_folder(folder) for folder in sorted(CHARTS.iterdir()) if folder.is_dir()}
    assert found, "there is no folder in charts/"
    return found


def mebibytes(quantity: str) -> float:
    """An amount of memory as Kubernetes writes it, ``512Mi`` or ``2Gi``."""
    units = {"Mi": 1.0, "Gi": 1024.0}
    return float(quantity[:-2]) * units[quantity[-2:]]


def _release(stack: str, properties: Mapping[str, Any]) -> DeployedRelease:
    return DeployedRelease(
        name=properties["Release"],
        namespace=properties["Namespace"],
        stack=stack,
        chart=properties.get("Chart"),
        version=properties.get("Version"),
        values=json.loads(text(properties["Values"])),
        properties=properties,
    )
