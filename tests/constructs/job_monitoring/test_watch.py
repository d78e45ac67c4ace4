from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_constructs.job_monitoring.metrics_handler.watch import look
from tests.constructs.job_monitoring.samples import GPU, ON_DEMAND, QUEUES, SETTINGS, SPOT
from tests.constructs.job_monitoring.test_counting import ALL, Recorder

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ENVIRONMENTS = "arn:aws:batch:us-east-1:123456789012:compute-environment/"
SINCE = {SPOT: [3600, 60], GPU: []}

Json = dict[str, Any]


def job_queue(name: str, *environments: str) -> Json:
    order = [{"order": n, "computeEnvironment": ENVIRONMENTS + one} for n, one in enumerate(environments, start=1)]
    return {
        "jobQueueName": name,
        "jobQueueArn": QUEUES + name,
        "state": "ENABLED",
        "priority": 100,
        "computeEnvironmentOrder": order,
    }


def compute_environment(name: str, kind: str, status: str, vcpus: int | None) -> Json:
    return {
        "computeEnvironmentName": name,
        "computeEnvironmentArn": ENVIRONMENTS + name,
        "status": status,
        "statusReason": "CLIENT_ERROR - Access denied" if status == "INVALID" else "ComputeEnvironment Healthy",
        "computeResources": {
            "type": kind,
            "maxvCpus": 64,
            "subnets": ["subnet-1"],
            **({} if vcpus is None else {"desiredvCpus": vcpus}),
        },
    }


@pytest.fixture
def seen() -> Recorder:
    """What comes of a look, with the answers that AWS Batch's model allows."""
    client = boto3.client("batch", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
    with Stubber(client) as stubber:
        for queue in (SPOT, ON_DEMAND, GPU):
            jobs = [
                {"jobArn": f"arn:{n}", "earliestTimeAtPosition": int((NOW.timestamp() - seconds) * 1000)}
                for n, seconds in enumerate(SINCE.get(queue, [5]))
            ]
            answer = {"frontOfQueue": {"jobs": jobs, "lastUpdatedAt": 0}} if queue != ON_DEMAND else {}
            stubber.add_response("get_job_queue_snapshot", answer, {"jobQueue": queue})
        stubber.add_response(
            "describe_job_queues",
            {"jobQueues": [job_queue(SPOT, "a", "b"), job_queue(ON_DEMAND, "b"), job_queue(GPU, "c")]},
            {"jobQueues": [SPOT, ON_DEMAND, GPU]},
        )
        stubber.add_response(
            "describe_compute_environments",
            {
                "computeEnvironments": [
                    compute_environment("a", "SPOT", "VALID", 16),
                    compute_environment("b", "EC2", "INVALID", 0),
                    compute_environment("c", "SPOT", "INVALID", None),
                ]
            },
            {"computeEnvironments": [ENVIRONMENTS + one for one in "abc"]},
        )
        recorder = Recorder()
        look(SETTINGS, client, NOW).put(recorder)
        stubber.assert_no_pending_responses()
    return recorder


def test_the_age_is_that_of_the_job_that_has_stood_longest_in_one_place(seen: Recorder) -> None:
    assert seen.total(names.RUNNABLE_AGE, {names.QUEUE: SPOT}) == 3600
    assert seen.total(names.RUNNABLE_AGE, ALL) == 3600
    assert seen.total(names.WAITING_JOBS, {names.QUEUE: SPOT}) == 2


@pytest.mark.parametrize("queue", [ON_DEMAND, GPU])
def test_an_empty_queue_has_an_age_of_0_which_ends_an_alarm(seen: Recorder, queue: str) -> None:
    assert seen.total(names.RUNNABLE_AGE, {names.QUEUE: queue}) == 0
    assert seen.total(names.WAITING_JOBS, {names.QUEUE: queue}) == 0


def test_what_is_invalid_is_counted_by_compute_environment_and_together(seen: Recorder) -> None:
    by_name = {
        name: seen.total(names.INVALID_COMPUTE_ENVIRONMENTS, {names.COMPUTE_ENVIRONMENT: name})
        for name in ("Spot", "OnDemand", "GpuSpot")
    }
    assert by_name == {"Spot": 0, "OnDemand": 1, "GpuSpot": 1}
    assert seen.total(names.INVALID_COMPUTE_ENVIRONMENTS, ALL) == 2


def test_vcpus_are_told_where_batch_tells_them(seen: Recorder) -> None:
    assert seen.total(names.DESIRED_VCPUS, {names.COMPUTE_ENVIRONMENT: "Spot"}) == 16
    assert seen.total(names.DESIRED_VCPUS, {names.COMPUTE_ENVIRONMENT: "GpuSpot"}) is None


def test_a_look_is_one_call_to_cloudwatch(seen: Recorder) -> None:
    assert len(seen.calls) == 1
