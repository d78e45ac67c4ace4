"""Lists of which much has failed, and what is found out of that from question to question."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.plan import Handle, Wave
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.spec import JobSpec
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.fake_aws import detail
from tests.connectors.core.job_requests import array, request

SIZE = 250


class Code:
    """What the code says: nothing is worth another try. The second hundred is not read before the test says so."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.reached, self.flows = threading.Event(), threading.Event()
        self.error: CallError | None = None

    async def final(self, output_prefix: str, indices: Sequence[int] | None) -> dict[int, str]:
        assert output_prefix.startswith("s3://")
        assert indices is not None
        if 100 in indices:
            self.reached.set()
            # It is in a thread of its own: no question waits for it.
            assert self.flows.wait(60)
            if self.error is not None:
                error, self.error = self.error, None
                raise error
        self.asked += indices
        return {index: f"ValueError: {index} {'is wrong ' * 100}" for index in indices}


def ended(world: KeptWorld, runner: BatchRunner, size: int, failed: int, **counts: int) -> Handle:
    """A list that has ended."""
    handle = world.run(runner.start(request(job_role=None, array=array(size), retries=0)))
    summary = {"FAILED": failed, **counts}
    world.set_status("FAILED", arrayProperties={"size": size, "statusSummary": summary})
    return handle


def children(*indices: int) -> dict[str, Any]:
    jobs = [{"jobId": f"job-0:{index}", "jobName": "n", "arrayProperties": {"index": index}} for index in indices]
    return {"jobSummaryList": jobs}


def poll(world: KeptWorld, runner: BatchRunner, handle: Handle) -> Progress:
    world.clock.time += 30
    return world.run(runner.poll(handle))


def at_last(world: KeptWorld, runner: BatchRunner, handle: Handle) -> Progress:
    while (progress := poll(world, runner, handle)).phase is Phase.RUNNING:
        pass
    return progress


def test_many_failures_are_looked_at_from_question_to_question(world: KeptWorld) -> None:
    code = Code()
    runner = BatchRunner(world.settings, aws=world.aws, failures=code)
    handle = ended(world, runner, SIZE, SIZE)
    listed = 0

    def lists(**_: object) -> dict[str, Any]:
        nonlocal listed
        listed += 1
        return children(*range(SIZE))

    world.answers["list_jobs"] = lists
    assert poll(world, runner, handle).phase is Phase.RUNNING
    assert code.reached.wait(60)
    for _ in range(3):
        progress = poll(world, runner, handle)
        assert progress.phase is Phase.RUNNING
        assert progress.message.splitlines() == ["0 of 250 done, 250 failed", "looking at 100 of 250 failures"]
    code.flows.set()
    failed = at_last(world, runner, handle)
    assert (failed.phase, len(failed.failed_indices)) == (Phase.FAILED, SIZE)
    assert "element 0: ValueError: 0 is wrong" in failed.message
    assert code.asked == list(range(SIZE)), "each once"
    assert listed == 1


def test_what_was_read_before_s3_went_away_is_not_read_again(world: KeptWorld) -> None:
    code = Code()
    runner = BatchRunner(world.settings, aws=world.aws, failures=code)
    handle = ended(world, runner, SIZE, SIZE)
    world.answers["list_jobs"] = lambda **_: children(*range(SIZE))
    code.error = CallError("GetObject", "SlowDown", "slower", "throttled")
    code.flows.set()
    said = []
    while (progress := poll(world, runner, handle)).phase is Phase.RUNNING:
        said.append(progress.message)
    assert any("GetObject: SlowDown: slower" in each for each in said)
    assert progress.phase is Phase.FAILED
    assert code.asked == list(range(SIZE))


@pytest.mark.parametrize("listed", [(1,), ()])
def test_failures_that_batch_never_lists_are_taken_for_such_in_the_end(
    world: KeptWorld, listed: tuple[int, ...]
) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    handle = ended(world, runner, 4, 2, SUCCEEDED=2)
    lists = {"FAILED": children(*listed), "SUCCEEDED": children(0, 2)}
    world.answers["list_jobs"] = lambda jobStatus, **_: lists[jobStatus]  # noqa: N803 - as boto names it
    began = world.clock.time
    progress = poll(world, runner, handle)
    assert progress.message.splitlines()[-1] == "AWS Batch does not list yet what failed"
    while progress.phase is Phase.RUNNING and world.clock.time < began + 1000:
        progress = poll(world, runner, handle)
    assert 600 <= world.clock.time - began < 700
    assert (progress.phase, progress.failed_indices) == (Phase.FAILED, (1, 3))
    assert "element 3: AWS Batch lists it neither among those that succeeded nor" in progress.message


