import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_constructs.job_monitoring.metrics_handler.counting import count, read
from aerodrome_constructs.job_monitoring.metrics_handler.datums import Datums
from aerodrome_constructs.job_monitoring.metrics_handler.handler import count_messages
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings
from tests.constructs.job_monitoring.samples import (
    CREATED,
    GPU,
    JOB,
    QUEUES,
    SETTINGS,
    SPOT,
    Json,
    attempt,
    blocked,
    ended,
    state_change,
)

ALL: Mapping[str, str] = {}
BY_SPOT = {names.QUEUE: SPOT}
RECLAIM = "Host EC2 (instance i-0123456789abcdef0) terminated."


class Recorder:
    """CloudWatch, as far as it adds up; what the real one refuses is refused."""

    def __init__(self) -> None:
        self.calls: list[Sequence[Json]] = []
        self._model = boto3.client(
            "cloudwatch", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
        )

    def put_metric_data(self, **request: Any) -> None:  # noqa: ANN401 - whatever the handler sends
        assert request["Namespace"] == "Aerodrome/Batch"
        with Stubber(self._model) as stubber:
            stubber.add_response("put_metric_data", {}, {"Namespace": ANY, "MetricData": ANY})
            self._model.put_metric_data(**request)
        self.calls.append(request["MetricData"])

    def total(self, name: str, dimensions: Mapping[str, str], environment: str = "dev") -> float | None:
        """The sum of a metric, as CloudWatch works it out; None where it has no data."""
        wanted = {"Environment": environment, **dimensions}
        found = [
            sum(value * times for value, times in zip(datum["Values"], datum["Counts"], strict=True))
            if "Values" in datum
            else datum["Value"]
            for call in self.calls
            for datum in call
            if datum["MetricName"] == name and {one["Name"]: one["Value"] for one in datum["Dimensions"]} == wanted
        ]
        return sum(found) if found else None


def counted(*events: Json) -> Recorder:
    recorder = Recorder()
    count([said for event in events if (said := read(event, SETTINGS))], SETTINGS).put(recorder)
    return recorder


def jobs(recorder: Recorder, state: str, dimensions: Mapping[str, str] = ALL) -> float | None:
    return recorder.total(names.JOBS, {**dimensions, names.STATE: state})


def test_states_are_counted_by_environment_queue_and_project() -> None:
    tagged = {"shareIdentifier": "frauddetection"}
    found = counted(
        state_change("RUNNABLE", **tagged),
        state_change("RUNNABLE", jobId="another"),
        state_change("RUNNABLE", jobId="third", jobQueue=QUEUES + GPU),
    )
    assert jobs(found, "RUNNABLE") == 3
    assert jobs(found, "RUNNABLE", BY_SPOT) == 2
    assert jobs(found, "RUNNABLE", {names.PROJECT: "fraud-detection"}) == 1
    assert jobs(found, "RUNNABLE", {names.PROJECT: "other"}) == 2
    assert jobs(found, "RUNNING") is None


def test_a_double_in_a_batch_counts_once_and_a_retry_counts_again() -> None:
    again = state_change("RUNNABLE", attempts=[attempt(10, reason=RECLAIM)])
    found = counted(state_change("RUNNABLE"), again, state_change("RUNNABLE"), again)
    assert jobs(found, "RUNNABLE") == 2
    assert found.total(names.ATTEMPTS, ALL) == 1


def test_order_does_not_matter() -> None:
    events = [
        state_change("RUNNABLE"),
        state_change("RUNNING", startedAt=CREATED + 20_000),
        ended("SUCCEEDED", attempt(100, after=20)),
    ]
    there, back = counted(*events), counted(*reversed(events))
    assert jobs(there, "SUCCEEDED") == 1
    for name in names.UNITS:
        assert there.total(name, ALL) == back.total(name, ALL)


def test_the_end_that_did_not_happen_counts_as_0_so_that_there_is_a_rate() -> None:
    assert jobs(counted(ended("FAILED", attempt())), "SUCCEEDED") == 0
    assert jobs(counted(ended("SUCCEEDED", attempt())), "FAILED", BY_SPOT) == 0
    assert counted(ended("SUCCEEDED", attempt())).total(names.SPOT_RECLAIMS, ALL) == 0


