"""The arithmetic of addresses: what just fits, what just does not, and how that is said."""

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import pytest

from aerodrome_constructs.network import PRIVATE_ENDPOINTS
from aerodrome_stacks.environment.addresses import ENDPOINTS, zone_subnets

Problems = Callable[..., list[str]]

GENERAL = "cluster.spot_nodes[0]"
FAMILIES = ("m7i", "m7i-flex", "m7a", "m6i", "m6a", "m6id", "m5", "m5a", "m5d", "m5n")

# A /19 has 128 blocks in each zone. The nodes of a `2xlarge` take 9 of them each: 252 are 28 nodes.
PODS = (
    "network.pod_cidr: 100.64.0.0/19: when a zone is lost, the pod subnets of the two others have 252 blocks of 16 "
    "addresses (2 x (128 - 2 with addresses that AWS keeps)), and the nodes may take "
)
SMALL = "9 for 110 pods (7 + 1 to spare + 1 that its own address breaks up)"
LARGE = "18 for 250 pods (16 + 1 to spare + 1 that its own address breaks up)"
FEWER = "lower max_size of a node group or cluster.on_demand_vcpus"
NODES = (
    "network.cidr: 10.16.0.0/20: when a zone is lost, the node subnets of the two others have 1,734 addresses (2 x "
    "(1,024 - 152 for endpoints, load balancers, EKS and Lambdas - 5 that AWS keeps)), and "
)
LESS = "lower max_size of a node group, cluster.on_demand_vcpus or a ceiling in batch"


def types(size: str) -> list[str]:
    return [f"{family}.{size}" for family in FAMILIES]


def capacity(fargate: int, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - any value of a file
    """AWS Batch with few instances, and a number of Fargate's vCPUs, one of them on Fargate Spot."""
    small = {"spot_vcpus": 4, "on_demand_vcpus": 4, "fargate_spot_vcpus": 1, "fargate_vcpus": fargate - 1}
    return small | others


def few(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any value of a file
    """What makes dev an environment of few nodes in small ranges, with changes by short names."""
    paths = {
        "network": "network.cidr",
        "pods": "network.pod_cidr",
        "system": "cluster.system_nodes.max_size",
        "general": f"{GENERAL}.max_size",
        "general_types": f"{GENERAL}.instance_types",
        "on_demand": "cluster.on_demand_vcpus",
        "batch": "batch",
    }
    smallest = {"pods": "100.64.0.0/19", "system": 1, "general": 10, "on_demand": 8}
    quotas = {f"projects[{number}].domains.development": {"cpu": 1, "memory_gib": 1} for number in (0, 1)}
    named = {paths[name]: value for name, value in (smallest | changes).items()}
    return {"cluster.system_nodes.min_size": 1, **named, **quotas}


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_environments_fit(problems: Problems, name: str) -> None:
    assert problems({}, name) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        # 1 + 6 system, 10 + 6 general and 5 on-demand nodes: the 28.
        (few(on_demand=47), None),
        (
            few(on_demand=48),
            (
                f"{PODS}261 (7 system x 9 + 16 general x 9 + 6 on-demand x 9); a node takes {SMALL}; take a /18 or "
                f"wider, or {FEWER}"
            ),
        ),
        # An update of a group of 14 adds six nodes, two a zone, and of one of 30 a third, ten.
        (few(system=14, general=1), None),
        (
            few(system=30, general=1),
            (
                f"{PODS}432 (40 system x 9 + 7 general x 9 + 1 on-demand x 9); a node takes {SMALL}; take a /18 or "
                f"wider, or {FEWER}"
            ),
        ),
        # From 30 vCPUs on a node may have 250 pods.
        (few(general=3, general_types=types("8xlarge"), on_demand=32), None),
        (
            few(general=4, general_types=types("8xlarge"), on_demand=32),
            (
                f"{PODS}261 (7 system x 9 + 10 general x 18 + 1 on-demand x 18); a node takes {SMALL} and {LARGE}; "
                f"take a /18 or wider, or {FEWER}"
            ),
        ),
        # No range that a VPC may have is wide enough: then nodes are too many.
        (
            few(pods="100.64.0.0/16", general=450),
            (
                "network.pod_cidr: 100.64.0.0/16: when a zone is lost, the pod subnets of the two others have 2,044 "
                "blocks of 16 addresses (2 x (1,024 - 2 with addresses that AWS keeps)), and the nodes may take 4,176 "
                f"(7 system x 9 + 456 general x 9 + 1 on-demand x 9); a node takes {SMALL}; a VPC's widest range, /16, "
                f"has 2,044: {FEWER}"
            ),
        ),
    ],
)
def test_pods_have_addresses_with_a_zone_lost(problems: Problems, changes: dict[str, Any], line: str | None) -> None:
    assert problems(changes) == ([line] if line else [])


