"""What takes longer than one question: done in a thread, and kept until whoever asked has asked again."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from flytekit_aws_batch.core.clock import Clock

Item = TypeVar("Item")

_FORGET_AFTER_SECONDS = 600.0


class Work:
    """Work on many objects, in a thread of its own, as the event loops of questions end.

    Attributes:
        size: How many objects there are.
        done: How many of them are done.
        error: Why it came to an end before it was done. None: it did not.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.done = 0
        self.error: Exception | None = None
        self._finished: concurrent.futures.Future[None] = concurrent.futures.Future()
        # From now on a cancelled question cannot take it from the others that wait for it.
        self._finished.set_running_or_notify_cancel()

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start it. What it raises is kept for whoever asks next."""
        threading.Thread(target=self._run, args=(work,), name="flytekit-aws-batch-work", daemon=True).start()

    @property
    def finished(self) -> bool:
        """Whether it has come to an end."""
        return self._finished.done()

    async def wait(self, seconds: float) -> bool:
        """Whether it has come to an end, for which no thread of the event loop's waits."""
        told = asyncio.wrap_future(self._finished)
        try:
            await asyncio.wait({told}, timeout=seconds)
        finally:
            # Whoever leaves is not to be told any more: by then its event loop may be closed.
            told.cancel()
        return self.finished

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            asyncio.run(work())
        except ExceptionGroup as group:
            self.error = group.exceptions[0]
        except Exception as error:  # noqa: BLE001 - whoever asks next is told
            self.error = error
        finally:
            self._finished.set_result(None)


class Kept(Generic[Item]):
    """Things by name, until nobody has asked for them in ten minutes. For any thread.

    Args:
        clock: Whose minutes. Default: the machine's.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._items: dict[str, tuple[float, Item]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, name: str) -> Item | None:
        """What is kept under a name. None: nothing."""
        with self._lock:
            kept = self._items.get(name)
            if kept is None:
                return None
            self._items[name] = (self._clock.now(), kept[1])
            return kept[1]

    def of(self, name: str, make: Callable[[], Item]) -> Item:
        """What is kept under a name, or made now."""
        kept = self.get(name)
        if kept is not None:
            return kept
        with self._lock:
            now = self._clock.now()
            for each in [key for key, (wanted, _) in self._items.items() if now - wanted > _FORGET_AFTER_SECONDS]:
                del self._items[each]
            return self._items.setdefault(name, (now, make()))[1]

    def drop(self, name: str) -> None:
        """Keep it no longer."""
        with self._lock:
            self._items.pop(name, None)