def test_what_an_attempt_took_and_cost() -> None:
    found = counted(
        ended("FAILED", attempt(1800)), ended("SUCCEEDED", attempt(3600), jobId="another", jobQueue=QUEUES + GPU)
    )
    assert found.total(names.RUN_SECONDS, ALL) == 5400
    assert found.total(names.VCPU_SECONDS, BY_SPOT) == 3600
    # 2 vCPUs for half an hour at 2 cents, and for an hour at 10 cents.
    assert found.total(names.ESTIMATED_USD, BY_SPOT) == pytest.approx(0.02)
    assert found.total(names.ESTIMATED_USD, ALL) == pytest.approx(0.22)


def test_reclaims_are_counted_with_what_the_attempt_took() -> None:
    waits = state_change("RUNNABLE", attempts=[attempt(10, reason=RECLAIM)])
    found = counted(waits, ended("SUCCEEDED", attempt(10, reason=RECLAIM), attempt(20, after=60)))
    assert found.total(names.SPOT_RECLAIMS, ALL) == 1
    assert found.total(names.ATTEMPTS, ALL) == 2
    assert found.total(names.RUN_SECONDS, ALL) == 30


def test_a_blocked_queue_is_counted_by_its_reason() -> None:
    code = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
    event = blocked(f"{code} - The job resource requirement (vCPU/memory/GPU) is higher than that can be met.")
    found = counted(event, event)
    assert found.total(names.QUEUE_BLOCKED, ALL) == 1
    assert found.total(names.QUEUE_BLOCKED, {**BY_SPOT, names.REASON: code}) == 1
    assert jobs(found, "RUNNABLE") is None
    assert counted(blocked("none", queue="somebody-elses")).calls == []
    assert counted(blocked("something new")).total(names.QUEUE_BLOCKED, {**BY_SPOT, names.REASON: "UNKNOWN"}) == 1


def test_data_points_have_the_time_of_the_event_and_their_unit() -> None:
    (datums,) = counted(state_change("RUNNING", startedAt=CREATED + 1000)).calls
    assert {datum["Timestamp"].isoformat() for datum in datums} == {"2022-01-11T23:36:00+00:00"}
    assert {datum["MetricName"]: datum["Unit"] for datum in datums} == {"Jobs": "Count", "WaitSeconds": "Seconds"}


def test_a_batch_of_thousands_is_a_few_calls_within_what_cloudwatch_takes() -> None:
    events = [state_change("RUNNING", jobId=f"{JOB}-{n}", startedAt=CREATED + n * 1000) for n in range(2000)]
    found = counted(*events)
    assert jobs(found, "RUNNING") == 2000
    assert found.total(names.WAIT_SECONDS, ALL) == sum(range(2000))
    assert len(found.calls) == 1
    assert max(len(datum.get("Values", [])) for datum in found.calls[0]) == 150
    datums = Datums("dev")
    for n in range(600):
        datums.add(names.JOBS, 1, datetime(2022, 1, 11, tzinfo=UTC), {names.QUEUE: str(n)})
    recorder = Recorder()
    datums.put(recorder)
    assert [len(call) for call in recorder.calls] == [250, 250, 100]


def test_a_message_that_is_no_event_is_given_back_and_takes_no_other_with_it() -> None:
    recorder = Recorder()
    bodies = {
        "good": json.dumps(state_change("RUNNABLE")),
        "text": "hello",
        "list": "[]",
        "other": '{"detail-type": "x"}',
    }
    records = [{"messageId": name, "body": body} for name, body in bodies.items()]
    answer = count_messages(records, SETTINGS, recorder)
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["text", "list", "other"]
    assert jobs(recorder, "RUNNABLE") == 1


def test_settings_survive_the_way_through_environment_variables() -> None:
    assert Settings.of(SETTINGS.variables()) == Settings(
        environment=SETTINGS.environment,
        queues=SETTINGS.queues,
        projects=SETTINGS.projects,
        role_prefix=SETTINGS.role_prefix,
        reclaims=list(SETTINGS.reclaims),
    )
