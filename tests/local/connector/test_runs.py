"""Whole runs against the embedded AWS: real requests, and jobs that are processes."""

import asyncio
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from aerodrome_local.testing import EmbeddedAws
from flytekit_aws_batch.core.plan import Handle
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.spec import Resources
from tests.local.connector.runs_world import ACCOUNT, RunsWorld
from tests.local.waiting import eventually


@pytest.fixture
def world(
    embedded_aws: EmbeddedAws, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[RunsWorld]:
    for name, value in embedded_aws.variables(ACCOUNT).items():
        monkeypatch.setenv(name, value)
    stack = embedded_aws.stack(f"runs-{request.node.name}", ACCOUNT)
    embedded_aws.act("batch", account=ACCOUNT, reset=True)
    notes = tmp_path / "notes"
    notes.mkdir()
    of_test = RunsWorld(embedded_aws, stack, notes)
    yield of_test
    embedded_aws.act("batch", account=ACCOUNT, reset=True)
    of_test.close()
    stack.delete()


def test_a_job_runs_once_however_often_it_is_started(world: RunsWorld) -> None:
    request = world.request("sleep 0.3; exit 0")
    handle = world.start(request)
    assert world.start(request) == handle
    world.restart()
    assert world.start(request) == handle
    done = world.ended(handle)
    assert (done.phase, done.output_prefix) == (Phase.SUCCEEDED, request.output_prefix)
    assert [job["jobId"] for job in world.jobs()] == list(done.jobs)
    assert world.start(request) == handle
    assert len(world.jobs()) == 1


def test_a_failed_job_says_why_and_is_left_to_flyte_to_try_again(world: RunsWorld) -> None:
    handle = world.start(world.request("echo no such column >&2; exit 3"))
    failed = world.ended(handle)
    assert failed.phase is Phase.FAILED_RETRYABLE
    assert "exit code 3" in failed.message
    assert "no such column" in failed.message
    again = world.start(world.request("exit 0", attempt=1))
    assert again.deliver_to is None, "what has failed is not adopted"
    assert world.ended(again).phase is Phase.SUCCEEDED
    assert len(world.jobs()) == 2
    page = asyncio.run(world.runner.logs(handle))
    assert [line.text for line in page.lines] == ["no such column"]


def test_a_failure_that_its_code_calls_final_is_not_tried_again(world: RunsWorld) -> None:
    world.code.final_indices = {0: "ValueError: no such column"}
    failed = world.ended(world.start(world.request("exit 1")))
    assert failed.phase is Phase.FAILED
    assert failed.message.startswith("ValueError: no such column\nexit code 1")


def test_a_living_job_of_an_earlier_attempt_is_adopted(world: RunsWorld) -> None:
    go = world.notes / "go"
    first = world.start(world.request(f"while [ ! -e {go} ]; do sleep 0.1; done"))
    world.restart()
    request = world.request("exit 9", attempt=1)
    second = world.start(request)
    assert second == first.model_copy(update={"deliver_to": request.output_prefix})
    go.touch()
    done = world.ended(second)
    assert (done.phase, done.output_prefix) == (Phase.SUCCEEDED, first.output_prefix)
    assert len(world.jobs()) == 1
    # Whoever has only the plain handle of the second attempt is led there, too.
    world.restart()
    plain = Handle(output_prefix=request.output_prefix, name=first.name, attempt=1)
    assert world.ended(plain) == done


def runs_attempt(attempt: int, progress: Progress) -> bool:
    return progress.phase is Phase.RUNNING and progress.details["attempts"] == attempt


def test_a_job_whose_instances_are_all_taken_back_ends_on_demand(world: RunsWorld) -> None:
    request = world.request('[ "$AWS_BATCH_JQ_NAME" != "${LAST##*/}" ] && sleep 60; exit 0')
    request.environment["LAST"] = world.last
    handle = world.start(request)
    attempts = request.spec.reclaims + 1
    for attempt in range(attempts):
        running = world.until(handle, functools.partial(runs_attempt, attempt), f"attempt {attempt} runs")
        if attempt:
            assert f"taken back ({attempt} of {attempts}" in running.message
        world.reclaim(running.jobs[0])
    done = world.ended(handle)
    assert done.phase is Phase.SUCCEEDED
    assert len(done.jobs) == 2
    assert [job["jobId"] for job in world.jobs(world.last)] == [done.jobs[1]]


def test_only_what_failed_of_a_list_is_run_again(world: RunsWorld) -> None:
    command = 'case "$WHO" in 0-7|0-23) exit 1;; esac; exit 0'
    handle = world.start(world.list_of(40, command, retries=1))
    done = world.ended(handle)
    assert done.phase is Phase.SUCCEEDED
    assert done.message == "40 of 40 done"
    assert [wave.indices for wave in world.waves(handle)] == [tuple(range(40)), (7, 23)]
    runs = world.runs_of_elements(handle)
    assert {index: count for index, count in runs.items() if count > 1} == {7: 2, 23: 2}
    assert set(runs) == set(range(40))
    # Their last try is on instances that nobody takes back.
    assert [job["jobId"] for job in world.jobs(world.last)] == [done.jobs[1]]
    assert world.sample("waves_total", because="failed") == 1


def test_no_more_of_a_list_run_at_once_than_are_to(world: RunsWorld) -> None:
    handle = world.start(world.list_of(17, "exit 0", concurrency=7))
    assert world.ended(handle).phase is Phase.SUCCEEDED
    assert [len(wave.indices) for wave in world.waves(handle)] == [7, 7, 3]
    assert world.runs_of_elements(handle) == dict.fromkeys(range(17), 1)


def test_enough_of_a_list_is_enough_and_too_few_end_it(world: RunsWorld) -> None:
    command = 'case "$WHO" in *-3) exit 1;; esac; exit 0'
    enough = world.ended(world.start(world.list_of(10, command, min_success_ratio=0.9)))
    assert (enough.phase, enough.failed_indices) == (Phase.SUCCEEDED, (3,))
    assert enough.message == "9 of 10 done, 1 failed, where 9 are enough: element 3"
    few = world.start(world.list_of(10, command, execution="f2", concurrency=5))
    failed = world.ended(few)
    assert (failed.phase, failed.failed_indices) == (Phase.FAILED, (3,))
    assert "5 not tried" in failed.message
    assert "element 3: exit code 1" in failed.message
    assert len(world.waves(few)) == 1


def test_a_list_of_one_is_an_ordinary_job(world: RunsWorld) -> None:
    handle = world.start(world.list_of(1, '[ "$FLYTE_AWS_BATCH_WAVE" = 1 ]', retries=1))
    assert world.ended(handle).phase is Phase.SUCCEEDED
    assert world.runs_of_elements(handle) == {0: 2}


def test_an_element_that_says_so_is_not_run_again(world: RunsWorld) -> None:
    world.code.final_indices = {3: "ValueError: no such column"}
    handle = world.start(world.list_of(5, 'case "$WHO" in 0-2|0-3) exit 1;; esac; exit 0', retries=3))
    failed = world.ended(handle)
    assert (failed.phase, failed.failed_indices) == (Phase.FAILED, (3,))
    assert "element 3: ValueError: no such column" in failed.message
    # As all have to succeed, the other one would be tried for nothing.
    assert "1 not tried" in failed.message
    assert len(world.waves(handle)) == 1


def test_what_is_stopped_leaves_no_job_and_submits_none(world: RunsWorld) -> None:
    one = world.start(world.request("sleep 60", execution="f2"))
    many = world.start(world.list_of(12, "sleep 60", concurrency=6, retries=3))
    for handle in (one, many):
        world.until(handle, lambda progress: progress.phase is Phase.RUNNING, "it runs")
        for _ in range(2):
            asyncio.run(world.runner.stop(handle, "the user said so"))
    eventually(lambda: not world.living(), "no job is left")
    for _ in range(2):
        for handle in (one, many):
            stopped = world.poll(handle)
            assert (stopped.phase, stopped.message) == (Phase.FAILED, "stopped: the user said so")
        world.restart()
    assert len(world.jobs()) == 2
    assert asyncio.run(world.runner.start(world.list_of(12, "sleep 60", concurrency=6, retries=3))) == many
    assert not world.living()


def test_another_connector_goes_on_where_one_was_lost(world: RunsWorld) -> None:
    command = 'case "$WHO" in 0-1|2-0) exit 1;; esac; exit 0'
    handle = world.start(world.list_of(9, command, concurrency=3, retries=2))
    phases = set()
    while Phase.SUCCEEDED not in phases:
        world.restart()
        phases.add(world.poll(handle).phase)
        assert phases <= {Phase.RUNNING, Phase.SUCCEEDED, Phase.WAITING, Phase.STARTING, Phase.QUEUED}
    runs = world.runs_of_elements(handle)
    assert sorted(runs) == list(range(9))
    assert sum(runs.values()) == 11
    assert len(world.jobs()) == len(world.waves(handle))


def test_the_first_task_of_a_shape_waits_until_batch_knows_its_definition(world: RunsWorld) -> None:
    world.embedded.act("batch", account=ACCOUNT, unseen=3)
    # Definitions outlive a test: no other one has this shape.
    done = world.ended(world.start(world.request("exit 0", resources=Resources(vcpus=1, memory_mib=131))))
    assert done.phase is Phase.SUCCEEDED
    assert len(world.jobs()) == 1
    operations = world.embedded.view("batch")[ACCOUNT]["operations"]
    assert (operations["SubmitJob"]["unseen"], operations["RegisterJobDefinition"]["calls"]) == (3, 1)


def test_throttling_and_lost_answers_are_neither_seen_nor_doubled(world: RunsWorld) -> None:
    world.embedded.act("batch", account=ACCOUNT, throttle=0.3, losing=0.1, fail=0.05, seed=14)
    requests = [world.request("exit 0", execution=f"x{number}") for number in range(25)]
    array = world.list_of(6, 'case "$WHO" in 0-2) exit 1;; esac; exit 0', retries=1)

    async def start() -> list[Handle]:
        return await asyncio.gather(*(world.runner.start(request) for request in (*requests, array)))

    handles = asyncio.run(start())
    assert [handle.refused for handle in handles] == [None] * 26

    async def poll() -> set[Phase]:
        return {progress.phase for progress in await asyncio.gather(*(world.runner.poll(each) for each in handles))}

    eventually(lambda: asyncio.run(poll()) == {Phase.SUCCEEDED}, "all have succeeded")
    world.embedded.act("batch", account=ACCOUNT, throttle=0)
    counted = world.embedded.view("batch")[ACCOUNT]["operations"]["SubmitJob"]
    assert counted["throttled"] > 3
    assert counted["lost"] > 0
    names = [job["jobName"] for job in world.jobs()]
    assert len(names) == len(set(names)) == 27
