"""The most that an environment's nodes cost in an hour."""

from pathlib import Path

import pytest

from aerodrome_stacks.environment import load_environment
from aerodrome_stacks.environment.model import Cluster
from aerodrome_stacks.environment.node_prices import most_usd_an_hour
from aerodrome_stacks.environment.nodes import SpotNodes, SystemNodes


def cluster_of(environments: Path, system: SystemNodes, *spot: SpotNodes, on_demand_vcpus: int) -> Cluster:
    decided = load_environment("dev", environments).cluster
    return decided.model_copy(update={"system_nodes": system, "spot_nodes": spot, "on_demand_vcpus": on_demand_vcpus})


def spot(instance_type: str, most: int) -> SpotNodes:
    return SpotNodes.model_construct(name="general", instance_types=(instance_type,), min_size=0, max_size=most)


SYSTEM = SystemNodes(instance_types=("m7i.large",), min_size=1, max_size=1)


# On demand in us-east-1: m7i.large $0.1008, r7i.large $0.1323, c7i.large $0.08925.
@pytest.mark.parametrize(
    ("instance_type", "usd"),
    [("m7i.large", 0.1008), ("r7i.large", 0.1323), ("c7i.large", 0.08925), ("m7i.4xlarge", 0.8064)],
)
def test_a_node_costs_about_what_aws_lists(environments: Path, instance_type: str, usd: float) -> None:
    both = most_usd_an_hour(cluster_of(environments, SYSTEM, spot(instance_type, 10), on_demand_vcpus=0))

    assert both is not None
    assert (both - 0.1008) / 10 == pytest.approx(usd, rel=0.06)


def test_the_nodes_that_stand_in_for_spot_are_counted(environments: Path) -> None:
    without = most_usd_an_hour(cluster_of(environments, SYSTEM, spot("m7i.large", 1), on_demand_vcpus=0))
    with_them = most_usd_an_hour(cluster_of(environments, SYSTEM, spot("m7i.large", 1), on_demand_vcpus=4))

    assert without is not None
    assert with_them == pytest.approx(2 * without)


def test_nothing_is_said_of_gpus(environments: Path) -> None:
    assert most_usd_an_hour(cluster_of(environments, SYSTEM, spot("g6.2xlarge", 1), on_demand_vcpus=0)) is None
