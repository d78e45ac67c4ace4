"""The device plugin, in an environment that has nodes with GPUs."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from aerodrome_constructs.cluster import GPU_TAINT, INTERRUPTIBLE_TAINT
from aerodrome_stacks.environment import load_environment
from aerodrome_stacks.environment.nodes import SpotNodes
from aerodrome_stacks.platform import build_platform
from chart_paths import unknown_paths
from pytest_cdk.assembly import Assembly
from tests.charts.deployed import DeployedRelease, deployed_releases
from tests.charts.known_paths import known_paths_of
from tests.templates import ROOT, new_app

NAME = "nvidia-device-plugin"


@pytest.fixture(scope="module")
def plugin() -> DeployedRelease:
    """The release in dev, with a group of GPUs added."""
    environment = load_environment("dev", ROOT / "environments")
    gpus = SpotNodes(name="gpu", instance_types=("g6.2xlarge", "g5.2xlarge"), max_size=4)
    cluster = environment.cluster.model_copy(update={"spot_nodes": (*environment.cluster.spot_nodes, gpus)})
    app = new_app()
    build_platform(app, environment.model_copy(update={"cluster": cluster}))
    return deployed_releases(Assembly("dev", Path(app.synth().directory)))[NAME]


def test_where_there_are_no_gpus_there_is_no_plugin(releases: Mapping[str, DeployedRelease]) -> None:
    assert NAME not in releases


def test_it_runs_on_every_node_with_gpus(plugin: DeployedRelease) -> None:
    # A node that it tolerates not would have GPUs that nobody is told of.
    assert plugin.value("tolerations") == [GPU_TAINT.toleration, INTERRUPTIBLE_TAINT.toleration]


def test_it_runs_on_no_other_node(plugin: DeployedRelease) -> None:
    # The chart's default affinity: nodes with the label nvidia.com/gpu.present.
    assert "affinity" not in plugin.values
    assert "nodeSelector" not in plugin.values


def test_every_path_that_we_set_is_known(plugin: DeployedRelease) -> None:
    paths = known_paths_of(NAME)

    assert unknown_paths(plugin.values, set(paths.known), set(paths.free_form)) == []
