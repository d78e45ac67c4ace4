"""S3, Batch and time in the hands of a test: every call waits until the test says what becomes of it, and when."""

import asyncio
import concurrent.futures
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal

from prometheus_client import CollectorRegistry

from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.core.clock import Clock
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.settings import Settings

Fate = Literal["done", "lost", "failed", "throttled"]
FATES: tuple[Fate, ...] = ("done", "lost", "failed", "throttled")

_TURNS = 8


@dataclass
class Stored:
    """An object in S3."""

    body: bytes
    etag: str
    modified: float


@dataclass
class Job:
    """A job in Batch, which lists show only after some time."""

    id: str
    name: str
    created: float
    listed: float
    terminated: bool = False
    detail: dict[str, Any] = field(default_factory=lambda: {"status": "RUNNABLE"})


@dataclass
class Waiting:
    """A call that waits for its fate, or a pause for its end."""

    since: float
    answer: concurrent.futures.Future[Any]
    operation: str = ""
    carry_out: Callable[[], Any] = lambda: None
    until: float | None = None


class Account:
    """What is shared: time, S3 and Batch.

    Args:
        lag: How many seconds after it was submitted lists show a job; asked for each job.
    """

    def __init__(self, lag: Callable[[], float]) -> None:
        self.now = 1_000_000.0
        self.objects: dict[str, Stored] = {}
        self.jobs: list[Job] = []
        self._lag = lag
        self._etags = itertools.count()

    def carry_out(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return getattr(self, f"_{operation}")(**request)  # type: ignore[no-any-return]  # one of those below

    def _put_object(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
        key, body, match = request["Key"], request["Body"], request.get("IfMatch")
        there = self.objects.get(key)
        if match and there is None:
            raise CallError("PutObject", "NoSuchKey", "The specified key does not exist.", "not_found")
        if there and ("IfNoneMatch" in request or (match and there.etag != match)):
            raise CallError("PutObject", "PreconditionFailed", "At least one precondition failed", "refused")
        # As S3's own, it says nothing but what the content is.
        etag = next((each.etag for each in self.objects.values() if each.body == body), f'"{next(self._etags)}"')
        self.objects[key] = Stored(body, etag, self.now)
        return {"ETag": etag}

    def _get_object(self, Key: str, **_: str) -> dict[str, Any]:  # noqa: N803 - as boto names it
        there = self.objects.get(Key)
        if there is None:
            raise CallError("GetObject", "NoSuchKey", "The specified key does not exist.", "not_found")
        date = format_datetime(datetime.fromtimestamp(int(self.now), UTC), usegmt=True)
        return {
            "Body": there.body,
            "ContentLength": len(there.body),
            "ETag": there.etag,
            "LastModified": datetime.fromtimestamp(int(there.modified), UTC),
            "ResponseMetadata": {"HTTPHeaders": {"date": date}},
        }

    def _head_object(self, Key: str, **_: str) -> dict[str, Any]:  # noqa: N803 - as boto names it
        if Key not in self.objects:
            raise CallError("HeadObject", "404", "Not Found", "not_found")
        return {}

    def _submit_job(self, jobName: str, **_: object) -> dict[str, Any]:  # noqa: N803 - as boto names it
        job = Job(f"job-{len(self.jobs)}", jobName, self.now, self.now + self._lag())
        self.jobs.append(job)
        return {"jobId": job.id}

    def _list_jobs(self, filters: list[dict[str, Any]], **_: object) -> dict[str, Any]:
        """As AWS: letter case does not count, an asterisk ends a beginning, and the newest job comes first."""
        (name,) = (value.lower() for value in filters[0]["values"])
        shown = [
            job
            for job in self.jobs
            if (job.name.lower().startswith(name[:-1]) if name.endswith("*") else job.name.lower() == name)
            and job.listed <= self.now
        ]
        shown.sort(key=lambda job: job.created, reverse=True)
        found = [{"jobId": job.id, "jobName": job.name, "createdAt": int(job.created * 1000)} for job in shown]
        return {"jobSummaryList": found}

    def _terminate_job(self, jobId: str, **_: object) -> dict[str, Any]:  # noqa: N803 - as boto names it
        next(job for job in self.jobs if job.id == jobId).terminated = True
        return {}


class HeldClock(Clock):
    """The account's time; who pauses waits for the test."""

    def __init__(self, way: "HeldAws") -> None:
        self._way = way

    def now(self) -> float:
        return self._way.account.now

    def chance(self) -> float:
        return 0.5

    async def pause(self, seconds: float) -> None:
        if seconds > 0:
            await self._way.wait(Waiting(self.now(), concurrent.futures.Future(), until=self.now() + seconds))


@dataclass
class HeldAws:
    """One connector's way to the account: it does one thing at a time, and what it does waits.

    Attributes:
        waiting: What it waits for. None: nothing.
    """

    account: Account
    settings: Settings
    metrics: Metrics = field(default_factory=lambda: Metrics(CollectorRegistry()))
    waiting: Waiting | None = None

    def __post_init__(self) -> None:
        self.clock = HeldClock(self)

    @property
    def calls(self) -> bool:
        """Whether it waits for a call, rather than for time to go by."""
        return self.waiting is not None and self.waiting.until is None

    async def wait(self, waiting: Waiting) -> Any:  # noqa: ANN401 - whatever the call answers
        self.waiting = waiting
        return await asyncio.wrap_future(waiting.answer)

    async def call(self, _service: str, operation: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
        found: dict[str, Any] = await self.wait(self._held(operation, request))
        return found

    def submit(
        self, _service: str, operation: str, request: dict[str, Any], *, not_after: float
    ) -> concurrent.futures.Future[dict[str, Any]]:
        if self.account.now > not_after:
            late: concurrent.futures.Future[dict[str, Any]] = concurrent.futures.Future()
            late.set_exception(CallError(operation, "TooLate", "its time has passed", "throttled"))
            return late
        self.waiting = self._held(operation, request)
        # As one that a thread has begun: nobody cancels it.
        self.waiting.answer.set_running_or_notify_cancel()
        return self.waiting.answer

    def reserve(self, _service: str, _operation: str, _most_seconds: float) -> float:
        return 0.0

    def _held(self, operation: str, request: dict[str, Any]) -> Waiting:
        return Waiting(
            self.account.now,
            concurrent.futures.Future(),
            operation,
            lambda: self.account.carry_out(operation, request),
        )

    def settle(self, fate: Fate) -> None:
        """Say what becomes of the call that waits."""
        waiting, self.waiting = self.waiting, None
        assert waiting is not None
        assert waiting.until is None
        error: CallError | None = None
        answer: Any = None
        if fate in ("done", "lost"):
            try:
                answer = waiting.carry_out()
            except CallError as refused:
                error = refused
        if fate != "done":
            kind: Any = "throttled" if fate == "throttled" else "ambiguous"
            error = CallError(waiting.operation, "Test", fate, kind)
        if waiting.answer.cancelled():
            return
        if error is not None:
            waiting.answer.set_exception(error)
        else:
            waiting.answer.set_result(answer)

    def wake(self) -> None:
        """End the pause, if it is time."""
        waiting = self.waiting
        if waiting is not None and waiting.until is not None and waiting.until <= self.account.now:
            self.waiting = None
            if not waiting.answer.cancelled():
                waiting.answer.set_result(None)


async def turns() -> None:
    """Let the event loop do all that there is to do."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
