"""Time that goes by when everybody waits, and an AWS that answers as a test says."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from prometheus_client import CollectorRegistry

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.settings import Settings
from simulated_aws import Inline, SimulatedClock, SimulatedLoop

Result = TypeVar("Result")

QUEUE = "arn:aws:batch:eu-west-1:131313131313:job-queue/spot"


class FakeClock(SimulatedClock):
    """A simulated time to whose event loops threads and sockets may speak."""

    def __init__(self, chance: float | None = None) -> None:
        super().__init__(start=1000.0)
        self._chance = chance

    def chance(self) -> float:
        return super().chance() if self._chance is None else self._chance

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def loop(self) -> asyncio.AbstractEventLoop:
        return SimulatedLoop(self, _Selector(self))


class _Selector(selectors.SelectSelector):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self._clock.time += timeout
        return ready


class FakeClient:
    """A client of any service: each call is answered by what the test set under its name."""

    def __init__(self, clock: FakeClock, answers: dict[str, Callable[..., dict[str, Any]]]) -> None:
        self._clock = clock
        self._answers = answers
        self.calls: list[tuple[float, str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**parameters: object) -> dict[str, Any]:
            self.calls.append((self._clock.now(), operation, parameters))
            return self._answers[operation](**parameters)

        return call

    def of(self, operation: str) -> list[dict[str, Any]]:
        """The requests of an operation, in order."""
        return [parameters for _, name, parameters in self.calls if name == operation]

    def close(self) -> None:
        """As a client's."""


class FakeSession:
    """Gives the same client for every service."""

    def __init__(self, client: FakeClient) -> None:
        self.client = client
        self.created: list[str] = []

    def register(self, event: str, handler: Callable[..., object]) -> None:
        """Take note of nothing: these clients send nothing."""

    def create_client(self, service: str, **_: object) -> FakeClient:
        self.created.append(service)
        return self.client


class World:
    """The connector's way to an AWS of the test's own."""

    def __init__(self, *, chance: float | None = None, **settings: Any) -> None:  # noqa: ANN401 - any setting
        self.clock = FakeClock(chance)
        self.answers: dict[str, Callable[..., dict[str, Any]]] = {}
        self.client = FakeClient(self.clock, self.answers)
        self.session = FakeSession(self.client)
        self.settings = Settings(**settings)
        self.registry = CollectorRegistry()
        self.aws = Aws(
            self.settings,
            session=self.session,  # type: ignore[arg-type]  # what of a session is used, it has
            metrics=Metrics(self.registry),
            clock=self.clock,
            executor=Inline(),
        )

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self.clock.run(coroutine)

    def sample(self, name: str, **labels: str) -> float:
        """A series' value; 0 if it is not there yet."""
        return self.registry.get_sample_value(f"flyte_aws_batch_{name}", labels) or 0.0


def client_error(code: str, status: int, operation: str = "DescribeJobs", *, message: str = "said AWS") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # the rest of the metadata is never read
        operation,
    )


def detail(job_id: str = "one", status: str = "RUNNABLE", **more: object) -> dict[str, Any]:
    """A job as DescribeJobs gives it."""
    return {
        "jobId": job_id,
        "jobName": f"name-of-{job_id}",
        "jobQueue": QUEUE,
        "status": status,
        "createdAt": 900_000,
        "attempts": [],
        "container": {"image": "code:1", "environment": [], "command": ["true"]},
        **more,
    }
