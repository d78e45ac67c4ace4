"""Work that goes on after the question that began it."""

import asyncio
import threading

from flytekit_aws_batch.core.background import Kept, Work
from tests.connectors.core.fake_aws import FakeClock


def test_work_goes_on_when_the_event_loop_that_began_it_is_closed() -> None:
    flows, work = threading.Event(), Work(1)

    async def one() -> None:
        await asyncio.to_thread(flows.wait)
        work.done += 1

    work.begin(one)
    assert not asyncio.run(work.wait(0.01))
    flows.set()
    assert asyncio.run(work.wait(60))
    assert (work.done, work.error) == (1, None)


def test_what_work_raises_is_for_whoever_asks_next() -> None:
    work = Work(2)

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(fail())

    async def fail() -> None:
        raise LookupError

    work.begin(both)
    assert asyncio.run(work.wait(60))
    assert isinstance(work.error, LookupError)


def test_a_question_that_is_given_up_takes_nothing_from_the_others() -> None:
    flows, work = threading.Event(), Work(1)

    async def one() -> None:
        await asyncio.to_thread(flows.wait)

    async def two_questions() -> bool:
        given_up, other = asyncio.create_task(work.wait(60)), asyncio.create_task(work.wait(60))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait({given_up})
        flows.set()
        return await other

    work.begin(one)
    assert asyncio.run(two_questions())
    assert work.error is None


def test_what_nobody_asks_for_is_kept_for_ten_minutes() -> None:
    clock = FakeClock()
    kept: Kept[str] = Kept(clock)
    for name in ("a", "b"):
        kept.of(name, lambda name=name: f"made for {name}")  # type: ignore[misc]  # of what is made mypy does not know
    clock.time += 590
    assert kept.of("a", str) == "made for a"
    clock.time += 20
    kept.of("c", str)
    assert len(kept) == 2
    assert (kept.get("a"), kept.get("b")) == ("made for a", None)
    kept.drop("a")
    assert kept.get("a") is None
