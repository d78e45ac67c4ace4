"""What is not taken for an end, as a job may be there all the same; and what ends nevertheless."""

from typing import Any

import pytest

from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.core.plan import Handle, Wave
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.stopping import Stopping
from flytekit_aws_batch.core.storage import Storage
from flytekit_aws_batch.core.submitter import Submission
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.job_requests import SETTINGS, planned, request

REQUEST = request(job_role=None)


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld(queues=SETTINGS.queues, lease_seconds=60, patience_seconds=5)


@pytest.fixture
def runner(world: KeptWorld) -> BatchRunner:
    return BatchRunner(world.settings, aws=world.aws)


def poll(world: KeptWorld, runner: BatchRunner, handle: Handle, after: float = 30) -> Progress:
    world.clock.time += after
    return world.run(runner.poll(handle))


def test_a_job_that_may_have_been_submitted_has_not_failed_as_nobody_may_look_for_it(
    world: KeptWorld, runner: BatchRunner
) -> None:
    world.fates["submit_job"] = ["lost"]
    world.fates["list_jobs"] = ["AccessDenied"] * 50
    handle = world.run(runner.start(REQUEST))
    assert handle.refused is None
    told = poll(world, runner, handle)
    assert (told.phase, told.message[:27]) == (Phase.QUEUED, "the connector cannot go on,")
    world.fates.clear()
    assert poll(world, runner, handle).details["state"] == "RUNNABLE"
    assert len(world.account.jobs) == 1


def test_what_batch_does_not_take_and_nobody_submitted_has_failed(world: KeptWorld, runner: BatchRunner) -> None:
    world.fates["submit_job"] = ["ClientException"]
    handle = world.run(runner.start(REQUEST))
    told = poll(world, runner, handle)
    assert told.phase is Phase.FAILED
    assert told.message.startswith("AWS does not take it: ")


def test_a_job_that_batch_does_not_show_is_waited_for_ten_minutes(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(REQUEST))
    world.account.jobs.clear()
    assert poll(world, runner, handle).phase is Phase.QUEUED
    for _ in range(9):
        assert poll(world, runner, handle, 60).phase is Phase.QUEUED
    assert poll(world, runner, handle, 70).phase is Phase.FAILED_RETRYABLE


def test_what_was_begun_is_not_refused_for_what_went_wrong_in_the_account_since(
    world: KeptWorld, runner: BatchRunner
) -> None:
    handle = world.run(runner.start(REQUEST))

    def disabled(jobQueues: list[str]) -> dict[str, Any]:  # noqa: N803 - as boto names it
        return {"jobQueues": [{"jobQueueName": "spot", "jobQueueArn": jobQueues[0], "state": "DISABLED"}]}

    world.answers["describe_job_queues"] = disabled
    other = BatchRunner(world.settings, aws=world.aws)
    assert world.run(other.start(REQUEST)) == handle
    refused = world.run(other.start(request(job_role=None, output_prefix="s3://metadata/f3a9c1/n1/data/0"))).refused
    assert refused is not None
    assert "is DISABLED" in refused
    # S3 says nothing now: what is wrong is said, rather than nothing submitted for ever.
    world.fates["put_object"] = ["InternalError"] * 50
    world.answers["list_objects_v2"] = lambda **_: world.fail("AccessDenied")
    assert world.run(BatchRunner(world.settings, aws=world.aws).start(REQUEST)).refused is not None


def test_while_s3_does_not_take_the_stop_the_job_is_ended_all_the_same(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(REQUEST))
    world.fates["put_object"] = ["InternalError"] * 50
    with pytest.raises(CallError):
        world.run(runner.stop(handle, "no more"))
    assert world.account.jobs[0].terminated
    world.fates.clear()
    world.run(runner.stop(handle, "no more"))
    assert poll(world, runner, handle).message == "stopped: no more"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_job_that_was_stopped_is_not_among_the_living(
    world: KeptWorld, runner: BatchRunner, *, elsewhere: bool
) -> None:
    handle = world.run(runner.start(REQUEST))
    poll(world, runner, handle)
    assert world.sample("watched_jobs") == 1
    world.run(runner.stop(handle, "no more"))
    assert world.sample("watched_jobs") == 0
    if elsewhere:
        again = world.run(runner.start(request(job_role=None, output_prefix="s3://metadata/f3a9c1/n1/data/0")))
        world.run(BatchRunner(world.settings, aws=world.aws).stop(again, "no more"))
        assert [job.terminated for job in world.account.jobs] == [True, True]
        assert world.sample("watched_jobs") == 0


def test_a_job_that_batch_does_not_end_as_it_has_ended_is_stopped(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(REQUEST))
    world.fates["terminate_job"] = ["ClientException"]
    world.run(runner.stop(handle, "no more"))
    assert poll(world, runner, handle).message == "stopped: no more"


def test_one_that_the_connector_may_not_end_is_not(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(REQUEST))
    world.fates["terminate_job"] = ["AccessDenied"]
    with pytest.raises(CallError, match="AccessDenied"):
        world.run(runner.stop(handle, "no more"))


def test_who_stops_what_stands_for_an_earlier_attempt_ends_that(world: KeptWorld, runner: BatchRunner) -> None:
    first = world.run(runner.start(REQUEST))
    second = request(job_role=None, attempt=1, output_prefix="s3://metadata/f3a9c1/n0/data/1")
    world.run(runner.start(second))
    other = BatchRunner(world.settings, aws=world.aws)
    plain = Handle(output_prefix=second.output_prefix, name=first.name, attempt=1)
    world.run(other.stop(plain, "no more"))
    assert [job.terminated for job in world.account.jobs] == [True]
    assert poll(world, other, plain).message == "stopped: no more"


def test_a_run_that_went_on_while_its_last_job_was_asked_for_is_its_own(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(REQUEST))
    world.set_status("RUNNING")
    answer = world.answers["describe_jobs"]

    def slowly(jobs: list[str]) -> dict[str, Any]:
        run = runner.known.of(handle)
        run.wave, run.job = 1, "job-1"
        return answer(jobs=jobs)

    world.answers["describe_jobs"] = slowly
    assert poll(world, runner, handle).phase is Phase.RUNNING


@pytest.mark.parametrize(("number", "ended"), [(0, True), (1, False)])
def test_of_what_is_being_submitted_the_job_of_its_name_is_ended(
    world: KeptWorld, runner: BatchRunner, number: int, *, ended: bool
) -> None:
    world.run(runner.start(REQUEST))
    storage = Storage(world.aws)
    stopping = Stopping(world.aws, storage, JobPoller(world.aws, world.settings))
    own = Submission(Wave(number=number, job="job-0"))
    world.run(stopping.end(planned(REQUEST), own, "no more", world.clock.now()))
    assert world.account.jobs[0].terminated is ended
