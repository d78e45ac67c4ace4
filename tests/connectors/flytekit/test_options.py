"""flytekit's own options of a task, in the units of AWS Batch."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flytekit import Resources, Secret, task
from flytekit.configuration import ImageConfig, SerializationSettings

from flytekit_aws_batch import AWSBatch, SecretVariable
from flytekit_aws_batch.config import Expected
from flytekit_aws_batch.connector import BatchJob
from flytekit_aws_batch.core.plan import Handle


def double(number: int) -> int:
    return 2 * number


def custom(config: AWSBatch | None = None, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - flytekit's
    made: Any = task(task_config=config or AWSBatch(), **options)(double)
    found: dict[str, Any] = made.get_custom(SerializationSettings(image_config=ImageConfig()))
    return found


@pytest.mark.parametrize(
    ("said", "resources"),
    [
        (Resources(cpu="2", mem="14Gi", gpu="1"), {"vcpus": 2.0, "memory_mib": 14336, "gpus": 1}),
        (Resources(cpu="4", mem="500M"), {"vcpus": 4.0, "memory_mib": 477}),
        (Resources(cpu=1, mem=1 << 30), {"vcpus": 1.0, "memory_mib": 1024}),
        (Resources(cpu="3"), {"vcpus": 3.0, "memory_mib": 6144}),
        (Resources(), {"vcpus": 1.0, "memory_mib": 2048}),
    ],
)
def test_resources_are_those_of_batch(said: Resources, resources: dict[str, float]) -> None:
    assert custom(limits=said)["resources"] == resources
    assert custom(requests=said)["resources"] == resources
    assert custom(resources=said)["resources"] == resources


def test_parts_of_a_vcpu_are_for_fargate() -> None:
    said = custom(AWSBatch(queue="fargate"), limits=Resources(cpu="500m", mem="1Gi"))
    assert said["resources"] == {"vcpus": 0.5, "memory_mib": 1024}


def test_a_disk_of_its_own_is_for_fargate() -> None:
    config = AWSBatch(queue="fargate")
    assert custom(config, limits=Resources(cpu="1", mem="2Gi", ephemeral_storage="100Gi"))["spec"] == {
        "queue": "fargate",
        "ephemeral_gib": 100,
    }
    assert custom(config, limits=Resources(cpu="1", mem="2Gi", ephemeral_storage="5Gi"))["spec"] == {"queue": "fargate"}


@pytest.mark.parametrize(("said", "mib"), [("2Gi", 2048), ("500k", 1), ("2049Ki", 3)])
def test_shared_memory_is_docker_s_in_whole_mib(said: str, mib: int) -> None:
    assert custom(shared_memory=said)["spec"] == {"shared_memory_mib": mib}


def test_secrets_are_found_by_flytekit_s_own_names() -> None:
    said = custom(
        AWSBatch(secrets={"TOKEN": SecretVariable(secret="mine")}),
        secret_requests=[
            Secret(group="database", key="password"),
            Secret(group="whole"),
            Secret(group="alone", env_var="ALONE"),
        ],
    )
    assert said["spec"]["secrets"] == {
        "TOKEN": {"secret": "mine"},
        "_FSEC_DATABASE_PASSWORD": {"secret": "database", "field": "password"},
        "_FSEC_WHOLE": {"secret": "whole"},
        "ALONE": {"secret": "alone"},
    }


def test_a_secret_of_awsbatch_comes_before_a_request_for_the_same_variable() -> None:
    variable = "_FSEC_DATABASE_PASSWORD"
    said = custom(
        AWSBatch(secrets={variable: SecretVariable(secret="mine")}),
        secret_requests=[Secret(group="database", key="password")],
    )
    assert said["spec"]["secrets"] == {variable: {"secret": "mine"}}


def test_a_timeout_of_a_minute_is_taken() -> None:
    assert custom(timeout=timedelta(minutes=1), retries=3)["spec"] == {}


def test_what_a_newer_version_keeps_beside_is_left_out() -> None:
    job = BatchJob(Handle(output_prefix="s3://data/0", name="a-n0", attempt=1), Expected(kind="list", size=3))
    newer = json.loads(job.encode()) | {"of_a_newer_version": 1}
    for part in ("handle", "expected"):
        newer[part] |= {"of_a_newer_version": 1}
    assert BatchJob.decode(json.dumps(newer).encode()) == job
