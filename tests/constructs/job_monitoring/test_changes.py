from datetime import UTC, datetime
from typing import Any

import pytest

from aerodrome_constructs.job_monitoring.metrics_handler.changes import Change, change_of
from tests.constructs.job_monitoring.samples import (
    CREATED,
    JOB,
    QUEUES,
    SETTINGS,
    SPOT,
    Json,
    attempt,
    ended,
    state_change,
)


def change(event: Json) -> Change:
    found = change_of(event, SETTINGS)
    assert found
    return found


def test_a_change_has_its_job_state_queue_and_minute() -> None:
    found = change(state_change("RUNNABLE"))
    assert (found.key, found.queue, found.state) == ((JOB, "RUNNABLE", 0), SPOT, "RUNNABLE")
    assert found.time == datetime(2022, 1, 11, 23, 36, tzinfo=UTC)
    assert found.waited is None
    assert found.ended is None


@pytest.mark.parametrize(
    "event",
    [
        state_change("RUNNABLE", jobQueue=f"{QUEUES}somebody-elses"),
        state_change("PENDING"),
        state_change("SUCCEEDED", arrayProperties={"size": 100, "statusSummary": {"SUCCEEDED": 100}}),
    ],
    ids=["another queue", "another state", "a whole array"],
)
def test_what_is_not_counted(event: Json) -> None:
    assert change_of(event, SETTINGS) is None


def test_a_child_of_an_array_counts() -> None:
    assert change(state_change("RUNNABLE", arrayProperties={"index": 0, "statusSummary": {}})).state == "RUNNABLE"


class TestWaiting:
    def test_the_first_attempt_waits_from_when_the_job_was_made(self) -> None:
        assert change(state_change("RUNNING", startedAt=CREATED + 90_500)).waited == 90.5

    def test_the_next_waits_from_the_end_of_the_one_before(self) -> None:
        first = attempt(60, after=30)
        event = state_change("RUNNING", attempts=[first], startedAt=first["stoppedAt"] + 5_000)
        assert change(event).waited == 5

    def test_of_a_job_with_dependencies_nobody_knows(self) -> None:
        event = state_change("RUNNING", startedAt=CREATED + 90_500, dependsOn=[{"jobId": "another"}])
        assert change(event).waited is None


class TestAttempts:
    @pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
    def test_the_end_of_a_job_is_the_end_of_an_attempt(self, status: str) -> None:
        found = change(ended(status, attempt(60)))
        assert found.ended
        assert (found.ended.seconds, found.ended.reclaimed) == (60, False)

    @pytest.mark.parametrize(
        "reason", ["Host EC2 (instance i-0123456789abcdef0) terminated.", "Your Spot Task was interrupted."]
    )
    def test_one_whose_host_was_taken_back_is_told_of_as_the_job_waits_again(self, reason: str) -> None:
        found = change(state_change("RUNNABLE", attempts=[attempt(10, reason=reason)]))
        assert found.ended
        assert found.ended.reclaimed
        assert found.key == (JOB, "RUNNABLE", 1)

    def test_one_that_never_started_has_no_time(self) -> None:
        never = {key: value for key, value in attempt().items() if key != "startedAt"}
        found = change(ended("FAILED", never))
        assert found.ended
        assert found.ended.seconds is None

    def test_one_is_not_told_of_twice_when_the_job_is_cancelled_while_it_waits_again(self) -> None:
        first = attempt(10)
        event = state_change("FAILED", attempts=[first], stoppedAt=first["stoppedAt"] + 60_000)
        assert change(event).ended is None

    def test_a_job_that_failed_without_one_has_none(self) -> None:
        assert change(state_change("FAILED", stoppedAt=CREATED)).ended is None


class TestResources:
    @pytest.mark.parametrize(("mib", "paid"), [("256", 2), ("8192", 2), ("32768", 8)])
    def test_memory_beyond_4_gib_a_vcpu_is_paid_as_vcpus(self, mib: str, paid: float) -> None:
        asked = [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": mib}]
        found = change(state_change("RUNNABLE", container={"resourceRequirements": asked}))
        assert (found.vcpus, found.paid_vcpus) == (2, paid)

    def test_the_old_way_to_ask_and_several_containers_count_too(self) -> None:
        assert change(state_change("RUNNABLE", container={"vcpus": 3, "memory": 512})).vcpus == 3
        one = {"resourceRequirements": [{"type": "VCPU", "value": "0.5"}]}
        several: Any = {"container": None, "ecsProperties": {"taskProperties": [{"containers": [one, one]}]}}
        assert change(state_change("RUNNABLE", **several)).vcpus == 1


class TestProjects:
    ROLE = "arn:aws:iam::123456789012:role/aerodrome-dev-fraud-detection-development"

    @pytest.mark.parametrize(
        ("detail", "project"),
        [
            ({"tags": {"aerodrome:project": "fraud"}, "shareIdentifier": "frauddetection"}, "fraud"),
            ({"shareIdentifier": "frauddetection"}, "fraud-detection"),
            ({"container": {"jobRoleArn": ROLE}}, "fraud-detection"),
            ({"tags": {"aerodrome:project": "made-up"}, "container": {"jobRoleArn": ROLE}}, "fraud-detection"),
            ({"tags": {"aerodrome:project": "made-up"}}, "other"),
            ({"container": {"jobRoleArn": "arn:aws:iam::123456789012:role/another"}}, "other"),
            ({}, "other"),
        ],
    )
    def test_a_job_is_of_its_tags_project_else_of_its_shares_else_of_its_roles(
        self, detail: Json, project: str
    ) -> None:
        assert change(state_change("RUNNABLE", **detail)).project == project


@pytest.mark.parametrize("missing", ["jobId", "jobQueue", "status"])
def test_what_is_no_event_of_a_job_is_refused(missing: str) -> None:
    event = state_change("RUNNABLE")
    del event["detail"][missing]
    with pytest.raises(KeyError):
        change_of(event, SETTINGS)
