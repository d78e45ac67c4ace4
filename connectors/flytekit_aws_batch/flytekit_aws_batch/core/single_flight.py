"""One task at a time for each key; whoever comes meanwhile gets the same answer."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class _LeftError(Exception):
    """Whoever did it was cancelled."""


class SingleFlight(Generic[Answer]):
    """Does for each key one thing at a time, from any thread and any event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, concurrent.futures.Future[Answer]] = {}

    async def do(self, key: str, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of the work that is being done for a key, or else of this work.

        An error of the work is everybody's. Whoever is cancelled leaves it to another one of those who wait.

        Args:
            key: What it is about.
            work: What makes the answer.
        """
        while True:
            with self._lock:
                flight = self._flights.get(key)
                if flight is None:
                    mine: concurrent.futures.Future[Answer] = concurrent.futures.Future()
                    # From here on nobody who waits can cancel it.
                    mine.set_running_or_notify_cancel()
                    self._flights[key] = mine
            if flight is None:
                return await self._fly(key, work, mine)
            try:
                return await asyncio.wrap_future(flight)
            except _LeftError:
                continue

    async def _fly(
        self, key: str, work: Callable[[], Awaitable[Answer]], flight: concurrent.futures.Future[Answer]
    ) -> Answer:
        try:
            answer = await work()
        except BaseException as error:
            self._land(key)
            flight.set_exception(error if isinstance(error, Exception) else _LeftError())
            raise
        self._land(key)
        flight.set_result(answer)
        return answer

    def _land(self, key: str) -> None:
        with self._lock:
            del self._flights[key]
