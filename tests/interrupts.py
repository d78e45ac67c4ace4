"""Interrupting what tests start, as Ctrl-C does."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Processes that are started meanwhile can be interrupted, also where the tests run in the background of a shell.

    Such a shell has its children ignore SIGINT, and their children inherit that, but not a handler.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
