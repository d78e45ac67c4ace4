"""Time and chance, in one place that tests can put another in."""

import asyncio
import random
import time


class Clock:
    """The machine's."""

    def now(self) -> float:
        """Seconds since some moment of the past, which nobody sets."""
        return time.monotonic()

    def date(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def chance(self) -> float:
        """A number from 0 to below 1."""
        return random.random()  # noqa: S311 - spreads calls out; nothing secret is made of it

    async def pause(self, seconds: float) -> None:
        """Let that many seconds go by."""
        await asyncio.sleep(seconds)

    def sleep(self, seconds: float) -> None:
        """The same for a thread."""
        time.sleep(seconds)
