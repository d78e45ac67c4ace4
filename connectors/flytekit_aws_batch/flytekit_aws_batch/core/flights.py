"""Waiting for calls that go on, whatever becomes of whoever waits."""

import asyncio
import concurrent.futures
from typing import Any


async def landed(flight: concurrent.futures.Future[Any], within_seconds: float | None = None) -> bool:
    """Wait until a call is over, without a word about how it went.

    Args:
        flight: The call. It is left alone when whoever waits is cancelled.
        within_seconds: How long to wait. None: as long as it takes.

    Returns:
        Whether it is over.
    """
    here = asyncio.wrap_future(flight)
    # Who is interested looks at the call itself: asyncio is not to complain of an error that nobody saw here.
    here.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait({here}, timeout=within_seconds)
    return flight.done()