def test_on_demand_nodes_are_counted_as_what_takes_the_most(problems: Problems) -> None:
    # Of 96 vCPUs: 4 of 24, with 9 blocks each, or 3 of 32, with 18.
    groups = [
        {"name": "general", "instance_types": types("6xlarge"), "max_size": 10},
        {"name": "large", "instance_types": types("8xlarge"), "max_size": 10},
    ]
    (line,) = problems({**few(on_demand=96, general=1), "cluster.spot_nodes": groups})
    assert "(7 system x 9 + 16 general x 9 + 16 large x 18 + 3 on-demand x 18)" in line


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        # 7 system, 16 general and 1 on-demand nodes; 2 + 2 instances and one beyond each ceiling; 4 tasks a vCPU.
        (few(network="10.16.0.0/20", batch=capacity(426)), None),
        (
            few(network="10.16.0.0/20", batch=capacity(427)),
            (
                f"{NODES}1,738 may be taken (24 nodes + 6 instances of AWS Batch + 1,708 tasks of Fargate); take a /19 "
                f"or wider, or {LESS}"
            ),
        ),
        # Two more compute environments of instances: 4 and one beyond, each.
        (
            few(network="10.16.0.0/20", batch=capacity(426, gpu={"spot_vcpus": 8, "on_demand_vcpus": 8})),
            (
                f"{NODES}1,744 may be taken (24 nodes + 16 instances of AWS Batch + 1,704 tasks of Fargate); take a "
                f"/19 or wider, or {LESS}"
            ),
        ),
        (
            few(batch=capacity(20_000)),
            (
                "network.cidr: 10.16.0.0/16: when a zone is lost, the node subnets of the two others have 32,454 "
                "addresses (2 x (16,384 - 152 for endpoints, load balancers, EKS and Lambdas - 5 that AWS keeps)), and "
                "80,030 may be taken (24 nodes + 6 instances of AWS Batch + 80,000 tasks of Fargate); a VPC's widest "
                f"range, /16, has 32,454: {LESS}"
            ),
        ),
    ],
)
def test_nodes_and_jobs_have_addresses_with_a_zone_lost(
    problems: Problems, changes: dict[str, Any], line: str | None
) -> None:
    assert problems(changes) == ([line] if line else [])


def test_both_ranges_may_be_too_small_at_once(problems: Problems) -> None:
    lines = problems(few(network="10.16.0.0/20", general=100, batch=capacity(5_000)))
    assert [line.partition(":")[0] for line in lines] == ["network.cidr", "network.pod_cidr"]


def test_a_zone_has_a_quarter_of_a_range() -> None:
    assert list(map(str, zone_subnets(IPv4Network("100.64.0.0/16")))) == [
        "100.64.0.0/18",
        "100.64.64.0/18",
        "100.64.128.0/18",
    ]


def test_every_endpoint_is_counted() -> None:
    # And one for metrics that are written to Amazon Managed Service for Prometheus, and one for Flyte's emails.
    assert len(PRIVATE_ENDPOINTS) + 2 == ENDPOINTS
