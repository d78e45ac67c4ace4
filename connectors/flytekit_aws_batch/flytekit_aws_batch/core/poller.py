"""Asking Batch how jobs are: many questions, few calls of DescribeJobs."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.known_jobs import Entry, KnownJobs, parent
from flytekit_aws_batch.core.settings import Settings

MOST_JOBS: Final = 100
"""The most jobs of a call of DescribeJobs, as its reference says."""

# asyncio ends a wait up to the resolution of its clock too early.
_EARLY_SECONDS = 0.001
_GATHERING_SECONDS = 0.25
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
# 0.2 s doubled so often is above the longest.
_MOST_DOUBLINGS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is known of a job.

    Attributes:
        job: The job. None: Batch knows no such job; or, with ``error``, nothing is known of it yet.
        age_seconds: How old this is.
        error: Why it is older than it should be, or unknown, in AWS's words. None: it is not.
    """

    job: JobState | None
    age_seconds: float = 0.0
    error: str | None = None


@dataclass(slots=True)
class _Batch:
    """One call of DescribeJobs: gathering jobs, waiting for its turn, or under way."""

    due: float
    jobs: list[str] = field(default_factory=list)
    open: bool = True
    sent: bool = False
    asked_at: float = 0.0
    found: Mapping[str, JobState] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    passes: bool = True
    done: concurrent.futures.Future[None] = field(default_factory=concurrent.futures.Future)


