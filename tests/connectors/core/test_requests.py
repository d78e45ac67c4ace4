import bisect
import json
from typing import Any

import pytest

from flytekit_aws_batch.core.plan import Wave
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.requests import size_problems, submit_request
from flytekit_aws_batch.core.spec import (
    EfsMount,
    ExitRule,
    JobSpec,
    Resources,
    SecretVariable,
)
from tests.connectors.core.job_requests import (
    REQUEST,
    SETTINGS,
    array,
    objections,
    queue_arn,
    request,
    requests_of,
)

SECRET = SecretVariable(secret="db", field="password")
EVERYTHING: dict[str, Any] = {
    "secrets": {"DB": SECRET},
    "mounts": (EfsMount(path="/shared", file_system="shared", read_only=True),),
    "on_exit": (ExitRule(action="retry", exit_code="75"), ExitRule(action="exit", reason="OutOfMemory*")),
    "tags": {"team": "risk"},
    "priority": 7,
}
KINDS_OF_JOB = {
    "spot": request(JobSpec(**EVERYTHING), interruptible=True),
    "on-demand": request(JobSpec(shared_memory_mib=1024), interruptible=False),
    "gpu": request(JobSpec(**EVERYTHING), resources=Resources(vcpus=8, memory_mib=60_000, gpus=2)),
    "arm": request(JobSpec(architecture="arm64", **EVERYTHING)),
    "fargate": request(JobSpec(queue="fargate", ephemeral_gib=100, platform_version="1.4.0", **EVERYTHING)),
    "fargate arm": request(JobSpec(queue="fargate", architecture="arm64")),
    "array": request(JobSpec(**EVERYTHING), array=array(1000)),
    "array on fargate": request(JobSpec(queue="fargate"), array=array(3)),
    "array of one": request(array=array(1)),
    "multi-node": request(JobSpec(nodes=4, **EVERYTHING)),
    "multi-node gpu": request(
        JobSpec(nodes=2), domain="training", resources=Resources(vcpus=8, memory_mib=60_000, gpus=8)
    ),
    "queue by name": request(JobSpec(queue="on-demand-of-others"), domain="elsewhere"),
}


def requests_of_kind(kind: str) -> list[tuple[str, dict[str, Any]]]:
    asked = KINDS_OF_JOB[kind]
    settings = SETTINGS if asked.domain != "elsewhere" else SETTINGS.model_copy(update={"queues": {}})
    return requests_of(asked, settings)


def submitted(asked_kind: str, wave: int = 0) -> dict[str, Any]:
    return requests_of_kind(asked_kind)[1 + wave][1]


def overrides(submission: dict[str, Any]) -> dict[str, Any]:
    if "nodeOverrides" in submission:
        (only,) = submission["nodeOverrides"]["nodePropertyOverrides"]
        assert only["targetNodes"] == "0:"
        found: dict[str, Any] = only["containerOverrides"]
        return found
    container: dict[str, Any] = submission["containerOverrides"]
    return container


def environment(submission: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in overrides(submission)["environment"]}


@pytest.mark.parametrize("kind", KINDS_OF_JOB)
def test_every_kind_of_job_is_one_that_aws_takes(kind: str) -> None:
    made = requests_of_kind(kind)
    assert len(made) >= 3
    assert [objections(operation, parameters) for operation, parameters in made] == [[]] * len(made)


@pytest.mark.parametrize("operation", ["RegisterJobDefinition", "SubmitJob"])
def test_a_misspelled_field_or_value_would_be_seen(operation: str) -> None:
    made = dict(requests_of_kind("fargate"))[operation]
    text = json.dumps(made)
    assert objections(operation, made) == []
    for right, wrong in {
        "RegisterJobDefinition": [("executionRoleArn", "executionRole"), ('"ENABLED"', '"Enabled"')],
        "SubmitJob": [("schedulingPriorityOverride", "schedulingPriority"), ('"tags"', '"tag"')],
    }[operation]:
        assert right in text
        assert objections(operation, json.loads(text.replace(right, wrong))) != []


