"""Moving to another Kubernetes version is one value of the environment, and what does not go with it is refused."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aerodrome_constructs.cluster import KUBERNETES_RELEASES
from aerodrome_stacks import addons_stack
from aerodrome_stacks.environment import load_environment
from aerodrome_stacks.platform import build_platform
from pytest_cdk.assembly import Assembly
from tests.templates import ROOT, TemplateJson, new_app, only, properties, resources, text


def stacks_with(version: str) -> Mapping[str, Mapping[str, Any]]:
    """The templates of dev with another Kubernetes version, and nothing else changed."""
    environment = load_environment("dev", ROOT / "environments")
    cluster = environment.cluster.model_copy(update={"kubernetes_version": version})
    app = new_app()
    build_platform(app, environment.model_copy(update={"cluster": cluster}))
    return Assembly("dev", Path(app.synth().directory)).stacks


def pins(stacks: Mapping[str, TemplateJson]) -> dict[str, object]:
    """Everything in the templates that goes with a Kubernetes version."""
    cluster, addons = stacks["Cluster"], stacks["Addons"]
    charts = resources(addons, "Custom::AWSCDK-EKS-HelmChart").values()
    values = {
        chart["Properties"]["Release"]: json.loads(text(chart["Properties"]["Values"]))
        for chart in charts
        if chart["Properties"]["Release"] == "aerodrome-node-pools"
    }
    layers = [one["Description"] for one in properties(cluster, "AWS::Lambda::LayerVersion").values()]
    return {
        "cluster": only(cluster, "AWS::EKS::Cluster")["Version"],
        "kubectl": [layer.split(";")[0].split()[1].rpartition(".")[0] for layer in layers if "kubectl" in layer],
        "add-ons": {one["AddonName"]: one["AddonVersion"] for one in properties(cluster, "AWS::EKS::Addon").values()},
        "nodes": {
            (one["Version"], one["ReleaseVersion"]) for one in properties(cluster, "AWS::EKS::Nodegroup").values()
        },
        "karpenter's nodes": values["aerodrome-node-pools"]["nodeClass"]["imageAlias"],
        "charts": {
            chart["Properties"]["Chart"]: chart["Properties"]["Version"]
            for chart in charts
            if chart["Properties"].get("Chart") in KUBERNETES_RELEASES["1.36"].charts
        },
    }


@pytest.mark.parametrize("version", KUBERNETES_RELEASES)
def test_one_value_moves_everything_to_the_versions_row(version: str) -> None:
    row = KUBERNETES_RELEASES[version]
    assert pins(stacks_with(version)) == {
        "cluster": version,
        "kubectl": [version],
        "add-ons": row.add_ons,
        "nodes": {(version, row.node_image_release)},
        "karpenter's nodes": row.node_image_alias,
        "charts": row.charts,
    }


def test_a_chart_that_the_version_does_not_go_with_fails_the_synth(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(KUBERNETES_RELEASES["1.36"], charts={"karpenter": "1.12.0"})
    monkeypatch.setattr(addons_stack, "KUBERNETES_RELEASES", {"1.36": row})
    with pytest.raises(
        ValueError, match=r"chart karpenter is pinned to 1\.13\.0, and Kubernetes 1\.36 goes with 1\.12\.0"
    ):
        stacks_with("1.36")
