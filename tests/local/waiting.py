"""Waiting for what comes in its own time."""

import time
from collections.abc import Callable
from typing import TypeVar

_WAIT_SECONDS = 30.0

_T = TypeVar("_T")


def eventually(condition: Callable[[], _T], what: str) -> _T:
    """Wait until a condition gives something true, and return that."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {_WAIT_SECONDS:g} s: {what}"
        time.sleep(0.02)
    return found