def test_a_submission_says_which_run_and_which_wave_it_is() -> None:
    planned, _ = plan(REQUEST, SETTINGS)
    made = submit_request(planned, Wave(number=3))
    assert made["jobName"] == f"{planned.name}-0-3"
    assert environment(made) == {
        "FLYTE_AWS_BATCH_PREFIX": "s3://metadata/f3a9c1/n0/data/0",
        "FLYTE_AWS_BATCH_WAVE": "3",
        "FLYTE_FAIL_ON_ERROR": "true",
        "LEVEL": "20",
    }
    assert overrides(made)["command"] == ["pyflyte-execute", "--inputs", "s3://data/inputs.pb"]
    assert made["tags"]["flyte:execution"] == "f3a9c1"
    assert made["propagateTags"] is True
    assert "arrayProperties" not in made


def test_the_same_wave_gives_the_same_request() -> None:
    planned, _ = plan(KINDS_OF_JOB["array"], SETTINGS)
    wave = Wave(number=0, indices=(1, 2, 3))
    assert submit_request(planned, wave) == submit_request(planned.model_validate_json(planned.model_dump_json()), wave)


def test_a_list_is_an_array_as_long_as_its_wave() -> None:
    planned, _ = plan(KINDS_OF_JOB["array"], SETTINGS)
    assert submit_request(planned, Wave(number=0, indices=tuple(range(1000))))["arrayProperties"] == {"size": 1000}
    assert submit_request(planned, Wave(number=1, indices=(4, 17)))["arrayProperties"] == {"size": 2}
    assert "FLYTE_AWS_BATCH_INDEX" not in environment(submit_request(planned, Wave(number=1, indices=(4, 17))))


def test_one_element_alone_is_an_ordinary_job_that_knows_its_place() -> None:
    planned, _ = plan(KINDS_OF_JOB["array"], SETTINGS)
    made = submit_request(planned, Wave(number=1, indices=(17,)))
    assert "arrayProperties" not in made
    assert environment(made)["FLYTE_AWS_BATCH_INDEX"] == "0"
    assert "FLYTE_AWS_BATCH_INDEX" not in environment(submitted("spot"))


def test_the_last_wave_goes_to_the_last_queue_with_the_share_there() -> None:
    planned, _ = plan(KINDS_OF_JOB["spot"], SETTINGS)
    first, last = (submit_request(planned, Wave(number=0, last=last)) for last in (False, True))
    assert (first["jobQueue"], last["jobQueue"]) == (queue_arn("spot"), queue_arn("on-demand"))
    planned = planned.model_copy(update={"last_share": None})
    assert "shareIdentifier" not in submit_request(planned, Wave(number=0, last=True))
    assert submit_request(planned, Wave(number=0))["shareIdentifier"] == "fraud"


def test_without_a_last_queue_the_last_wave_goes_where_the_others_went() -> None:
    planned, _ = plan(KINDS_OF_JOB["gpu"], SETTINGS)
    made = submit_request(planned, Wave(number=5, last=True))
    assert made["jobQueue"] == queue_arn("gpu")
    assert made["shareIdentifier"] == "fraud"


def test_share_and_priority_are_said_in_fair_share_queues_only() -> None:
    assert submitted("spot")["shareIdentifier"] == "fraud"
    assert submitted("spot")["schedulingPriorityOverride"] == 7
    # A queue with fair share takes no job without a priority.
    assert submitted("on-demand")["schedulingPriorityOverride"] == 0
    assert not {"shareIdentifier", "schedulingPriorityOverride"} & submitted("queue by name").keys()


def test_a_multi_node_job_overrides_all_of_its_nodes() -> None:
    made = submitted("multi-node")
    assert "containerOverrides" not in made
    assert environment(made)["FLYTE_AWS_BATCH_WAVE"] == "0"


