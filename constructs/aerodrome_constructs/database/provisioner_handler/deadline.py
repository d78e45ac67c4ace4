"""The time that an invocation has."""

import time
from dataclasses import dataclass

from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by which the work must be done, so that there is time left to tell CloudFormation how it ended.

    A function that Lambda ends at its own limit tells nobody, and the stack waits.

    Attributes:
        at: On the monotonic clock, in seconds.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The moment that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left.

        Raises:
            DatabaseTaskError: None are.
        """
        seconds = self.at - time.monotonic()
        if seconds <= 0:
            raise DatabaseTaskError("the function ran out of time; deploy again to go on where it stopped")
        return seconds
