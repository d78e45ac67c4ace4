"""A maintenance window, turned into the budgets that hold outside of it."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from aerodrome_stacks.environment.maintenance import Closed, outside_window
from tests.stacks.environment.conftest import Problems

WEEK = 7 * 24 * 60
# From Sunday, 00:00, on.
SUNDAY, MONDAY, SATURDAY = 0, 24 * 60, 6 * 24 * 60
STARTS = "cluster.maintenance_window.starts"


@pytest.mark.parametrize(
    ("starts", "hours", "closed"),
    [
        pytest.param("0 4 * * sun", 8, [("0 12 * * 0", "160h")], id="once a week"),
        pytest.param("30 1 * * *", 2, [("30 3 * * *", "22h")], id="every night"),
        pytest.param(
            "0 22 * * 1-5", 6, [("0 4 * * 2,3,4,5", "18h"), ("0 4 * * 6", "66h")], id="nights of working days"
        ),
        pytest.param("15 20 * * SAT", 24, [("15 20 * * 0", "144h")], id="over the end of the week"),
        pytest.param("0 0,12 * * *", 1.5, [("30 1 * * *", "10h30m"), ("30 13 * * *", "10h30m")], id="twice a day"),
        pytest.param("0 */8 * * *", 8, [], id="always"),
    ],
)
def test_what_is_outside_of_a_window_is_said_in_few_budgets(
    starts: str, hours: float, closed: Sequence[tuple[str, str]]
) -> None:
    assert [(each.schedule, each.duration) for each in outside_window(starts, timedelta(hours=hours))] == closed


def active(budget: Closed) -> Iterator[int]:
    """The minutes of the week in which Karpenter takes a budget for active: from each time of its schedule on."""
    minute, hour, day, month, weekdays = budget.schedule.split(" ")
    assert (day, month) == ("*", "*")
    for weekday in range(7) if weekdays == "*" else map(int, weekdays.split(",")):
        start = (weekday * 24 + int(hour)) * 60 + int(minute)
        yield from ((start + after) % WEEK for after in range(budget.minutes))


@pytest.mark.parametrize(
    ("starts", "hours", "first", "repeated"),
    [
        pytest.param("0 4 * * sun", 8, SUNDAY + 4 * 60, WEEK, id="once a week"),
        pytest.param("45 23 * * 6", 9, SATURDAY + 23 * 60 + 45, WEEK, id="over the end of the week"),
        pytest.param("20 3 * * *", 1, SUNDAY + 3 * 60 + 20, 24 * 60, id="every day"),
        pytest.param("5/20 0-23/3 * * *", 1, SUNDAY + 5, 3 * 60, id="steps"),
    ],
)
def test_a_minute_is_in_the_window_or_in_one_budget(starts: str, hours: int, first: int, repeated: int) -> None:
    closed = [minute for budget in outside_window(starts, timedelta(hours=hours)) for minute in active(budget)]
    # "5/20" is at 5, 25 and 45 past the hour, so that the last window ends 40 minutes after the first.
    length = hours * 60 + (40 if "/" in starts else 0)
    window = {(start + after) % WEEK for start in range(first, first + WEEK, repeated) for after in range(length)}

    assert len(closed) == len(set(closed))
    assert set(closed) == set(range(WEEK)) - window


@pytest.mark.parametrize("starts", ["0 4 1 * *", "0 4 * jan sun"])
def test_a_window_that_depends_on_the_month_is_refused(problems: Problems, starts: str) -> None:
    changes = {"cluster.maintenance_window": {"starts": starts, "lasts": "8h"}}

    (problem,) = problems(changes)

    assert problem == (
        f'{STARTS}: "{starts}" depends on the day of the month or on the month; a window comes every day or on days of '
        'the week: write * for both, such as "0 2 * * sun"'
    )


def test_a_window_on_days_of_the_week_is_taken(problems: Problems) -> None:
    assert problems({"cluster.maintenance_window": {"starts": "0 22 * * 1-5", "lasts": "6h"}}) == []
