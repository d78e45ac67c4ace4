import asyncio
import threading
from functools import partial

import pytest

from flytekit_aws_batch.core.single_flight import SingleFlight


def test_whoever_comes_meanwhile_gets_the_same_answer() -> None:
    flights: SingleFlight[int] = SingleFlight()
    begun: list[str] = []

    async def all_at_once() -> list[int]:
        go = asyncio.Event()

        async def work(key: str) -> int:
            begun.append(key)
            await go.wait()
            return len(begun)

        tasks = [asyncio.create_task(flights.do(key, partial(work, key))) for key in "aabab"]
        await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(all_at_once()) == [2] * 5
    assert begun == ["a", "b"]


def test_what_comes_later_is_done_anew() -> None:
    flights: SingleFlight[int] = SingleFlight()
    answers = iter(range(2))

    async def work() -> int:
        return next(answers)

    assert [asyncio.run(flights.do("a", work)) for _ in range(2)] == [0, 1]


def test_an_error_is_everybody_s_and_nothing_is_left_of_it() -> None:
    flights: SingleFlight[int] = SingleFlight()

    async def failing() -> int:
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def fine() -> int:
        return 1

    async def all_at_once() -> list[int | BaseException]:
        return await asyncio.gather(*(flights.do("a", failing) for _ in range(3)), return_exceptions=True)

    assert [str(each) for each in asyncio.run(all_at_once())] == ["broken"] * 3
    assert asyncio.run(flights.do("a", fine)) == 1


def test_whoever_is_cancelled_leaves_it_to_another_one() -> None:
    flights: SingleFlight[str] = SingleFlight()

    async def scene() -> list[str]:
        async def hanging() -> str:
            await asyncio.Event().wait()
            return "never"

        async def quick() -> str:
            return "done"

        first = asyncio.create_task(flights.do("a", hanging))
        await asyncio.sleep(0)
        others = [asyncio.create_task(flights.do("a", quick)) for _ in range(3)]
        await asyncio.sleep(0)
        # One that only waits may go without harm to anybody.
        others[0].cancel()
        await asyncio.sleep(0)
        first.cancel()
        found = await asyncio.gather(*others[1:])
        with pytest.raises(asyncio.CancelledError):
            await first
        return found

    assert asyncio.run(scene()) == ["done", "done"]


def test_it_works_across_event_loops() -> None:
    flights: SingleFlight[str] = SingleFlight()
    begun, go = threading.Event(), threading.Event()
    answers: list[str] = []

    async def work() -> str:
        begun.set()
        await asyncio.get_running_loop().run_in_executor(None, go.wait, 30)
        return "from another loop"

    async def never() -> str:
        raise AssertionError("it is under way already")

    async def waits() -> str:
        waiting = asyncio.create_task(flights.do("a", never))
        await asyncio.sleep(0)
        go.set()
        return await waiting

    thread = threading.Thread(target=lambda: answers.append(asyncio.run(flights.do("a", work))))
    thread.start()
    assert begun.wait(30)
    assert asyncio.run(waits()) == "from another loop"
    thread.join(30)
    assert answers == ["from another loop"]