def test_an_element_that_still_runs_as_its_array_is_said_to_have_failed_is_waited_for(world: KeptWorld) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    handle = ended(world, runner, 4, 1, SUCCEEDED=2, RUNNING=1)
    lists = {"FAILED": children(0), "SUCCEEDED": children(1, 2)}
    world.answers["list_jobs"] = lambda jobStatus, **_: lists[jobStatus]  # noqa: N803 - as boto names it
    for _ in range(3):
        progress = poll(world, runner, handle)
        assert (progress.phase, progress.message.splitlines()[0]) == (Phase.RUNNING, "2 of 4 done, 1 failed, 1 run")
    lists["FAILED"] = children(0, 3)
    progress = poll(world, runner, handle)
    assert (progress.phase, progress.failed_indices) == (Phase.FAILED, (0, 3))


def test_the_last_element_of_an_array_that_failed_may_succeed(world: KeptWorld) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    handle = ended(world, runner, 4, 1, SUCCEEDED=2, RUNNING=1)
    lists = {"FAILED": children(0), "SUCCEEDED": children(1, 2, 3)}
    world.answers["list_jobs"] = lambda jobStatus, **_: lists[jobStatus]  # noqa: N803 - as boto names it
    progress = poll(world, runner, handle)
    assert (progress.phase, progress.failed_indices) == (Phase.FAILED, (0,))
    assert progress.details["counts"] == {"SUCCEEDED": 3, "FAILED": 1}


def test_what_fails_an_array_is_waited_for_where_its_summary_knows_of_no_failure(world: KeptWorld) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    handle = ended(world, runner, 4, 0, SUCCEEDED=4)
    world.answers["list_jobs"] = lambda **_: children()
    assert poll(world, runner, handle).phase is Phase.RUNNING
    world.answers["list_jobs"] = lambda **_: children(2)
    assert poll(world, runner, handle).failed_indices == (2,)


def test_an_array_that_ended_before_it_had_children_has_failed_with_all_of_them(world: KeptWorld) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    handle = world.run(runner.start(request(job_role=None, array=array(4), retries=0)))
    properties = {"size": 4, "statusSummary": dict.fromkeys(("SUBMITTED", "RUNNABLE", "FAILED"), 0)}
    world.set_status("FAILED", arrayProperties=properties, statusReason="not needed", isTerminated=True)
    lists = world.calls("list_jobs")
    progress = poll(world, runner, handle)
    assert (progress.phase, progress.failed_indices) == (Phase.FAILED, (0, 1, 2, 3))
    assert "element 0: terminated: not needed" in progress.message
    assert world.calls("list_jobs") == lists, "there is nothing to list"


@pytest.mark.parametrize("retries", [0, 1])
def test_nothing_is_kept_of_failures_once_it_is_decided_what_follows(world: KeptWorld, retries: int) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    endings = runner._endings  # noqa: SLF001 - of what it keeps nothing is to be seen from outside
    handle = world.run(runner.start(request(job_role=None, array=array(4), retries=retries)))
    world.set_status("FAILED", arrayProperties={"size": 4, "statusSummary": {"SUCCEEDED": 2, "FAILED": 2}})
    world.answers["list_jobs"] = lambda **_: children(1)
    poll(world, runner, handle)
    assert len(endings) == 1
    world.answers["list_jobs"] = lambda **_: children(1, 3)
    progress = poll(world, runner, handle)
    assert progress.phase is (Phase.RUNNING if retries else Phase.FAILED)
    assert len(endings) == 0


class Printed:
    """The parts of a job, each with a log stream of its own name.

    Attributes:
        described: The parts that were asked for.
        read: The streams that were read.
    """

    def __init__(self, world: KeptWorld) -> None:
        self.described: list[str] = []
        self.read: list[str] = []
        self._whole = world.answers["describe_jobs"]
        world.answers |= {"describe_jobs": self._describe, "get_log_events": self._log}

    def _describe(self, jobs: list[str]) -> dict[str, Any]:
        parts = [job for job in jobs if ":" in job or "#" in job]
        self.described += parts
        found = [
            detail(part, "FAILED", container={"exitCode": 3, "logStreamName": f"log-of-{part}"}, stoppedAt=1)
            for part in parts
        ]
        return {"jobs": [*found, *self._whole(jobs=jobs)["jobs"]]}

    def _log(self, logStreamName: str, **_: object) -> dict[str, Any]:  # noqa: N803 - as boto names it
        self.read.append(logStreamName)
        return {"events": [{"timestamp": 1, "message": f"said in {logStreamName}"}], "nextForwardToken": "end"}


