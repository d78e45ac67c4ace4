"""Runs from start to end, in one process after the other."""

import pytest

from flytekit_aws_batch.core.plan import Handle, JobRequest
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner, NotStoppedError
from flytekit_aws_batch.core.spec import JobSpec
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.job_requests import array, request

REQUEST = request(job_role=None)


def started(world: KeptWorld, runner: BatchRunner, asked: JobRequest = REQUEST) -> Handle:
    handle = world.run(runner.start(asked))
    assert handle.refused is None
    return handle


def poll(world: KeptWorld, runner: BatchRunner, handle: Handle) -> Progress:
    world.clock.time += 30
    return world.run(runner.poll(handle))


def test_what_cannot_run_is_refused_once_and_for_all(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(request(JobSpec(queue="arn:aws:batch:eu-west-1:1:job-queue/none"))))
    assert handle.refused
    refused = poll(world, runner, handle)
    assert (refused.phase, refused.message) == (Phase.FAILED, handle.refused)
    world.run(runner.stop(handle, "no more"))
    assert not world.account.jobs
    assert not world.account.objects


def test_a_run_that_is_known_is_asked_for_without_s3(world: KeptWorld, runner: BatchRunner) -> None:
    handle = started(world, runner)
    assert poll(world, runner, handle).details["state"] == "RUNNABLE"
    before = {name: world.calls(name) for name in ("get_object", "list_objects_v2", "head_object", "put_object")}
    for status, phase in (("STARTING", Phase.STARTING), ("RUNNING", Phase.RUNNING)):
        world.set_status(status)
        assert poll(world, runner, handle).phase is phase
    assert before == {name: world.calls(name) for name in before}


def test_an_end_is_told_in_the_same_words_for_ever(world: KeptWorld, runner: BatchRunner) -> None:
    handle = started(world, runner)
    world.set_status("SUCCEEDED", startedAt=1, stoppedAt=61_000)
    done = poll(world, runner, handle)
    assert (done.phase, done.output_prefix, done.jobs) == (Phase.SUCCEEDED, REQUEST.output_prefix, ("job-0",))
    described = world.calls("describe_jobs")
    # Batch forgets it; another process is asked, days later.
    world.account.jobs.clear()
    world.clock.time += 10 * 24 * 3600
    other = BatchRunner(world.settings, aws=world.aws)
    assert poll(world, other, handle) == poll(world, runner, handle) == done
    assert world.calls("describe_jobs") == described
    assert world.sample("runs_total", phase="succeeded") == 1


def test_a_start_in_which_batch_takes_nothing_is_made_up_for(world: KeptWorld, runner: BatchRunner) -> None:
    world.fates["submit_job"] = ["TooManyRequestsException"] * 50
    handle = started(world, runner)
    assert not world.account.jobs
    waiting = poll(world, runner, handle)
    assert waiting.phase is Phase.QUEUED
    assert "takes no more submissions now" in waiting.message
    world.fates.clear()
    assert poll(world, runner, handle).details["state"] == "RUNNABLE"
    assert len(world.account.jobs) == 1


def test_a_start_that_s3_does_not_take_has_the_plan_in_its_handle(world: KeptWorld, runner: BatchRunner) -> None:
    world.fates["put_object"] = ["InternalError"] * 50
    handle = started(world, runner)
    assert handle.plan is not None
    world.fates.clear()
    other = BatchRunner(world.settings, aws=world.aws)
    assert poll(world, other, handle).details["state"] == "RUNNABLE"
    assert world.objects() == ["plan.json", "wave-0.json"]


def test_while_batch_does_not_answer_the_last_answer_stands(world: KeptWorld, runner: BatchRunner) -> None:
    handle = started(world, runner)
    world.set_status("RUNNING")
    poll(world, runner, handle)
    answer = world.answers["describe_jobs"]
    world.answers["describe_jobs"] = lambda **_: world.fail()
    told = poll(world, runner, handle)
    assert told.phase is Phase.RUNNING
    assert "its state now is unknown" in told.message
    world.answers["describe_jobs"] = answer
    assert "not answer" not in poll(world, runner, handle).message


def test_a_job_that_batch_never_shows_is_given_up_in_the_end(world: KeptWorld, runner: BatchRunner) -> None:
    handle = started(world, runner)
    world.account.jobs.clear()
    assert poll(world, runner, handle).phase is Phase.QUEUED
    world.clock.time += 700
    lost = poll(world, runner, handle)
    assert lost.phase is Phase.FAILED_RETRYABLE
    assert "knows no job job-0 any more" in lost.message


def test_of_a_list_it_tells_how_many_are_how_far(world: KeptWorld, runner: BatchRunner) -> None:
    handle = started(world, runner, request(job_role=None, array=array(1000, concurrency=600)))
    summary = {"SUCCEEDED": 412, "FAILED": 3, "RUNNING": 120, "RUNNABLE": 65}
    world.set_status("PENDING", arrayProperties={"size": 600, "statusSummary": summary})
    told = poll(world, runner, handle)
    assert (told.phase, told.message) == (Phase.RUNNING, "412 of 1,000 done, 3 failed, 120 run, 465 wait")
    assert told.details["counts"] == {**summary, "NOT_SUBMITTED": 400}


