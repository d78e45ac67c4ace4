"""What is known of Flyte on EKS, one assertion a fact, in every environment."""

from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease
from tests.charts.rendered.facts import MISSING, Fact, Platform, given, leaves, removes, sets
from tests.charts.rendered.facts_control_plane import CONTROL_PLANE
from tests.charts.rendered.facts_operations import OPERATIONS
from tests.charts.rendered.workloads import Cluster

FACTS = [*CONTROL_PLANE, *OPERATIONS]

# The numbered traps: of Ingresses, of operation, and of the charts before an API server.
TRAPS = [
    *(f"2.4/{number}" for number in range(1, 9)),
    *(f"5/{number}" for number in range(1, 16)),
    *(f"charts/{number}" for number in range(1, 10)),
]


@pytest.fixture
def platform(environment: Environment, releases: Mapping[str, DeployedRelease], rendered: Cluster) -> Platform:
    """What is installed in one environment."""
    return Platform(environment, releases, rendered)


@pytest.mark.parametrize("fact", FACTS, ids=[f"{fact.source}-{number}" for number, fact in enumerate(FACTS)])
def test_fact(platform: Platform, fact: Fact) -> None:
    assert fact.holds(platform), f"{fact.source}: {fact.says}; found: {fact.found(platform)!r}"


def test_there_are_many() -> None:
    assert len(FACTS) >= 150


def test_every_numbered_trap_has_its_facts() -> None:
    assert set(TRAPS) - {fact.source for fact in FACTS} == set()


@pytest.mark.parametrize(
    ("fact", "values", "holds"),
    [
        (sets("0", "box:size", 1, ""), {"size": 1}, True),
        (sets("0", "box:size", 1, ""), {"size": 2}, False),
        (sets("0", "box:size", 1, ""), {}, False),
        (removes("0", "box:size", ""), {"size": None}, True),
        (removes("0", "box:size", ""), {}, False),
        (leaves("0", "box:size", ""), {}, True),
        (leaves("0", "box:size", ""), {"size": None}, False),
        (given("0", "box:lid.[a.b/c]", "", bool), {"lid": {"a.b/c": "x"}}, True),
        (given("0", "box:lid.[a.b/c]", "", bool), {"lid": {"a.b/c": ""}}, False),
        (given("0", "box:lid.[a.b/c]", "", lambda _: True), {"lid": {}}, False),
    ],
)
def test_a_fact_can_fail(platform: Platform, fact: Fact, values: Mapping[str, Any], *, holds: bool) -> None:
    box = DeployedRelease("box", "boxes", "Boxes", None, None, values, {})

    assert fact.holds(Platform(platform.environment, {"box": box}, platform.cluster)) is holds


def test_a_path_that_leads_nowhere_is_told(platform: Platform) -> None:
    assert platform.at("flyte:storage.typo") == MISSING
