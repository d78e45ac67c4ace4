"""Rules on the network and the cluster: what each refuses, and what it lets pass."""

from collections.abc import Callable
from typing import Any

import pytest

Problems = Callable[..., list[str]]

GENERAL = "cluster.spot_nodes[0]"
FAMILIES = ("m7i", "m7i-flex", "m7a", "m6i", "m6a", "m6id", "m5", "m5a", "m5d", "m5n")
TEN_TYPES = [f"{family}.2xlarge" for family in FAMILIES]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"network.cidr": "10.0.0.0/20"}, []),
        (
            {"network.cidr": "10.0.0.0/15"},
            ["network.cidr: 10.0.0.0/15 has 131,072 addresses; AWS allows a VPC at most 65,536, which is /16"],
        ),
        (
            {"network.cidr": "10.0.0.0/21"},
            [
                (
                    "network.cidr: 10.0.0.0/21 has 2,048 addresses; the subnets of three zones need at least 4,096, "
                    "which is /20"
                )
            ],
        ),
        (
            {"network.cidr": "11.0.0.0/16"},
            ["network.cidr: 11.0.0.0/16 is public; take it from 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16"],
        ),
        (
            {"network.cidr": "172.17.16.0/20"},
            [
                (
                    "network.cidr: 172.17.16.0/20 overlaps 172.17.0.0/16, which Docker uses on the nodes of AWS Batch; "
                    "take another range"
                )
            ],
        ),
        ({"network.availability_zones": ["us-east-1d", "us-east-1f", "us-east-1a"]}, []),
        (
            {"network.availability_zones": ["us-east-1a", "us-east-1a", "us-west-2c"]},
            [
                (
                    "network.availability_zones[1]: us-east-1a is given twice; three different zones are needed, so "
                    "that two may fail"
                ),
                (
                    "network.availability_zones[2]: us-west-2c is not a zone of us-east-1; write the region and a "
                    "letter, such as us-east-1a"
                ),
            ],
        ),
    ],
)
def test_network(problems: Problems, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(changes) == lines


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"cluster.public_endpoint_cidrs": []}, []),
        ({"cluster.public_endpoint_cidrs": ["198.51.100.7/32", "8.0.0.0/8"]}, []),
        (
            {"cluster.public_endpoint_cidrs": ["0.0.0.0/0"]},
            [
                (
                    "cluster.public_endpoint_cidrs[0]: 0.0.0.0/0 opens the Kubernetes API to the whole internet; name "
                    "your offices' ranges, /8 or narrower, or [] to make it private"
                )
            ],
        ),
        # Two halves are the whole.
        (
            {"cluster.public_endpoint_cidrs": ["128.0.0.0/1"]},
            [
                (
                    "cluster.public_endpoint_cidrs[0]: 128.0.0.0/1 opens the Kubernetes API to 1/2 of the internet; "
                    "name your offices' ranges, /8 or narrower, or [] to make it private"
                )
            ],
        ),
        (
            {"cluster.public_endpoint_cidrs": ["10.0.0.0/16"]},
            [
                (
                    "cluster.public_endpoint_cidrs[0]: 10.0.0.0/16 is private and never comes from the internet; name "
                    "public ranges, or []"
                )
            ],
        ),
        (
            {"cluster.administrators": ["arn:aws:iam::444455556666:role/Admin"]},
            [
                (
                    "cluster.administrators[0]: arn:aws:iam::444455556666:role/Admin belongs to account 444455556666; "
                    "only roles of 111122223333 are allowed"
                )
            ],
        ),
        (
            {"cluster.viewers": ["arn:aws:iam::111122223333:user/somebody"]},
            [
                (
                    'cluster.viewers[0]: "arn:aws:iam::111122223333:user/somebody" is not the ARN of an IAM role; '
                    "those look "
                    "like arn:aws:iam::111122223333:role/PlatformEngineer"
                )
            ],
        ),
        (
            {"cluster.viewers": ["arn:aws:iam::111122223333:role/PlatformEngineer"]},
            [
                (
                    "cluster: arn:aws:iam::111122223333:role/PlatformEngineer is among administrators and viewers; "
                    "keep it in one of them"
                )
            ],
        ),
        ({"cluster.system_nodes.min_size": 6}, []),
        (
            {"cluster.system_nodes.min_size": 7},
            ["cluster.system_nodes: min_size is 7, above max_size, which is 6; lower the one or raise the other"],
        ),
        (
            {f"{GENERAL}.instance_types": ["m7i.2xlarge", "m7a.4xlarge", "m7g.2xlarge"]},
            [
                (
                    "cluster.spot_nodes[0].instance_types: the types of one group must agree in vCPUs, memory and "
                    "architecture, and here are 8 vCPUs, 32 GiB, amd64: m7i.2xlarge; 16 vCPUs, 64 GiB, amd64: "
                    "m7a.4xlarge; 8 vCPUs, 32 GiB, arm64: m7g.2xlarge"
                )
            ],
        ),
        (
            {f"{GENERAL}.instance_types": ["m7i.2xlarge", "m7a.2xlarge", "g6.2xlarge", "r7i.2xlarge"]},
            [
                (
                    "cluster.spot_nodes[0].instance_types: the types of one group must agree in vCPUs, memory and "
                    "architecture, and here are 8 vCPUs, 32 GiB, amd64: m7i.2xlarge, m7a.2xlarge; 8 vCPUs, amd64: "
                    "g6.2xlarge; 8 vCPUs, 64 GiB, amd64: r7i.2xlarge"
                )
            ],
        ),
        ({f"{GENERAL}.instance_types": TEN_TYPES}, []),
        (
            {f"{GENERAL}.instance_types": TEN_TYPES[:9]},
            [
                (
                    "cluster.spot_nodes[0].instance_types: 9 given, and spot capacity is taken back most where few "
                    "types are asked for; name at least 10, over families (m, m-a, m-flex, ...) and generations"
                )
            ],
        ),
        ({f"{GENERAL}.instance_types": ["g6.2xlarge"]}, []),
        # On-demand nodes are not taken back.
        ({"cluster.system_nodes.instance_types": ["m7i.large"]}, []),
        ({f"{GENERAL}.min_size": 10}, []),
        (
            {f"{GENERAL}.min_size": 11},
            [f"{GENERAL}: min_size is 11, above max_size, which is 10; lower the one or raise the other"],
        ),
        (
            {f"{GENERAL}.instance_types": ["m7i.2xlarge", "m7i.2xlarge"]},
            ["cluster.spot_nodes[0].instance_types: m7i.2xlarge stands in the list more than once; keep one"],
        ),
        (
            {f"{GENERAL}.name": "system"},
            ["cluster.spot_nodes[0].name: system is the name of another node group, too; names must differ"],
        ),
    ],
)
def test_cluster(problems: Problems, changes: dict[str, Any], lines: list[str]) -> None:
    assert problems(changes) == lines
