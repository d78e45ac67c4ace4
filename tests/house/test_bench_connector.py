"""What ``make bench`` counts of the connector, by hand; of what it times only that it is there."""

import math
from collections import Counter
from collections.abc import Sequence

import pytest

import bench_connector
import connector_memory
from connector_day import Job, Watched, jobs_of, watched_by_connector, watched_by_plugin
from connector_overhead import Began, Overhead

JOBS = jobs_of(0.5, 60)


def alike(count: int, *, ended: float) -> list[Job]:
    """Jobs that live at the same time."""
    return [Job(id=f"job-{number}", submitted=5, starting=20, ended=ended) for number in range(count)]


def connector(jobs: Sequence[Job] = JOBS, *, every_seconds: float = 10, events: bool = False) -> Watched:
    return watched_by_connector(jobs, every_seconds=every_seconds, events=events)


@pytest.mark.parametrize(("count", "calls_a_round"), [(1, 1), (50, 1), (51, 2), (120, 3)])
def test_the_plugin_asks_for_two_ids_a_job_each_half_minute_until_it_has_seen_the_end(
    count: int, calls_a_round: int
) -> None:
    found = watched_by_plugin(alike(count, ended=100))
    # At 30, 60, 90, and at 120, when it sees the end. The container started at 20 + 40.
    assert found.calls == 4 * calls_a_round
    assert found.asked == 4 * 2 * count
    assert found.running == [0.0] * count
    assert found.ended == [20.0] * count
    looks = watched_by_plugin(alike(count, ended=100), first_looks=True)
    assert (looks.calls - found.calls, looks.asked - found.asked) == (count, 2 * count)


def test_jobs_live_in_the_order_of_their_states_and_are_as_many_as_asked_for() -> None:
    assert len(JOBS) == len({job.id for job in JOBS}) == 60
    assert len({job.submitted for job in JOBS}) == 6, "ten of a workflow at once"
    for job in JOBS:
        assert list(job.changes) == sorted(job.changes)
        assert [job.detail(time)["status"] for time in (job.submitted, *job.changes)] == [
            *("SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")
        ]


@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("every_seconds", [10, 30])
def test_the_connector_sees_each_start_and_end_once_and_never_before_it(every_seconds: float, events: bool) -> None:  # noqa: FBT001 - a parameter of the test
    found = connector(every_seconds=every_seconds, events=events)
    # What it knows may be a minute old, and with events as old as the event is late; a call gathers for a quarter of a
    # second; then it is told in flytepropeller's next round.
    most = every_seconds + (1 if events else 60) + 1
    assert len(found.running) == len(found.ended) == len(JOBS)
    assert all(0 <= late <= most for late in (*found.running, *found.ended))


def test_the_connector_makes_the_same_calls_in_every_run() -> None:
    assert connector() == connector()


def test_jobs_that_live_at_the_same_time_are_asked_for_together() -> None:
    one, hundred = (connector(alike(count, ended=2000)) for count in (1, 100))
    assert one.asked == one.calls
    assert hundred.asked == 100 * hundred.calls


def test_with_events_it_is_asked_less_and_knows_more() -> None:
    alone, followed = connector(), connector(events=True)
    assert followed.calls < alone.calls
    assert followed.late()[1:] < alone.late()[1:]


@pytest.mark.parametrize("kind", connector_memory.KINDS)
def test_live_jobs_are_held_and_asked_for_in_rounds(kind: str) -> None:
    held = connector_memory.measure(kind, live=120)
    assert held.before > 0
    assert len(held.asked_cpu) == len(held.memory_cpu) == connector_memory.ROUNDS


def test_every_row_has_a_cell_for_each_heading() -> None:
    began = Began(answered=0.01, started=0.02, calls=Counter(SubmitJob=1, PutObject=3), end_calls=Counter(GetObject=1))
    overhead = Overhead(plain=[began], first=began, further=[began])
    held = connector_memory.Held(
        before=2**20, started=2**21, polled=3 * 2**20, start_cpu=1, asked_cpu=[1, 3, 2], memory_cpu=[0.5]
    )
    text = bench_connector.section(
        bench_connector.call_rows(JOBS),
        bench_connector.overhead_rows(overhead),
        [bench_connector.held_row(kind, held) for kind in connector_memory.KINDS],
    )
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len(table) > 3
        assert len({line.count("|") for line in table}) == 1, table
    assert "| the connector | 10 | 20 | 4: 3 PutObject, SubmitJob |" in text
    assert f"| 1 | 2.0 | {math.ceil(2 * 2**20 / connector_memory.LIVE)} | 1.00 | 2.00 | 0.50 |" in text