@pytest.mark.parametrize(("status", "told"), [("SUCCEEDED", False), ("FAILED", True)])
def test_what_differs_from_what_was_asked_for_is_told_from_start_to_end(
    world: KeptWorld,
    runner: BatchRunner,
    status: str,
    told: bool,  # noqa: FBT001 - a case
) -> None:
    world.fates["submit_job"] = ["TooManyRequestsException"] * 50
    handle = started(world, runner, request(job_role=None, timeout_seconds=30))
    seen = [poll(world, runner, handle)]
    world.fates.clear()
    seen.append(poll(world, runner, handle))
    world.set_status("RUNNING", startedAt=1)
    seen.append(poll(world, runner, handle))
    world.set_status(status, startedAt=1, stoppedAt=61_000, statusReason="Job attempt duration exceeded timeout")
    ended = poll(world, runner, handle)
    note = "its timeout of 30 s was raised to 60 s, the least that Batch takes"
    assert [each.phase for each in seen] == [Phase.QUEUED, Phase.QUEUED, Phase.RUNNING]
    assert all(each.message.splitlines()[-1] == note for each in seen)
    assert (note in ended.message) is told
    assert all(each.details["notes"] == [note] for each in (*seen, ended))


def test_failures_that_batch_does_not_list_yet_are_waited_for(world: KeptWorld, runner: BatchRunner) -> None:
    handle = started(world, runner, request(job_role=None, array=array(4), retries=0))
    world.set_status("FAILED", arrayProperties={"size": 4, "statusSummary": {"SUCCEEDED": 2, "FAILED": 2}})
    children = [{"jobId": f"job-0:{index}", "jobName": "n", "arrayProperties": {"index": index}} for index in (1, 3)]
    world.answers["list_jobs"] = lambda **_: {"jobSummaryList": children[:1]}
    assert poll(world, runner, handle).phase is Phase.RUNNING
    world.answers["list_jobs"] = lambda **_: {"jobSummaryList": children}
    failed = poll(world, runner, handle)
    assert (failed.phase, failed.failed_indices) == (Phase.FAILED, (1, 3))


def test_a_run_is_stopped_in_another_process_too(world: KeptWorld, runner: BatchRunner) -> None:
    handle = started(world, runner)
    other = BatchRunner(world.settings, aws=world.aws)
    world.run(other.stop(handle, "no more"))
    assert world.account.jobs[0].terminated
    world.set_status("FAILED", isTerminated=True)
    for each in (runner, other):
        stopped = poll(world, each, handle)
        assert (stopped.phase, stopped.message) == (Phase.FAILED, "stopped: no more")


def test_a_stop_is_not_done_while_somebody_may_be_submitting(world: KeptWorld, runner: BatchRunner) -> None:
    world.fates["submit_job"] = ["TooManyRequestsException"] * 50
    handle = started(world, runner)
    other = BatchRunner(world.settings, aws=world.aws)
    with pytest.raises(NotStoppedError, match="stopped once more"):
        world.run(other.stop(handle, "no more"))
    world.clock.time += 61
    world.run(other.stop(handle, "no more"))
    world.fates.clear()
    assert poll(world, runner, handle).phase is Phase.FAILED
    assert not world.account.jobs


def test_who_knows_that_nothing_was_submitted_stops_at_once(world: KeptWorld, runner: BatchRunner) -> None:
    world.fates["submit_job"] = ["TooManyRequestsException"] * 50
    handle = started(world, runner)
    world.run(runner.stop(handle, "no more"))
    assert poll(world, runner, handle).message == "stopped: no more"


def test_an_earlier_attempt_that_lives_is_adopted_and_one_that_failed_is_not(
    world: KeptWorld, runner: BatchRunner
) -> None:
    first = started(world, runner)
    second = request(job_role=None, attempt=1, output_prefix="s3://metadata/f3a9c1/n0/data/1")
    adopted = started(world, runner, second)
    assert adopted == first.model_copy(update={"deliver_to": second.output_prefix})
    assert world.sample("adopted_total") == 1
    world.set_status("FAILED", statusReason="Essential container in task exited")
    assert poll(world, runner, adopted).phase is Phase.FAILED_RETRYABLE
    third = request(job_role=None, attempt=2, output_prefix="s3://metadata/f3a9c1/n0/data/2")
    assert started(world, runner, third).deliver_to is None
    assert [job.name[-4:] for job in world.account.jobs] == ["-0-0", "-2-0"]


def test_where_folders_are_not_named_after_attempts_the_earlier_job_says_where_it_belongs(
    world: KeptWorld, runner: BatchRunner
) -> None:
    first = started(world, runner, request(job_role=None, output_prefix="s3://metadata/f3a9c1/n0/k3x"))
    variables = [{"name": "FLYTE_AWS_BATCH_PREFIX", "value": first.output_prefix}]
    job = world.set_status("RUNNING", container={"environment": variables})
    world.answers["list_jobs"] = lambda **_: {
        "jobSummaryList": [{"jobId": job.id, "jobName": job.name, "createdAt": 1}]
    }
    second = request(job_role=None, attempt=1, output_prefix="s3://metadata/f3a9c1/n0/p8q")
    assert started(world, runner, second) == first.model_copy(update={"deliver_to": second.output_prefix})
    assert {each["filters"][0]["values"][0] for each in world.client.of("list_jobs")} == {f"{first.name}-*"}
    assert len(world.account.jobs) == 1


def test_what_nobody_asks_for_is_forgotten_and_found_again(world: KeptWorld, runner: BatchRunner) -> None:
    handle = started(world, runner)
    world.clock.time += 3700
    other = started(world, runner, request(job_role=None, output_prefix="s3://metadata/f3a9c1/n1/data/0"))
    assert len(runner.known) == 1
    assert poll(world, runner, handle).jobs == ("job-0",)
    assert poll(world, runner, other).jobs == ("job-1",)
    assert len(runner.known) == 2