def test_retries_and_timeout_are_of_the_submission_so_that_they_make_no_new_definition() -> None:
    made = submitted("spot")
    assert made["timeout"] == {"attemptDurationSeconds": 3600}
    assert made["retryStrategy"]["attempts"] == 5
    assert [rule["action"] for rule in made["retryStrategy"]["evaluateOnExit"]] == ["RETRY", "EXIT", "RETRY", "EXIT"]
    assert "timeout" not in requests_of(request(timeout_seconds=None))[1][1]


def test_without_a_command_the_image_says_what_runs() -> None:
    assert "command" not in overrides(requests_of(request(command=()))[1][1])


@pytest.mark.parametrize("what", [{"command": ("x" * 8200,)}, {"environment": {"LONG": "x" * 8200}}])
@pytest.mark.parametrize("spec", [JobSpec(), JobSpec(nodes=2)])
def test_what_ecs_would_refuse_as_too_long_is_refused_with_the_remedy(what: dict[str, Any], spec: JobSpec) -> None:
    with pytest.raises(
        RefusedError, match=r"command and environment have up to [89]\d{3} characters .* takes 8,192.*S3"
    ):
        plan(request(spec, **what), SETTINGS)


# What a task of ECS had that Batch had started, at the longest that it may be: names have up to 128 characters.
OF_ANY_JOB = {"JOB_ID": "0268d907-34a3-43e3-9905-f3d3a20f3842", "JOB_ATTEMPT": "10", "CE_NAME": "c" * 128}


@pytest.mark.parametrize(
    ("what", "own"),
    [
        ({}, {}),
        ({"array": array(10_000)}, {"JOB_ID": f"{OF_ANY_JOB['JOB_ID']}:9999", "JOB_ARRAY_INDEX": "9999"}),
        ({"spec": JobSpec(nodes=1000)}, {"JOB_ID": f"{OF_ANY_JOB['JOB_ID']}#999", "JOB_NODE_INDEX": "999"}),
    ],
    ids=["job", "array", "node"],
)
def test_the_longest_command_that_is_taken_fits_with_what_batch_adds(what: dict[str, Any], own: dict[str, str]) -> None:
    def refused(length: int) -> int:
        try:
            plan(request(command=("x" * length,), **what), SETTINGS)
        except RefusedError:
            return 1
        return 0

    longest = bisect.bisect_left(range(8192), 1, key=refused) - 1
    assert 6_000 < longest < 8_192
    planned, _ = plan(request(command=("x" * longest,), **what), SETTINGS)
    made = overrides(submit_request(planned, Wave(number=0, indices=tuple(range(10_000)) if planned.array else ())))
    queue = (planned.last_queue or planned.queue).rpartition("/")[2]
    added = {f"AWS_BATCH_{name}": value for name, value in {**OF_ANY_JOB, "JQ_NAME": queue, **own}.items()}
    made["environment"] += [{"name": name, "value": value} for name, value in added.items()]
    as_ecs_gets_it = json.dumps({"containerOverrides": [{"name": "default", **made}]}, separators=(",", ":"))
    assert len(as_ecs_gets_it) <= 8192


def test_of_the_longer_queue_s_name_the_command_loses_what_it_has() -> None:
    planned, _ = plan(request(), SETTINGS)

    def longest(queue: str, last: str | None) -> int:
        """The longest command that fits."""
        queues = {"queue": queue_arn(queue), "last_queue": last and queue_arn(last)}

        def refused(length: int) -> int:
            return len(list(size_problems(planned.model_copy(update={**queues, "command": ("x" * length,)}))))

        return bisect.bisect_left(range(8192), 1, key=refused) - 1

    assert longest("spot", None) - longest("q" * 128, None) == 124
    assert longest("spot", None) - longest("spot", "on-demand") == 5
