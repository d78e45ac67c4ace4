"""Time that goes by when everybody waits, and an AWS that answers at once: for measures of the connector alone.

A day of it takes seconds, and every run of it makes the same calls. The tests of the connector's core go by it, too.
"""

import asyncio
import concurrent.futures
import random
import selectors
from collections.abc import Callable, Coroutine, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prometheus_client import CollectorRegistry

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.clock import Clock
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.settings import Settings

if TYPE_CHECKING:
    import botocore.session

Answers = Mapping[str, Callable[..., dict[str, Any]]]
"""What answers each operation, by its name in snake_case, given the request's members."""

_T = TypeVar("_T")


class SimulatedClock(Clock):
    """A time of its own: it goes on when the event loop has nothing to do but wait.

    Args:
        start: What it begins at, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.time = start
        self._random = random.Random(6)  # noqa: S311 - the same pauses in every run

    def now(self) -> float:
        """The time, in seconds."""
        return self.time

    def date(self) -> float:
        """The same, as seconds since 1970."""
        return self.time

    def chance(self) -> float:
        """As the machine's, and the same in every run."""
        return self._random.random()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """What a coroutine returns, in an event loop made for it and closed afterwards."""
        with asyncio.Runner(loop_factory=self.loop) as runner:
            return runner.run(coroutine)

    def loop(self) -> asyncio.AbstractEventLoop:
        """An event loop that goes by this time, and to which nothing comes from outside."""
        return SimulatedLoop(self, _Selector(self))


class _Selector(selectors.SelectSelector):
    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # What the loop waits for is a time, and that is now.
        if timeout:
            self._clock.time += timeout
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop that goes by a simulated time.

    Args:
        clock: That time.
        selector: What it waits with, which is to move the time on.
    """

    def __init__(self, clock: SimulatedClock, selector: selectors.BaseSelector) -> None:
        self._clock = clock
        super().__init__(selector)

    def time(self) -> float:
        """The clock's."""
        return self._clock.time


class Inline(concurrent.futures.Executor):
    """Runs what it gets at once, where it got it: a thread would need time that does not go by."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:  # noqa: ANN401 - the signature of the standard library
        """Run it."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as every executor, it hands it to whoever waits
            future.set_exception(error)
        return future


class _Client:
    meta = SimpleNamespace(region_name="eu-west-1", partition="aws")

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def close(self) -> None:
        """There is nothing to let go of."""

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        return self._answers[operation]


class _Session:
    def __init__(self, answers: Answers) -> None:
        self._client = _Client(answers)

    def register(self, event: str, handler: object) -> None:
        """Nothing is sent of which anybody could be told."""

    def create_client(self, _service: str, **_: object) -> _Client:
        return self._client


def simulated_aws(settings: Settings, clock: SimulatedClock, answers: Answers) -> Aws:
    """The connector's way to AWS, with its limits, where what is here answers."""
    return Aws(
        settings,
        session=cast("botocore.session.Session", _Session(answers)),
        metrics=Metrics(CollectorRegistry()),
        clock=clock,
        executor=Inline(),
    )
