"""Schedules, as Kubernetes, Flyte and Karpenter write them: five fields, in UTC."""

import re
from typing import Annotated

from pydantic import AfterValidator

from aerodrome_stacks.environment.domain_types import String
from aerodrome_stacks.environment.forms import refusal
from aerodrome_stacks.environment.wording import show

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

# Each field's name, least and most number, and the names that stand for numbers, the first for the least.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _WEEKDAYS),
)


def check_cron(expression: str) -> str:
    """Return a cron expression as it is.

    Raises:
        PydanticCustomError: It has not five fields, or one of them is out of range.
    """
    fields = expression.split(" ")
    if len(fields) != len(_FIELDS):
        raise refusal(
            f"{show(expression)} is not a schedule; those have five fields, minute, hour, day of the month, month and "
            'day of the week, one space apart, such as "0 3 * * sun"'
        )
    for text, (name, least, most, names) in zip(fields, _FIELDS, strict=True):
        for item in text.split(","):
            if not _is_item(item.lower(), least, most, names):
                allowed = f"{least} to {most}" + (f" or {names[0]} to {names[-1]}" if names else "")
                raise refusal(
                    f"{show(item)} cannot be the {name} of a schedule; {allowed} are allowed, ranges (1-5), "
                    "lists (1,3) and steps (*/2)"
                )
    return expression


def _is_item(item: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    value = "|".join(("[0-9]{1,2}", *names))
    match = re.fullmatch(rf"(?:\*|(?P<first>{value})(?:-(?P<last>{value}))?)(?:/(?P<step>[1-9][0-9]?))?", item)
    if match is None:
        return False
    given = [each for each in (match["first"], match["last"]) if each is not None]
    numbers = [names.index(each) + least if each in names else int(each) for each in given]
    return all(least <= number <= most for number in numbers) and numbers == sorted(numbers)


Cron = Annotated[String, AfterValidator(check_cron)]
