"""In which phase a waiting job is told, as Flyte shows one message of each; and in which figures a list."""

import dataclasses
from typing import Any

import pytest

from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.plan import Wave
from flytekit_aws_batch.core.poller import Answer
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.reasons import Reasons
from flytekit_aws_batch.core.runs import Run
from flytekit_aws_batch.core.telling import Telling
from flytekit_aws_batch.core.waves import Result
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


PREFIX = "s3://data/0"
# The second submission of a list of 1,000: of the first one's 500, 480 are done and 15 have failed for good.
SECOND = Run(
    prefix=PREFIX,
    name="a",
    attempt=0,
    began=0,
    wanted_at=0,
    job="two",
    earlier=("one",),
    wave=1,
    because="the next 500",
    size=1000,
    elements=100,
    done=480,
    failed=15,
    notes=("raised",),
)


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld()


@pytest.fixture
def telling(world: KeptWorld) -> Telling:
    return Telling(Reasons(world.aws, world.settings))


def list_of(**summary: int) -> JobState:
    return JobState.of(detail("two", "PENDING", arrayProperties={"size": 100, "statusSummary": summary}))


def test_a_list_is_told_with_what_its_earlier_submissions_came_to(world: KeptWorld, telling: Telling) -> None:
    job = list_of(SUCCEEDED=3, FAILED=2, STARTING=5, RUNNING=10, RUNNABLE=80)
    told = world.run(telling.live(SECOND, Answer(job=job)))
    assert told.message.splitlines() == [
        "483 of 1,000 done, 17 failed, 15 run, 485 wait",
        "submission 2: the next 500",
        "raised",
    ]
    assert told.details["counts"] == {
        "SUCCEEDED": 483,
        "FAILED": 17,
        "STARTING": 5,
        "RUNNING": 10,
        "RUNNABLE": 80,
        "NOT_SUBMITTED": 405,
    }
    assert (told.details["submissions"], told.jobs) == (2, ("one", "two"))


def test_a_later_submission_runs_whatever_its_own_elements_do(world: KeptWorld, telling: Telling) -> None:
    told = world.run(telling.live(SECOND, Answer(job=list_of(RUNNABLE=100))))
    assert told.phase is Phase.RUNNING
    assert told.message.splitlines()[1].startswith("RUNNABLE for"), "and says what they wait for"
    queued = telling.queued(SECOND, "it is about to be submitted")
    assert queued.phase is Phase.RUNNING
    assert queued.message.splitlines() == [
        "480 of 1,000 done, 15 failed, 505 wait",
        "submission 2 (the next 500): it is about to be submitted",
        "raised",
    ]
    assert queued.details["counts"] == {"SUCCEEDED": 480, "FAILED": 15, "NOT_SUBMITTED": 505}
    # Of the second one it is known that it was submitted.
    assert queued.details["submissions"] == 2
    assert telling.queued(dataclasses.replace(SECOND, job=""), "it is about to be").details["submissions"] == 1


def test_a_list_that_ended_says_which_elements_failed(world: KeptWorld, telling: Telling) -> None:
    failed = tuple(range(0, 60, 2))
    job = JobState.of(detail("two", "FAILED", arrayProperties={"size": 100, "statusSummary": {"FAILED": 1}}))
    shown = "elements 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38 and 10 more"
    enough = Result(succeeded=True, final=True, size=1000, done=970, failed=failed, needed=900)
    told = world.run(telling.ended(SECOND, Wave(number=1), job, enough))
    assert (told.phase, told.failed_indices, told.output_prefix) == (Phase.SUCCEEDED, failed, PREFIX)
    assert told.message == f"970 of 1,000 done, 30 failed, where 900 are enough: {shown}"
    few = Result(
        succeeded=False, final=True, size=1000, done=950, failed=failed, not_tried=20, needed=990, reasons={4: "exit 1"}
    )
    told = world.run(telling.ended(SECOND, Wave(number=1), job, few))
    assert (told.phase, told.failed_indices) == (Phase.FAILED, failed)
    assert told.message.splitlines() == [
        "30 of 1,000 failed, 950 done, 20 not tried as it would change nothing, where 990 have to succeed: " + shown,
        "element 4: exit 1",
        "raised",
    ]
    assert told.details["counts"] == {"SUCCEEDED": 950, "FAILED": 30, "NOT_SUBMITTED": 20}
    one = Result(succeeded=True, final=True, size=1000, done=999, failed=(7,), needed=900)
    assert world.run(telling.ended(SECOND, Wave(number=1), job, one)).message.endswith("enough: element 7")


def test_what_batch_does_not_say_is_said_to_be_so(telling: Telling, world: KeptWorld) -> None:
    run = Run(prefix=PREFIX, name="a", attempt=0, began=0, wanted_at=0, job="one")
    told = world.run(telling.live(run, Answer(job=None)))
    assert (told.phase, told.message) == (Phase.QUEUED, "submitted as one; AWS Batch does not show it yet")
    error = "DescribeJobs: InternalError: no"
    told = world.run(telling.live(run, Answer(job=None, error=error)))
    assert told.message == f"submitted as one; its state is unknown: {error}"
    told = world.run(telling.live(run, Answer(job=JobState.of(detail()), age_seconds=240, error=error)))
    assert told.message.splitlines()[-1] == f"4 min ago; its state now is unknown: {error}"
