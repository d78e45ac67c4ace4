"""Hundreds of tasks at once, while every call takes long: what Flyte's limit of half a minute makes of that."""

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from flytekit_aws_batch.core.plan import Handle
from flytekit_aws_batch.core.progress import Phase
from flytekit_aws_batch.core.runner import BatchRunner, NotStoppedError
from flytekit_aws_batch.core.spec import JobSpec
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.job_requests import SETTINGS, request

TASKS = 200


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld(queues=SETTINGS.queues, lease_seconds=60, patience_seconds=15)


@pytest.fixture
def runner(world: KeptWorld, monkeypatch: pytest.MonkeyPatch) -> BatchRunner:
    """Its calls take half a second each, 32 at a time, as those of a connector without a CPU of its own do."""
    call, room = world.aws.call, asyncio.Semaphore(32)

    async def slow(service: str, operation: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
        async with room:
            await world.clock.pause(0.5)
            return await call(service, operation, **request)

    monkeypatch.setattr(world.aws, "call", slow)
    return BatchRunner(world.settings, aws=world.aws)


def _asked(node: int, attempt: int) -> Any:  # noqa: ANN401 - a request, whose keywords are any
    return request(
        job_role=None, node=f"n{node}", attempt=attempt, output_prefix=f"s3://metadata/f3a9c1/n{node}/data/{attempt}"
    )


async def _started(world: KeptWorld, runner: BatchRunner, node: int) -> tuple[Handle, float]:
    began = world.clock.now()
    return await runner.start(_asked(node, 0)), world.clock.now() - began


def test_every_start_is_answered_before_flyte_gives_up_and_every_task_runs(
    world: KeptWorld, runner: BatchRunner
) -> None:
    async def all_of_them() -> list[Handle]:
        started = await asyncio.gather(*(_started(world, runner, node) for node in range(TASKS)))
        assert max(seconds for _, seconds in started) < 30
        handles = [handle for handle, _ in started]
        # Those whose turn did not come carry their plan, and go on when they are asked for.
        assert any(handle.plan for handle in handles)
        for _ in range(4):
            await asyncio.gather(*(runner.poll(handle) for handle in handles))
        return handles

    handles = world.run(all_of_them())
    assert sorted(job.name for job in world.account.jobs) == sorted(f"{handle.name}-0-0" for handle in handles)


@pytest.mark.parametrize("spec", [JobSpec(), JobSpec(queue="nowhere")], ids=["a task", "one that is refused"])
def test_a_start_takes_no_longer_than_it_may_whatever_hangs(
    world: KeptWorld, monkeypatch: pytest.MonkeyPatch, spec: JobSpec
) -> None:
    async def hangs(*_: object, **__: object) -> dict[str, Any]:
        await world.clock.pause(60)
        raise AssertionError

    monkeypatch.setattr(world.aws, "call", hangs)
    began = world.clock.now()
    handle = world.run(BatchRunner(world.settings, aws=world.aws).start(request(spec, job_role=None), 4))
    assert world.clock.now() - began == pytest.approx(4)
    # What goes on carries its plan; that an earlier start was not refused is nothing that anybody could know now.
    assert (handle.plan is None) is (handle.refused is not None) is (spec.queue is not None)


def test_a_late_attempt_costs_no_more_than_the_second(world: KeptWorld, runner: BatchRunner) -> None:
    first = world.run(runner.start(_asked(0, 0)))
    costs = []
    for attempt in range(1, 8):
        before = sum(world.calls(name) for name in ("get_object", "list_objects_v2", "put_object", "list_jobs"))
        handle = world.run(runner.start(_asked(0, attempt)))
        after = sum(world.calls(name) for name in ("get_object", "list_objects_v2", "put_object", "list_jobs"))
        costs.append(after - before)
        assert handle.output_prefix == first.output_prefix
    # From the third on the attempt before says whose run it stands for: two calls more, however many there were.
    assert set(costs[1:]) == {costs[0] + 2}
    assert len(world.account.jobs) == 1
    assert "RUNNABLE" in world.run(runner.poll(first)).message


def test_who_stops_a_run_that_somebody_else_is_submitting_waits_for_what_becomes_of_it(
    world: KeptWorld,
) -> None:
    runner, asked = BatchRunner(world.settings, aws=world.aws), _asked(0, 0)
    begun = world.clock.time

    def throttled_for_a_while(**_: object) -> dict[str, Any]:
        return world.fail("TooManyRequestsException") if world.clock.time < begun + 9 else {"jobDefinitions": []}

    world.answers["describe_job_definitions"] = throttled_for_a_while

    async def stopped_meanwhile() -> None:
        starting = asyncio.create_task(runner.start(asked))
        await asyncio.sleep(3)
        handle = Handle(output_prefix=asked.output_prefix, name=asked.name, attempt=0)
        while True:
            try:
                await runner.stop(handle, "aborted")
            except NotStoppedError:
                await asyncio.sleep(10)
            else:
                break
        await starting

    world.run(stopped_meanwhile())
    assert not [job for job in world.account.jobs if not job.terminated]


def test_the_end_of_a_job_is_told_while_submissions_hang(world: KeptWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    ended = world.run(runner.start(_asked(0, 0)))
    world.set_status("SUCCEEDED")
    submit, hanging = world.aws.submit, list[tuple[Future[dict[str, Any]], dict[str, Any]]]()

    def hangs(service: str, operation: str, parameters: dict[str, Any], **more: Any) -> Future[dict[str, Any]]:  # noqa: ANN401 - as Aws.submit has them
        if operation != "submit_job":
            return submit(service, operation, parameters, **more)
        hanging.append((Future(), parameters))
        return hanging[-1][0]

    monkeypatch.setattr(world.aws, "submit", hangs)

    async def asked_meanwhile() -> list[Handle]:
        starts = [asyncio.create_task(runner.start(_asked(node, 0))) for node in range(1, 40)]
        await asyncio.sleep(1)
        began = world.clock.now()
        assert (await runner.poll(ended)).phase is Phase.SUCCEEDED
        # With what waited before it, for moments of 3 s.
        assert world.clock.now() - began < 10
        return await asyncio.gather(*starts)

    handles = world.run(asked_meanwhile())
    waits = next(handle for handle in handles if handle.plan is None)
    told = world.run(runner.poll(waits))
    assert (told.phase, told.message) == (Phase.QUEUED, "it is being submitted: AWS Batch has not answered yet")
    monkeypatch.setattr(world.aws, "submit", submit)
    for flight, parameters in hanging:
        flight.set_result(submit("batch", "submit_job", parameters).result())
    for handle in handles:
        world.run(runner.poll(handle))
    assert sorted(job.name for job in world.account.jobs) == sorted(f"{each.name}-0-0" for each in (ended, *handles))


def test_a_plan_that_was_begun_outlives_other_settings(world: KeptWorld) -> None:
    first = BatchRunner(world.settings, aws=world.aws)
    world.fates["submit_job"] = ["lost", "TooManyRequestsException"]
    world.fates["list_jobs"] = ["InternalError"] * 50
    handle = world.run(first.start(_asked(0, 0)))
    world.fates.clear()
    moved = {
        domain: tuple(queue.model_copy(update={"arn": f"{queue.arn}-new"}) for queue in queues)
        for domain, queues in world.settings.queues.items()
    }
    second = BatchRunner(world.settings.model_copy(update={"queues": moved}), aws=world.aws)
    moved_on = world.run(second.start(_asked(0, 0)))
    assert moved_on.plan is not None
    assert moved_on.plan.queue == world.client.of("submit_job")[0]["jobQueue"]
    none = BatchRunner(world.settings.model_copy(update={"queues": {"other": ()}}), aws=world.aws)
    again = world.run(none.start(_asked(0, 0)))
    assert again.refused is None, "it runs already"
    world.clock.time += 62
    for runner, each in ((second, moved_on), (second, handle), (none, again)):
        assert "RUNNABLE" in world.run(runner.poll(each)).message
    assert [asked["jobQueue"] for asked in world.client.of("submit_job")] == [
        world.client.of("submit_job")[0]["jobQueue"]
    ]
    assert len(world.account.jobs) == 1


def test_an_attempt_that_had_no_plan_yet_submits_nothing_after_a_later_one_has_begun(world: KeptWorld) -> None:
    runner = BatchRunner(world.settings, aws=world.aws)
    world.run(runner.start(_asked(0, 1)))
    late = world.run(runner.start(_asked(0, 0)))
    assert [job.name[-4:] for job in world.account.jobs] == ["-1-0"]
    assert world.run(runner.poll(late)).message == "stopped: a later attempt has begun"
