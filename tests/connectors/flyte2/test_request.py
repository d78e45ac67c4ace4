"""What a template and an execution's metadata come to in the core's words."""

import json

import pytest
from flyteidl2.connector.connector_pb2 import TaskExecutionMetadata
from flyteidl2.core import tasks_pb2
from google.protobuf.json_format import ParseDict

from flytekit_aws_batch.core.plan import Handle
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.spec import JobSpec, Resources
from flytekit_aws_batch.flyte2.connector import BatchJob
from flytekit_aws_batch.flyte2.request import job_request, resources_of

PREFIX = "s3://bucket/metadata/risk/production/run-7/a3/2"


def template(**fields: object) -> tasks_pb2.TaskTemplate:
    """A task's template, with what a test says of it, as JSON."""
    given = {
        "id": {"name": "training.train", "project": "risk", "domain": "production"},
        "container": {"image": "training:1.4", "args": ["a0", "--outputs-path", PREFIX]},
        "custom": {"awsBatch": {}},
        **fields,
    }
    return ParseDict(given, tasks_pb2.TaskTemplate())


def metadata(**fields: object) -> TaskExecutionMetadata:
    """What Flyte's backend says of an attempt, the third of action a3."""
    given = {
        "taskExecutionId": {
            "nodeExecutionId": {
                "nodeId": "a3",
                "executionId": {"project": "risk", "domain": "production", "name": "run-7"},
            },
            "retryAttempt": 2,
        },
        "environmentVariables": {"ACTION_NAME": "a3", "RUN_NAME": "run-7", "_U_ORG_NAME": "local"},
        **fields,
    }
    return ParseDict(given, TaskExecutionMetadata())


def test_the_identity_is_the_backends() -> None:
    request = job_request(template(), metadata(), PREFIX + "/")

    assert (request.project, request.domain, request.execution, request.node) == ("risk", "production", "run-7", "a3")
    assert (request.task, request.attempt, request.output_prefix, request.local) == ("training.train", 2, PREFIX, False)


def test_all_attempts_of_an_action_have_one_key() -> None:
    third = job_request(template(), metadata(), PREFIX)
    fourth = job_request(template(), metadata(), PREFIX.removesuffix("2") + "3")

    assert third.key == fourth.key


def test_the_entrypoint_finds_whose_it_is() -> None:
    container = {"image": "training:1.4", "args": ["a0"], "env": [{"key": "EPOCHS", "value": "3"}]}
    request = job_request(template(container=container), metadata(), PREFIX)

    assert request.command == ("a0",)
    assert request.environment == {
        "EPOCHS": "3",
        "FLYTE_CLUSTERED_WORKER": "1",
        "PYTHONUNBUFFERED": "1",
        "FLYTE_INTERNAL_EXECUTION_PROJECT": "risk",
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": "production",
        "FLYTE_ATTEMPT_NUMBER": "2",
        "ACTION_NAME": "a3",
        "RUN_NAME": "run-7",
        "_U_ORG_NAME": "local",
    }


@pytest.mark.parametrize("said", ["", "0"])
def test_what_python_writes_at_once_is_the_author_s_to_say(said: str) -> None:
    container = {"image": "training:1.4", "env": [{"key": "PYTHONUNBUFFERED", "value": said}]}
    request = job_request(template(container=container), metadata(), PREFIX)
    assert request.environment["PYTHONUNBUFFERED"] == said


def test_the_task_says_how_it_is_run() -> None:
    said = {"timeout": "5400.5s", "retries": {"retries": 4}, "interruptible": True}
    custom = {"awsBatch": {"queue": "gpu", "priority": 7, "reclaims": 2, "secrets": {"TOKEN": {"secret": "token"}}}}
    request = job_request(template(metadata=said, custom=custom), metadata(), PREFIX)

    assert (request.timeout_seconds, request.retries, request.interruptible) == (5401, 4, True)
    # Numbers come back from a template as floats.
    assert request.spec == JobSpec.model_validate(custom["awsBatch"])
    assert request.spec.priority == 7


