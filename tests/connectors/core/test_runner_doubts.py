"""What is not taken for an end, as a job may be there all the same; and what ends nevertheless."""

from typing import Any

import pytest

from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.core.folder import Folder
from flytekit_aws_batch.core.plan import Handle, Wave
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.stopping import Stopping
from flytekit_aws_batch.core.storage import Storage
from flytekit_aws_batch.core.submitter import Submission
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.job_requests import planned, request

REQUEST = request(job_role=None)


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


def test_so_is_one_whose_job_was_looked_at_between_the_two(world: KeptWorld, runner: BatchRunner) -> None:
    """Another thread goes on with a run as its last job and that one's name are read."""
    handle = world.run(runner.start(REQUEST))
    job, answer = world.set_status("RUNNING"), world.answers["describe_jobs"]
    job.name = f"{handle.name}-0-1"

    def meanwhile(jobs: list[str]) -> dict[str, Any]:
        runner.known.of(handle).wave = 1
        return answer(jobs=jobs)

    world.answers["describe_jobs"] = meanwhile
    assert poll(world, runner, handle).phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("mishap", "told"),
    [
        ("gone", "AWS Batch knows no job job-0 any more"),
        ("anothers", "wave-0.json names the job job-0, which is x and"),
    ],
)
def test_nobody_gives_a_run_up_that_somebody_else_holds(
    world: KeptWorld, runner: BatchRunner, mishap: str, told: str
) -> None:
    handle = world.run(runner.start(REQUEST))
    if mishap == "gone":
        world.account.jobs.clear()
        poll(world, runner, handle)
        world.clock.time += 700
    else:
        world.account.jobs[0].name = "x"
    run = runner.known.of(handle)
    with run.lock:
        assert "is busy" in poll(world, runner, handle).message
        assert run.result is None
    assert told in poll(world, runner, handle).message
    assert "result.json" in world.objects()


def test_a_job_that_batch_gave_this_process_is_ended_without_a_look_at_whose_it_is(
    world: KeptWorld, runner: BatchRunner
) -> None:
    for lost in ([], ["lost"]):
        node = f"n{len(world.account.jobs)}"
        world.fates["submit_job"] = lost
        asked = request(job_role=None, node=node, output_prefix=f"s3://metadata/f3a9c1/{node}/data/0")
        handle = world.run(runner.start(asked))
        answer = world.answers["describe_jobs"]
        # It could not be read.
        world.answers["describe_jobs"] = lambda jobs: {"jobs": [{"jobId": each} for each in jobs]}
        began, described = world.clock.now(), world.calls("describe_jobs")
        world.run(runner.stop(handle, "no more"))
        assert (world.clock.now(), world.calls("describe_jobs")) == (began, described)
        world.answers["describe_jobs"] = answer
    assert [each["jobId"] for each in world.client.of("terminate_job")] == ["job-0", "job-1"], "once each"


def test_what_another_process_submitted_is_looked_at_and_ended_once(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(REQUEST))
    other = BatchRunner(world.settings, aws=world.aws)
    poll(world, other, handle)
    world.run(other.stop(handle, "no more"))
    assert world.calls("terminate_job") == 1


def test_a_wave_that_another_process_has_gone_on_with_is_ended_too(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(REQUEST))
    world.account.carry_out("submit_job", {"jobName": f"{handle.name}-0-1"})
    world.run(Folder(Storage(world.aws), handle.output_prefix).claim(Wave(number=1, job="job-1")))
    world.run(runner.stop(handle, "no more"))
    assert [each["jobId"] for each in world.client.of("terminate_job")] == ["job-0", "job-1"]


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
