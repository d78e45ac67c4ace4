"""What AWS fixes and an environment refers to: regions, zones, account numbers, and the shapes of EC2 instances."""

import re
from dataclasses import dataclass
from typing import Literal

from aerodrome_stacks.environment.wording import show

# The regions of the `aws` partition that offer EKS, Batch and RDS and give an account three zones or more: us-west-1
# gives two. `tests/stacks/environment/test_aws.py` holds the list against botocore's.
REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
)

# Two regions do not give the zones a, b and c to a new account.
_ZONE_LETTERS = {"ap-northeast-1": ("a", "c", "d"), "ca-central-1": ("a", "b", "d")}


def default_zones(region: str) -> tuple[str, str, str]:
    """Return the three zones of a region that the platform spans unless the environment names others."""
    first, second, third = _ZONE_LETTERS.get(region, ("a", "b", "c"))
    return region + first, region + second, region + third


# Account numbers that AWS keeps for its documentation and gives to nobody, so that an example cannot reach a stranger.
DOCUMENTATION_ACCOUNTS = frozenset({"111122223333", "444455556666", "777788889999", "123456789012"})

# From large up, so that a node holds the platform's agents beside real work: a t3.medium takes 17 pods, an m7g.medium
# 8. Bare metal is refused: its vCPUs cannot be told from the name.
INSTANCE_TYPE = r"[a-z]+[0-9]+[a-z]*(?:-[a-z0-9]+)?\.(?:large|(?:[2-9]|[1-9][0-9]{1,2})?xlarge)"

_GIB_PER_VCPU = {"c": 2, "m": 4, "r": 8}

# NVIDIA GPUs by family and size, as EC2's DescribeInstanceTypes counts them; a part of one (g6f, gr6f) is one to
# Kubernetes. `tests/stacks/environment/test_aws.py` holds the families against botocore's.
_ONE_FOUR_EIGHT = {
    "xlarge": 1,
    "2xlarge": 1,
    "4xlarge": 1,
    "8xlarge": 1,
    "12xlarge": 4,
    "16xlarge": 1,
    "24xlarge": 4,
    "48xlarge": 8,
}
_ONE_TO_EIGHT = {"2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 2, "24xlarge": 4, "48xlarge": 8}
_GPUS = {
    "g2": {"2xlarge": 1, "8xlarge": 4},
    "g3": {"4xlarge": 1, "8xlarge": 2, "16xlarge": 4},
    "g3s": {"xlarge": 1},
    "g4dn": _ONE_FOUR_EIGHT,
    "g5": _ONE_FOUR_EIGHT,
    "g5g": {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "16xlarge": 2},
    "g6": _ONE_FOUR_EIGHT,
    "g6e": _ONE_FOUR_EIGHT,
    "g6f": {"large": 1, "xlarge": 1, "2xlarge": 1, "4xlarge": 1},
    "g7": _ONE_TO_EIGHT,
    "g7e": _ONE_TO_EIGHT,
    "gr6": {"4xlarge": 1, "8xlarge": 1},
    "gr6f": {"4xlarge": 1},
    "p2": {"xlarge": 1, "8xlarge": 8, "16xlarge": 16},
    "p3": {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8},
    "p3dn": {"24xlarge": 8},
    "p4d": {"24xlarge": 8},
    "p4de": {"24xlarge": 8},
    "p5": {"4xlarge": 1, "48xlarge": 8},
    "p5e": {"48xlarge": 8},
    "p5en": {"48xlarge": 8},
    "p6-b200": {"48xlarge": 8},
    "p6-b300": {"48xlarge": 8},
    "p6e-gb200": {"36xlarge": 4},
}


@dataclass(frozen=True, slots=True)
class InstanceShape:
    """What the name of an EC2 instance type tells.

    Attributes:
        family: Before the dot, such as ``m7i``.
        size: After the dot, such as ``2xlarge``.
        vcpus: Virtual CPUs: 2 for ``large``, 4 for ``xlarge``, 4 N for ``Nxlarge``.
        memory_gib: Memory, or None where the name does not tell: it does for compute (c, 2 GiB a vCPU), general (m, 4)
            and memory (r, 8) families from the fifth generation on.
        architecture: As Kubernetes names it.
        gpus: NVIDIA GPUs (families g, gr and p; those of g4ad are AMD's), or None for a type that is newer than the
            table here.
    """

    family: str
    size: str
    vcpus: int
    memory_gib: int | None
    architecture: Literal["amd64", "arm64"]
    gpus: int | None


def instance_shape(instance_type: str) -> InstanceShape:
    """Return what the name of an EC2 instance type tells.

    Raises:
        ValueError: The text is not the name of an instance type, or its size is below large or bare metal.
    """
    if not re.fullmatch(INSTANCE_TYPE, instance_type):
        raise ValueError(
            f"{show(instance_type)} is not an EC2 instance type of size large or above; those look like m7i.2xlarge"
        )
    family, _, size = instance_type.partition(".")
    vcpus = 2 if size == "large" else 4 * int(size.removesuffix("xlarge") or 1)
    # c5n is the one family of the three that has another ratio, 2.625.
    ratio = _GIB_PER_VCPU.get(family[0]) if re.match("[cmr][5-9]", family) and family != "c5n" else None
    # The letters after the generation say what is special: "g" first is Graviton. "gb" chips pair it with Blackwell.
    graviton = family == "a1" or re.match("[a-z]+[0-9]+(?:g|[a-z]*-gb)", family) is not None
    return InstanceShape(
        family=family,
        size=size,
        vcpus=vcpus,
        memory_gib=ratio and ratio * vcpus,
        architecture="arm64" if graviton else "amd64",
        gpus=_gpus(family, size),
    )


def _gpus(family: str, size: str) -> int | None:
    if family == "g4ad" or not re.match("(?:gr?|p)[0-9]", family):
        return 0
    return _GPUS.get(family, {}).get(size)