def test_what_nobody_said_is_left_out() -> None:
    request = job_request(template(), metadata(), PREFIX)

    assert (request.timeout_seconds, request.retries, request.job_role, request.array) == (None, 0, None, None)
    assert (request.spec, request.resources) == (JobSpec(), Resources(vcpus=1, memory_mib=2048))


@pytest.mark.parametrize(("retries", "interruptible"), [(0, True), (1, False), (2, False), (3, True)], ids=str)
def test_the_last_of_several_attempts_is_not_interrupted(retries: int, interruptible: bool) -> None:  # noqa: FBT001 - a parameter
    said = {"retries": {"retries": retries}, "interruptible": True}

    assert job_request(template(metadata=said), metadata(), PREFIX).interruptible is interruptible


def test_a_role_of_the_execution_is_the_jobs() -> None:
    role = "arn:aws:iam::111122223333:role/risk"

    assert job_request(template(), metadata(identity={"iamRole": role}), PREFIX).job_role == role


def test_the_local_executor_gives_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_AWS_BATCH_PROJECT", "risk")
    own = "s3://bucket/raw/0f3a"
    arguments = ["a0", "--outputs-path", own, "--run-name", "r9", "--name", "a1", "--dest", "/opt/flyte/"]
    request = job_request(template(container={"args": arguments}), None, "s3://bucket/raw")

    assert (request.project, request.domain, request.execution, request.node) == ("risk", "development", "r9", "0f3a")
    assert (request.output_prefix, request.attempt, request.local) == (own, 0, True)
    # The job may write where it is started; nobody knows whether below /opt.
    assert request.command == (*arguments[:-1], ".")


def test_two_local_tasks_of_a_run_are_two() -> None:
    first, second = (
        job_request(template(container={"args": ["a0", "--outputs-path", f"s3://b/raw/{own}"]}), None, "s3://b/raw")
        for own in ("one", "two")
    )

    assert first.key != second.key


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [
        ("2", "16Gi", Resources(vcpus=2, memory_mib=16384)),
        ("250m", "512Mi", Resources(vcpus=0.25, memory_mib=512)),
        # Never less than asked for: 1 GB is 953.67 MiB.
        ("1.5", "1G", Resources(vcpus=1.5, memory_mib=954)),
        ("4", "2147483648", Resources(vcpus=4, memory_mib=2048)),
    ],
)
def test_what_a_task_asks_for_is_told_in_the_units_of_batch(cpu: str, memory: str, expected: Resources) -> None:
    asked = {"requests": [{"name": "CPU", "value": cpu}, {"name": "MEMORY", "value": memory}]}

    assert resources_of(ParseDict(asked, tasks_pb2.Resources())) == expected


def test_of_two_figures_the_limit_counts() -> None:
    asked = {
        "requests": [{"name": "MEMORY", "value": "1Gi"}, {"name": "GPU", "value": "2"}],
        "limits": [{"name": "MEMORY", "value": "3Gi"}],
    }

    assert resources_of(ParseDict(asked, tasks_pb2.Resources())) == Resources(vcpus=1, memory_mib=3072, gpus=2)


def test_what_is_no_quantity_is_refused() -> None:
    asked = {"requests": [{"name": "MEMORY", "value": "16 GB"}]}

    with pytest.raises(RefusedError, match="resources: '16 GB' is no quantity: write such as 2, 500m, 512Mi or 14Gi"):
        resources_of(ParseDict(asked, tasks_pb2.Resources()))


def test_settings_of_another_version_are_refused() -> None:
    custom = {"awsBatch": {"queue": "gpu", "colour": "blue", "reclaims": 12}}

    with pytest.raises(RefusedError) as refused:
        job_request(template(custom=custom), metadata(), PREFIX)

    assert "colour: " in str(refused.value)
    assert "reclaims: " in str(refused.value)
    assert "12" in str(refused.value)


def test_what_a_newer_version_keeps_beside_is_left_out() -> None:
    kept = BatchJob.of(Handle(output_prefix="s3://data/0", name="a-n0", attempt=0), local=True)
    newer = json.loads(kept.encode()) | {"of_a_newer_version": 1}
    assert BatchJob.decode(json.dumps(newer).encode()) == kept
