"""What the model believes of AWS, held against botocore's own data (which ships with it: no network)."""

import re
from pathlib import Path

import boto3
import pytest
from botocore.model import StringShape
from botocore.session import get_session

from aerodrome_stacks.environment import environment_names, load_environment
from aerodrome_stacks.environment.aws import INSTANCE_TYPE, REGIONS, default_zones, instance_shape


@pytest.fixture(scope="module")
def instance_types() -> set[str]:
    shape = get_session().get_service_model("ec2").shape_for("InstanceType")
    assert isinstance(shape, StringShape)
    assert len(shape.enum) > 1000
    return set(shape.enum)


def test_regions_are_those_that_offer_every_service_but_the_one_with_two_zones() -> None:
    session = boto3.Session()
    offering = [set(session.get_available_regions(service)) for service in ("eks", "batch", "rds", "ecs")]
    assert set(REGIONS) == set.intersection(*offering) - {"us-west-1"}
    assert len(set(REGIONS)) == len(REGIONS)


@pytest.mark.parametrize(
    ("region", "zones"),
    [
        ("us-east-1", ("us-east-1a", "us-east-1b", "us-east-1c")),
        ("ca-central-1", ("ca-central-1a", "ca-central-1b", "ca-central-1d")),
    ],
)
def test_default_zones(region: str, zones: tuple[str, str, str]) -> None:
    assert default_zones(region) == zones


@pytest.mark.parametrize(
    ("name", "vcpus", "memory_gib", "architecture", "gpus"),
    [
        ("m7i.large", 2, 8, "amd64", 0),
        ("m7i.xlarge", 4, 16, "amd64", 0),
        ("m7i.2xlarge", 8, 32, "amd64", 0),
        ("m7i.48xlarge", 192, 768, "amd64", 0),
        ("m7i-flex.8xlarge", 32, 128, "amd64", 0),
        ("m7gd.4xlarge", 16, 64, "arm64", 0),
        ("c6in.16xlarge", 64, 128, "amd64", 0),
        ("c7gn.large", 2, 4, "arm64", 0),
        ("c5n.large", 2, None, "amd64", 0),
        ("r8g.24xlarge", 96, 768, "arm64", 0),
        ("r4.large", 2, None, "amd64", 0),
        ("t4g.large", 2, None, "arm64", 0),
        ("x2gd.large", 2, None, "arm64", 0),
        ("a1.large", 2, None, "arm64", 0),
        ("g5.xlarge", 4, None, "amd64", 1),
        ("g5.12xlarge", 48, None, "amd64", 4),
        ("g5.16xlarge", 64, None, "amd64", 1),
        ("g4ad.xlarge", 4, None, "amd64", 0),
        ("g99.xlarge", 4, None, "amd64", None),
        ("g5g.xlarge", 4, None, "arm64", 1),
        ("gr6.4xlarge", 16, None, "amd64", 1),
        ("p4d.24xlarge", 96, None, "amd64", 8),
        ("p6e-gb200.36xlarge", 144, None, "arm64", 4),
        ("inf2.8xlarge", 32, None, "amd64", 0),
    ],
)
def test_instance_shape(name: str, vcpus: int, memory_gib: int | None, architecture: str, gpus: int | None) -> None:
    shape = instance_shape(name)
    assert f"{shape.family}.{shape.size}" == name
    assert (shape.vcpus, shape.memory_gib, shape.architecture, shape.gpus) == (vcpus, memory_gib, architecture, gpus)


def test_instance_shape_refuses_what_it_cannot_tell() -> None:
    for name in ("m7i.metal", "m7i.medium", "m7i", "", "db.m7i.large", "m7i.large "):
        with pytest.raises(ValueError, match="is not an EC2 instance type of size large or above"):
            instance_shape(name)


def test_every_type_of_size_large_or_above_is_known(instance_types: set[str]) -> None:
    large = {name for name in instance_types if re.search(r"\.[0-9]*x?large$", name)}
    # The u-...tb1 families of SAP HANA have another form and are no nodes of EKS.
    unknown = {name for name in large if not re.fullmatch(INSTANCE_TYPE, name)}
    assert all(name.startswith("u-") for name in unknown)
    assert len(large - unknown) > 900


def test_the_gpus_of_every_type_are_known(instance_types: set[str]) -> None:
    with_gpus = {name for name in instance_types if re.match(r"(?:gr?|p)[0-9]", name) and "metal" not in name}
    assert len(with_gpus) > 70
    assert {name for name in with_gpus if instance_shape(name).gpus is None} == set()


def test_the_environments_name_instance_types_that_exist(environments: Path, instance_types: set[str]) -> None:
    for name in environment_names(environments):
        groups = load_environment(name, environments).cluster.node_groups
        named = {each for group in groups for each in group.instance_types}
        assert len(named) > 5
        assert named <= instance_types, f"environments/{name}.yaml"
