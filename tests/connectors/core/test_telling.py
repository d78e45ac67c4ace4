"""In which phase a waiting job is told: of each, Flyte shows one message."""

from typing import Any

import pytest

from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.poller import Answer
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.reasons import Reasons
from flytekit_aws_batch.core.runs import Run
from flytekit_aws_batch.core.telling import Telling
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.fake_aws import detail

NO_CAPACITY = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
TOO_LARGE = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
SUBMITTED_AT = 1000


def told(after_seconds: float, *, size: int = 0, **job: Any) -> Progress:  # noqa: ANN401 - any member of a JobDetail
    """What is said of a job some time after its submission."""
    world = KeptWorld()
    world.answers["get_job_queue_snapshot"] = lambda **_: {}
    world.clock.time = SUBMITTED_AT + after_seconds
    run = Run(prefix="s3://data/0", name="a", attempt=0, began=0, wanted_at=0, job="one", size=size, elements=size)
    job = {"createdAt": SUBMITTED_AT * 1000, **job}
    if size:
        job["arrayProperties"] = {"size": size, "statusSummary": {"RUNNABLE": size}}
    telling = Telling(Reasons(world.aws, world.settings))
    return world.run(telling.live(run, Answer(job=JobState.of(detail(**job)))))


@pytest.mark.parametrize("size", [0, 100])
def test_what_a_job_waits_for_is_told_once_it_is_known_and_has_a_phase_of_its_own_later(size: int) -> None:
    status = "PENDING" if size else "RUNNABLE"
    seen = [
        told(2, size=size, status=status),
        told(59, size=size, status=status),
        told(61, size=size, status=status),
        told(600, size=size, status=status, statusReason=NO_CAPACITY),
    ]
    assert [each.phase for each in seen] == [Phase.QUEUED, Phase.QUEUED, Phase.WAITING, Phase.BLOCKED]
    assert "RUNNABLE for 61 s: waits for capacity in spot" in seen[2].message
    assert "RUNNABLE for 10 min: EC2 has no instance left" in seen[3].message


def test_what_batch_says_at_once_is_told_at_once() -> None:
    seen = told(5, statusReason=TOO_LARGE)
    assert seen.phase is Phase.BLOCKED
    assert "no instance type of its queue has the vCPUs" in seen.message


def test_a_job_that_is_started_anew_waits_from_then_on() -> None:
    attempts = [{"container": {}, "statusReason": "Host EC2 (instance i-1) terminated.", "stoppedAt": 4_000_000}]
    assert told(3030, attempts=attempts).phase is Phase.QUEUED
    seen = told(3070, attempts=attempts)
    assert seen.phase is Phase.WAITING
    assert "its spot instance was taken back" in seen.message


def test_a_host_s_phase_is_not_that_of_the_reason_before() -> None:
    assert told(700, status="STARTING", statusReason=NO_CAPACITY).phase is Phase.STARTING
    assert told(700, status="RUNNING", startedAt=1_600_000).phase is Phase.RUNNING
