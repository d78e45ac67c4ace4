"""How fast calls may follow each other."""

import threading

from flytekit_aws_batch.core.clock import Clock


class Pace:
    """Lets calls through at a rate, in the order in which they ask.

    For any thread and any event loop: it hands out times rather than waiting itself.

    Args:
        rate: Calls a second in the long run.
        burst: Calls that may go at once after a rest. 1 keeps every second within the rate.
        clock: Whose seconds.
    """

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._gap = 1 / rate
        self._saved = (burst - 1) / rate
        self._clock = clock
        self._lock = threading.Lock()
        self._next = float("-inf")

    def reserve(self, most_seconds: float) -> float | None:
        """Take the next place in the line.

        Args:
            most_seconds: How long the caller would wait.

        Returns:
            In how many seconds the call may go. None: not within ``most_seconds``, and no place was taken.
        """
        with self._lock:
            now = self._clock.now()
            turn = max(self._next, now - self._saved)
            wait = max(0.0, turn - now)
            if wait > most_seconds:
                return None
            self._next = turn + self._gap
            return wait


class Gate:
    """Keeps threads apart that go through it, whatever they waited for before.

    A :class:`Pace` hands out times; an event loop that stood still lets all go at once whose time has come meanwhile.

    Args:
        rate: How many go in a second at most.
        clock: Whose seconds.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._gap = 1 / rate
        self._clock = clock
        self._lock = threading.Lock()
        self._next = float("-inf")

    def enter(self) -> None:
        """Wait, in the calling thread, until it is its turn."""
        with self._lock:
            now = self._clock.now()
            turn = max(self._next, now)
            self._next = turn + self._gap
        if turn > now:
            self._clock.sleep(turn - now)
