"""What is kept of runs in memory, and for how long."""

import asyncio

import pytest

from flytekit_aws_batch.core.plan import Handle, Wave
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runs import Run, Runs, Turns
from tests.connectors.core.fake_aws import FakeClock
from tests.connectors.core.job_requests import array, planned, request

PLAN = planned(request(array=array(10)))
HALF_AN_HOUR = 1800


def handle(node: int = 0) -> Handle:
    return Handle(output_prefix=f"s3://data/n{node}", name=f"n{node}", attempt=0)


def run() -> Run:
    return Run(prefix="s3://data/n0", name="n0", attempt=0, began=0, wanted_at=0)


def test_a_run_is_known_as_long_as_somebody_asks_for_it() -> None:
    clock = FakeClock()
    runs = Runs(clock)
    first = runs.of(handle())
    for _ in range(6):
        clock.time += HALF_AN_HOUR
        assert runs.of(handle()) is first
    clock.time += 3 * HALF_AN_HOUR
    runs.of(handle(1))
    assert len(runs) == 1
    assert runs.of(handle()) is not first


def test_what_a_wave_has_behind_it_is_known_with_it() -> None:
    known = run()
    wave = Wave(number=3, indices=(6, 7), done="0-2", failed="4", earlier=("a", "b"), because="once more", job="c")
    known.resume(PLAN.model_copy(update={"notes": ("raised",)}), wave)
    assert (known.size, known.elements, known.done, known.failed, known.left) == (10, 2, 3, 1, 4)
    assert (known.wave, known.because, known.notes) == (3, "once more", ("raised",))
    assert (known.job, known.jobs) == ("c", ("a", "b", "c"))
    assert known.submission is None
    assert known.plan is None, "it is megabytes for a large list, and in S3"


def test_a_wave_without_a_job_is_looked_for_before_it_is_begun() -> None:
    known = run()
    known.begin(PLAN, Wave(number=0))
    assert known.submission is not None
    assert known.submission.tries == 0, "nobody has begun it"
    known.resume(PLAN, Wave(number=0))
    assert known.submission is not None
    assert known.submission.tries == 1
    assert known.known


def test_that_a_job_was_missed_is_nothing_against_the_next_one() -> None:
    known = run()
    known.missing_since = 5
    known.resume(PLAN, Wave(number=1, job="b"))
    assert known.missing_since is None


def test_a_run_that_stands_for_an_earlier_one_is_not_read_again() -> None:
    known = run()
    assert not known.known
    known.adopts = handle()
    assert known.known


def test_of_a_run_that_has_ended_there_is_its_end() -> None:
    known = run()
    known.begin(PLAN, Wave(number=0))
    end = Progress(phase=Phase.SUCCEEDED, message="")
    assert known.end(end) is known.result is end
    assert (known.plan, known.submission) == (None, None)


def test_who_does_not_get_hold_of_a_run_in_time_is_told_so_and_leaves_it_to_its_holder() -> None:
    clock = FakeClock()
    runs, known = Runs(clock), run()

    async def both() -> None:
        async with runs.held(known, clock.now()) as mine:
            assert mine
            began = clock.now()
            async with runs.held(known, clock.now() + 3) as too:
                assert not too
            assert 3 <= clock.now() - began < 4
            assert known.lock.locked()
        assert not known.lock.locked()

    clock.run(both())


@pytest.mark.parametrize(("waits", "comes"), [(2, True), (0.5, False)])
def test_a_turn_comes_to_the_next_when_one_is_over(waits: float, *, comes: bool) -> None:
    clock = FakeClock()
    turns = Turns(2)
    seen: list[bool] = []

    async def busy() -> None:
        async with turns.taken(0.1) as mine:
            assert mine
            await asyncio.sleep(1)

    async def third() -> None:
        await asyncio.sleep(0.1)
        async with turns.taken(waits) as mine:
            seen.append(mine)

    async def all_of_them() -> None:
        await asyncio.gather(busy(), busy(), third())
        # Who left the line took nobody's turn with it.
        await asyncio.gather(busy(), busy())

    clock.run(all_of_them())
    assert seen == [comes]
