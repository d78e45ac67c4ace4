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
    # A word for whoever waits here: to leave the call itself would cancel it while it waits for a thread.
    word: concurrent.futures.Future[None] = concurrent.futures.Future()
    word.set_running_or_notify_cancel()
    flight.add_done_callback(lambda _: word.set_result(None))
    here = asyncio.wrap_future(word)
    try:
        await asyncio.wait({here}, timeout=within_seconds)
    finally:
        # Whoever leaves is not to be told any more: by then its event loop may be closed.
        here.cancel()
    return flight.done()