class JobPoller:
    """Knows how jobs are, as freshly as needed.

    Questions from any number of tasks, threads and event loops come together in calls for up to 100 jobs. Whoever of
    those who wait notices first that a call is due sends it, in a thread; so nothing has to run while nobody asks, and
    nobody waits for an event loop that stands still.

    Args:
        aws: The way to AWS.
        settings: How fresh, and how long to wait.
    """

    def __init__(self, aws: Aws, settings: Settings) -> None:
        self._aws = aws
        self._settings = settings
        self._clock = aws.clock
        self._lock = threading.Lock()
        self._known = KnownJobs(settings, aws.metrics, aws.clock)
        self._asked: dict[str, _Batch] = {}
        self._gathering: _Batch | None = None
        self._not_before = float("-inf")
        self._failures = 0
        # Why the last call of DescribeJobs came to nothing. None: it did not.
        self._last_error: str | None = None

    @property
    def watching(self) -> int:
        """How many jobs that have not ended somebody asked for in the last five minutes."""
        with self._lock:
            return self._known.living()

    def followed_by(self, well: Callable[[], bool]) -> None:
        """Ask but seldom for jobs that state changes tell of, as long as the function says that these come."""
        self._known.events_well = well

    def watches(self, job_id: str) -> bool:
        """Whether somebody asked for a job within the last minute; of a child of an array, or a node, its parent."""
        with self._lock:
            return job_id in self._known

    async def get(self, job_id: str, *, patience_seconds: float | None = None) -> Answer:
        """How a job is. Raises for nothing that AWS does.

        Args:
            job_id: Its ID; of an array its parent's.
            patience_seconds: The longest that it takes; then it says what it knew before. Default: the settings'.
        """
        patience = self._settings.patience_seconds if patience_seconds is None else patience_seconds
        until = self._clock.now() + patience
        while True:
            with self._lock:
                entry = self._known.wanted(job_id)
                if self._known.is_fresh(entry):
                    return self._answer("memory", entry)
                batch = self._join(job_id)
            await self._until_done(batch, until)
            with self._lock:
                if not batch.done.done():
                    return self._answer("stale", entry, self._last_error or "AWS Batch did not answer in time")
                if job_id in batch.unreadable:
                    return self._answer("stale", entry, batch.unreadable[job_id])
                if batch.error is None:
                    # What the call found, if the job was dropped meanwhile.
                    return self._answer("asked", entry, found=batch.found.get(job_id))
                if not batch.passes or self._clock.now() >= until:
                    return self._answer("stale", entry, batch.error)

    def forget(self, job_id: str) -> None:
        """Drop what is known of a job, so that the next question goes to Batch."""
        with self._lock:
            self._known.drop(job_id)

    def update(self, detail: Mapping[str, Any]) -> bool:
        """Take a state change that Batch tells of by itself.

        Args:
            detail: The ``detail`` of a ``Batch Job State Change`` event, which looks as in DescribeJobs.

        Returns:
            Whether it was news of a job that somebody asked for.
        """
        job_id = str(detail["jobId"])
        job = JobState.of(detail) if parent(job_id) == job_id else None
        with self._lock:
            return self._known.heard(job_id, job)

    def _answer(self, source: str, entry: Entry, error: str | None = None, found: JobState | None = None) -> Answer:
        self._aws.metrics.polls.labels(source).inc()
        return Answer(job=entry.job or found, age_seconds=entry.age(self._clock.now()), error=error)

    def _join(self, job_id: str) -> _Batch:
        """The call that asks for a job: the one that does already, or the one that is gathering."""
        batch = self._asked.get(job_id)
        if batch is not None:
            return batch
        batch = self._gathering
        if batch is None or not batch.open:
            batch = self._gathering = _Batch(due=max(self._clock.now() + _GATHERING_SECONDS, self._not_before))
            # From now on a cancelled task cannot take it from the others that wait for it.
            batch.done.set_running_or_notify_cancel()
        batch.jobs.append(job_id)
        self._asked[job_id] = batch
        if len(batch.jobs) == MOST_JOBS:
            self._close(batch)
        return batch

    def _close(self, batch: _Batch) -> None:
        """Let nobody more in, fill it with jobs that are due soon, and take a place in the line."""
        batch.open = False
        # Without these, calls with events are of a job or two: each comes due at a time of its own.
        if room := MOST_JOBS - len(batch.jobs):
            for job_id in self._known.due_soon(room, self._asked):
                batch.jobs.append(job_id)
                self._asked[job_id] = batch
        wait = self._aws.reserve("batch", "describe_jobs", float("inf")) or 0.0
        batch.due = max(self._clock.now() + wait, self._not_before)

    async def _until_done(self, batch: _Batch, until: float) -> None:
        """Wait until a call is answered, and send it when its turn comes."""
        while True:
            with self._lock:
                now = self._clock.now()
                if batch.open and now >= batch.due - _EARLY_SECONDS:
                    self._close(batch)
                mine = not batch.open and not batch.sent and now >= batch.due - _EARLY_SECONDS
                if mine:
                    batch.sent, batch.asked_at = True, now
                wake = until if batch.sent else min(until, batch.due)
            if mine:
                self._send(batch)
            if batch.done.done() or now >= until:
                return
            answered = asyncio.wrap_future(batch.done)
            try:
                await asyncio.wait({answered}, timeout=wake - now)
            finally:
                # Whoever leaves is not to be told any more: by then its event loop may be closed.
                answered.cancel()

    def _send(self, batch: _Batch) -> None:
        def take(call: concurrent.futures.Future[dict[str, Any]]) -> None:
            try:
                found, unreadable = _read(call.result()["jobs"])
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait have to be told
                self._failed(batch, error)
            else:
                self._answered(batch, found, unreadable)

        self._aws.metrics.described.inc(len(batch.jobs))
        try:
            self._aws.submit("batch", "describe_jobs", {"jobs": batch.jobs}).add_done_callback(take)
        except RuntimeError as error:
            # The threads are gone: the connector is being stopped.
            self._failed(batch, error)

    def _answered(self, batch: _Batch, found: Mapping[str, JobState], unreadable: Mapping[str, str]) -> None:
        with self._lock:
            batch.found, batch.unreadable = found, unreadable
            for job_id in batch.jobs:
                del self._asked[job_id]
                if job_id not in unreadable:
                    self._known.described(job_id, found.get(job_id), batch.asked_at)
            self._failures, self._last_error = 0, None
        batch.done.set_result(None)

    def _failed(self, batch: _Batch, error: Exception) -> None:
        with self._lock:
            for job_id in batch.jobs:
                del self._asked[job_id]
            batch.error = self._last_error = str(error)
            batch.passes = isinstance(error, CallError) and error.passes
            longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**self._failures)
            self._failures = min(self._failures + 1, _MOST_DOUBLINGS)
            self._not_before = self._clock.now() + self._clock.chance() * longest
        batch.done.set_result(None)


def _read(details: Iterable[Mapping[str, Any]]) -> tuple[dict[str, JobState], dict[str, str]]:
    """The jobs, and why those that are unlike any other cannot be read: each is its own task's misfortune only."""
    found: dict[str, JobState] = {}
    unreadable: dict[str, str] = {}
    for detail in details:
        try:
            found[detail["jobId"]] = JobState.of(detail)
        except Exception as error:  # noqa: BLE001 - whatever it is, who asks for the job is told
            unreadable[str(detail.get("jobId"))] = f"DescribeJobs tells of it what cannot be read: {error!r}"
    return found, unreadable
