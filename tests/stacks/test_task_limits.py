"""The most that one task may ask for."""

from pathlib import Path

import pytest

from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.environment.model import Quota
from aerodrome_stacks.task_limits import TaskLimits, connector_job_limits, job_limits, pod_limits, registered_limits

ENVIRONMENTS = Path(__file__).parents[2] / "environments"
PLENTY = Quota(cpu=5000, memory_gib=20_000, gpu=100)


@pytest.fixture
def dev() -> Environment:
    """An environment with nodes of 8 vCPUs and 32 GiB, and system nodes of 2 and 8."""
    return load_environment("dev", ENVIRONMENTS)


def with_spot_types(environment: Environment, *instance_types: str) -> Environment:
    (group,) = environment.cluster.spot_nodes
    nodes = environment.cluster.model_copy(
        update={"spot_nodes": (group.model_copy(update={"instance_types": instance_types}),)}
    )
    return environment.model_copy(update={"cluster": nodes})


def test_a_pod_may_have_what_a_node_has_left(dev: Environment) -> None:
    # 8 vCPUs less one; 32 GiB less 7.5 % and (255 + 11 x 110 + 100 + 512) MiB.
    assert pod_limits(dev, PLENTY) == TaskLimits(cpu=7, memory_gib=27, gpu=0)


def test_a_large_node_has_more_pods_and_keeps_more_for_them(dev: Environment) -> None:
    # 512 GiB less 7.5 % and (255 + 11 x 250 + 100 + 512) MiB.
    assert pod_limits(with_spot_types(dev, "r7i.16xlarge"), PLENTY) == TaskLimits(cpu=63, memory_gib=470, gpu=0)


def test_a_small_quota_is_the_limit(dev: Environment) -> None:
    assert pod_limits(dev, Quota(cpu=2, memory_gib=4)) == TaskLimits(cpu=2, memory_gib=4, gpu=0)


def test_where_no_quota_is_named_it_is_the_largest_of_all(dev: Environment) -> None:
    assert pod_limits(dev) == pod_limits(dev, dev.largest_quota())
    assert registered_limits(dev) == registered_limits(dev, dev.largest_quota())


def test_gpus_are_those_of_one_node(dev: Environment) -> None:
    assert pod_limits(with_spot_types(dev, "g5.12xlarge"), PLENTY).gpu == 4
    assert pod_limits(with_spot_types(dev, "g5.12xlarge"), Quota(cpu=8, memory_gib=32, gpu=1)).gpu == 1


def test_what_an_instance_type_does_not_tell_is_left_to_the_quota(dev: Environment) -> None:
    quota = dev.largest_quota().model_copy(update={"memory_gib": 900})
    many = dev.model_copy(
        update={"projects": (dev.projects[0].model_copy(update={"domains": {"development": quota}}),)}
    )

    # The memory of g6 cannot be told from its name.
    assert pod_limits(with_spot_types(many, "g6.4xlarge")).memory_gib == 900


def test_a_job_may_have_what_batch_has_and_an_instance(dev: Environment) -> None:
    assert job_limits(dev) == TaskLimits(cpu=64, memory_gib=512, gpu=0)
    large = dev.model_copy(update={"batch": dev.batch.model_copy(update={"spot_vcpus": 4096})})
    # r7a.48xlarge.
    assert job_limits(large) == TaskLimits(cpu=192, memory_gib=1536, gpu=0)


def test_what_is_registered_may_be_either_of_both(dev: Environment) -> None:
    # flyteadmin knows one limit for pods and for jobs of AWS Batch.
    assert registered_limits(dev, PLENTY) == TaskLimits(cpu=64, memory_gib=512, gpu=0)
    assert registered_limits(with_spot_types(dev, "p5.48xlarge"), PLENTY).cpu == 191
    assert registered_limits(with_spot_types(dev, "p5.48xlarge"), PLENTY).gpu == 8


def test_a_job_of_the_connector_may_have_what_any_queue_has(dev: Environment) -> None:
    prod = load_environment("prod", ENVIRONMENTS)
    assert prod.batch.gpu is not None
    assert job_limits(prod).gpu == 0
    assert connector_job_limits(prod) == TaskLimits(cpu=192, memory_gib=1536, gpu=8)
    # Fargate has 32 vCPUs at most, and dev a ceiling of 16.
    assert connector_job_limits(dev) == job_limits(dev)


def test_gpus_of_aws_batch_are_registered_where_nodes_have_none() -> None:
    prod = load_environment("prod", ENVIRONMENTS)
    none = Quota(cpu=8, memory_gib=32, gpu=0)
    assert registered_limits(prod, none) == TaskLimits(cpu=8, memory_gib=32, gpu=8)
    assert pod_limits(prod, none).gpu == 0
    # Flyte's plugin passes none on.
    without = prod.model_copy(update={"flyte": prod.flyte.model_copy(update={"batch_connector": None})})
    assert registered_limits(without, none).gpu == 0
