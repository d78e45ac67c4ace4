"""When nodes that have pods stay as they are: a maintenance window, turned inside out.

Karpenter's budgets say when something is *not* to happen: of those that are active, the strictest holds, and a budget
with a schedule is active from each of its times on, for its duration (karpenter.sh/docs/concepts/disruption,
"NodePool Disruption Budgets"). So a window in which nodes may be replaced is a budget of none for the rest of the week.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from aerodrome_stacks.environment.model import Cluster
from aerodrome_stacks.environment.problems import Problem
from aerodrome_stacks.environment.wording import show

_HOUR, _DAY = 60, 24 * 60
_WEEK = 7 * _DAY
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A part of each week.

    Attributes:
        schedule: When it begins, as five fields of cron, in UTC.
        minutes: How long it lasts.
    """

    schedule: str
    minutes: int

    @property
    def duration(self) -> str:
        """How long it lasts, as Karpenter writes it: ``157h30m``."""
        hours, minutes = divmod(self.minutes, _HOUR)
        return "".join(f"{number}{unit}" for number, unit in ((hours, "h"), (minutes, "m")) if number)


def outside_window(starts: str, lasts: timedelta) -> list[Closed]:
    """What of each week is outside a window.

    Args:
        starts: When the window begins, as five fields of cron, in UTC; every day of every month.
        lasts: How long it lasts, in whole minutes.
    """
    length = int(lasts.total_seconds()) // 60
    is_open = {(start + minute) % _WEEK for start in _minutes_of_the_week(starts) for minute in range(length)}
    runs: dict[tuple[int, int], list[int]] = {}
    for start in (minute for minute in range(_WEEK) if minute not in is_open and (minute - 1) % _WEEK in is_open):
        closed = next(after for after in range(1, _WEEK) if (start + after) % _WEEK in is_open)
        runs.setdefault((start % _DAY, closed), []).append(start // _DAY)
    return [
        Closed(
            schedule=f"{minute % _HOUR} {minute // _HOUR} * * {_days(days)}",
            minutes=closed,
        )
        for (minute, closed), days in sorted(runs.items())
    ]


def maintenance_comes_every_week(cluster: Cluster) -> Iterator[Problem]:
    """A maintenance window does not depend on the day of the month.

    Months differ in length, so what lies between two windows would, and no budget of Karpenter's says that.
    """
    window = cluster.maintenance_window
    if window is None:
        return
    _, _, day, month, _ = window.starts.split(" ")
    if (day, month) != ("*", "*"):
        yield Problem(
            ("cluster", "maintenance_window", "starts"),
            f"{show(window.starts)} depends on the day of the month or on the month; a window comes every day or on "
            'days of the week: write * for both, such as "0 2 * * sun"',
        )


def _minutes_of_the_week(schedule: str) -> Iterator[int]:
    minute, hour, _, _, weekday = schedule.lower().split(" ")
    for day in _values(weekday, 0, 6):
        for hours in _values(hour, 0, 23):
            for minutes in _values(minute, 0, 59):
                yield day * _DAY + hours * _HOUR + minutes


def _values(field: str, least: int, most: int) -> set[int]:
    return {value for item in field.split(",") for value in _values_of_item(item, least, most)}


def _values_of_item(item: str, least: int, most: int) -> Iterable[int]:
    values, _, step = item.partition("/")
    first, _, last = values.partition("-")
    if first == "*":
        return range(least, most + 1, int(step or 1))
    begin = _number(first)
    # "5/15" is 5 and every 15 from there on; "5" is 5.
    end = _number(last) if last else most if step else begin
    return range(begin, end + 1, int(step or 1))


def _number(text: str) -> int:
    return _WEEKDAYS.index(text) if text in _WEEKDAYS else int(text)


def _days(days: list[int]) -> str:
    return "*" if len(days) == len(_WEEKDAYS) else ",".join(map(str, sorted(days)))