class Unlucky:
    """Code whose element 1 alone says why it failed."""

    async def final(self, output_prefix: str, indices: Sequence[int] | None) -> dict[int, str]:
        assert output_prefix.startswith("s3://")
        assert indices == [1, 2, 3]
        return {1: "ValueError: unlucky"}


def test_of_a_list_the_log_of_one_failure_is_shown_after_what_its_code_says(world: KeptWorld) -> None:
    runner = BatchRunner(world.settings, aws=world.aws, failures=Unlucky())
    handle = ended(world, runner, 4, 3, SUCCEEDED=1)
    printed = Printed(world)
    world.answers["list_jobs"] = lambda **_: children(3, 1, 2)
    failed = poll(world, runner, handle)
    assert failed.message.splitlines()[1:] == [
        "element 1: ValueError: unlucky",
        "AWS Batch gives no reason",
        "element 2: exit code 3; last lines:",
        "said in log-of-job-0:2",
        "element 3: AWS Batch gives no reason",
    ]
    assert printed.described == ["job-0:2"]
    assert world.sample("watched_jobs") == 1, "of the element nobody wants to hear more"


def test_of_a_job_of_several_nodes_the_main_one_s_log_is_shown(world: KeptWorld) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    handle = world.run(runner.start(request(JobSpec(nodes=2, queue="on-demand"), job_role=None)))
    printed = Printed(world)
    world.set_status("FAILED", nodeProperties={"numNodes": 2, "mainNode": 0})
    failed = poll(world, runner, handle)
    assert failed.message == "exit code 3; last lines:\nsaid in log-of-job-0#0"
    assert world.run(runner.logs(handle)).token == "end"
    assert printed.read == ["log-of-job-0#0"] * 2


@pytest.mark.parametrize(("failed", "stream"), [((2, 1), "log-of-job-0:1"), ((), "log-of-job-0:0")])
def test_the_log_of_a_list_is_that_of_the_first_failure_or_of_the_first_element(
    world: KeptWorld, failed: tuple[int, ...], stream: str
) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    handle = world.run(runner.start(request(job_role=None, array=array(4))))
    printed = Printed(world)
    world.answers["list_jobs"] = lambda **_: children(*failed)
    summary = {"RUNNING": 4 - len(failed), "FAILED": len(failed)}
    world.set_status("PENDING", arrayProperties={"size": 4, "statusSummary": summary})
    world.clock.time += 30
    page = world.run(runner.logs(handle))
    assert [line.text for line in page.lines] == [f"said in {stream}"]
    assert printed.read == [stream]


def test_the_last_element_of_a_list_that_runs_alone_keeps_its_number(world: KeptWorld) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    handle = world.run(runner.start(request(job_role=None, array=array(4), retries=1)))
    world.set_status("FAILED", arrayProperties={"size": 4, "statusSummary": {"SUCCEEDED": 3, "FAILED": 1}})
    world.answers["list_jobs"] = lambda **_: children(2)
    poll(world, runner, handle)
    # An array has two elements at least: this is a job.
    assert "arrayProperties" not in world.client.of("submit_job")[-1]
    world.set_status("FAILED", statusReason="odd")
    progress = poll(world, runner, handle)
    assert (progress.phase, progress.failed_indices) == (Phase.FAILED, (2,))
    assert "element 2: odd" in progress.message


def test_of_many_failures_the_code_s_words_are_kept_in_short(world: KeptWorld) -> None:
    code = Code()
    runner = BatchRunner(world.settings, aws=world.aws, failures=code)
    world.answers["list_jobs"] = lambda **_: children(*range(30))
    job = JobState.of(detail("a", "FAILED", arrayProperties={"size": 30, "statusSummary": {"FAILED": 30}}))
    wave = Wave(number=0, indices=tuple(range(30)))
    faults = world.run(runner._endings.faults("s3://data/0", wave, job))  # noqa: SLF001 - a result has five reasons
    assert faults is not None
    said = [len(faults[index].reason.splitlines()[0]) for index in range(30)]
    assert min(said[:20]) > 900
    assert set(said[20:]) == {200}
