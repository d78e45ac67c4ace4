"""What the function is told to do: the event that its schedule sends."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]+")
_MEMBERS = frozenset({"callsPerSecond", "jobQueues", "jobRoles", "keep"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to clean up, and how fast.

    Attributes:
        job_queues: The names of the queues whose jobs keep what they use.
        job_roles: The names of the roles whose job definitions are cleaned up.
        keep: How many revisions for the same image, role and platform stay, the newest.
        calls_per_second: How many calls of AWS Batch there are in a second, at most.
    """

    job_queues: tuple[str, ...]
    job_roles: frozenset[str]
    keep: int
    calls_per_second: float

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """Read an event.

        Raises:
            ValueError: Something of it is missing, or cannot be meant.
        """
        if set(event) != _MEMBERS:
            raise ValueError(f"the event has {sorted(event)}; it must have {sorted(_MEMBERS)}, as the schedule's has")
        keep, pace = event["keep"], event["callsPerSecond"]
        # With none kept, a task that flytepropeller has just registered a revision for would fail. True is an int, too.
        if type(keep) is not int or keep < 1:
            raise ValueError(f"keep is {keep!r}; it must be a whole number of at least 1")
        if type(pace) not in {int, float} or pace <= 0:
            raise ValueError(f"callsPerSecond is {pace!r}; it must be a number above 0")
        return cls(
            job_queues=_names(event, "jobQueues"),
            job_roles=frozenset(_names(event, "jobRoles")),
            keep=keep,
            calls_per_second=pace,
        )


def _names(event: Mapping[str, Any], member: str) -> tuple[str, ...]:
    names = event[member]
    # Without a queue, no job would be found that uses anything.
    if not isinstance(names, list) or not names or not all(_NAME.fullmatch(str(name)) for name in names):
        raise ValueError(f"{member} is {names!r}; it must be a list of at least one name, not of ARNs")
    return tuple(names)
