"""What is kept of runs in memory: little, and nothing that S3 and Batch could not tell again."""

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from flytekit_aws_batch.core.clock import Clock
from flytekit_aws_batch.core.plan import Handle, Plan, Wave, job_name
from flytekit_aws_batch.core.progress import Progress
from flytekit_aws_batch.core.ranges import from_ranges
from flytekit_aws_batch.core.submitter import Submission

_FORGET_AFTER_SECONDS = 3600.0
_SWEEP_SECONDS = 60.0
_LOCK_SECONDS = 0.05


@dataclass(slots=True, kw_only=True)
class Run:
    """A run that somebody asks for.

    Attributes:
        prefix: Where its outputs go.
        name: What the names of its jobs begin with.
        attempt: The attempt's number.
        began: When it was first seen here.
        wanted_at: When somebody asked last.
        lock: Held by whoever changes it.
        plan: What it runs, while something is being submitted.
        submission: The submission under way. None: there is none.
        job: The ID of the last wave's job. Empty: it has none, or nothing is known yet.
        ours: :attr:`Submission.ours`, of that job.
        earlier: The IDs of the jobs before.
        wave: The last wave's number.
        because: Why there is that wave.
        size: The elements of its list, 0 if it is none.
        elements: Those in the last wave.
        done: Those that succeeded before.
        failed: Those that failed for good before.
        notes: What differs from what was asked for.
        adopts: The run of an earlier attempt that it stands for. None: it is one of its own.
        missing_since: Since when Batch does not know the job. None: it does.
        result: How it ended. None: it has not, as far as is known here.
    """

    prefix: str
    name: str
    attempt: int
    began: float
    wanted_at: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    plan: Plan | None = None
    submission: Submission | None = None
    job: str = ""
    ours: bool = False
    earlier: tuple[str, ...] = ()
    wave: int = 0
    because: str = ""
    size: int = 0
    elements: int = 0
    done: int = 0
    failed: int = 0
    notes: tuple[str, ...] = ()
    adopts: Handle | None = None
    missing_since: float | None = None
    result: Progress | None = None

    @property
    def known(self) -> bool:
        """Whether what S3 has of it was read."""
        return bool(self.job or self.submission or self.adopts or self.result)

    @property
    def jobs(self) -> tuple[str, ...]:
        """The IDs of its jobs, the first submission first."""
        return (*self.earlier, self.job) if self.job else self.earlier

    @property
    def job_name(self) -> str:
        """The name of the last wave's job."""
        return job_name(self.name, self.attempt, self.wave)

    @property
    def left(self) -> int:
        """Elements that wait for a further wave."""
        return self.size - self.done - self.failed - self.elements

    def begin(self, plan: Plan, wave: Wave) -> None:
        """Go on with a wave, which may be submitted already."""
        self.plan, self.submission = plan, Submission(wave)
        self._take(plan, wave)

    def resume(self, plan: Plan, wave: Wave) -> None:
        """Go on with a wave that is in S3, whoever wrote it."""
        self.begin(plan, wave)
        if wave.job:
            self.submitted()
        elif self.submission is not None:
            self.submission.tries = 1

    def submitted(self) -> None:
        """Keep of the submission, which is over, what is needed to tell of its job."""
        if self.plan is not None and self.submission is not None:
            self._take(self.plan, self.submission.wave)
            self.job, self.ours = self.submission.wave.job, self.submission.ours
        self.plan = self.submission = self.missing_since = None

    def end(self, result: Progress) -> Progress:
        """Keep how it ended, and nothing else."""
        self.plan = self.submission = None
        self.result = result
        return result

    def _take(self, plan: Plan, wave: Wave) -> None:
        self.job, self.ours, self.earlier = "", False, wave.earlier
        self.wave, self.because, self.notes = wave.number, wave.because, plan.notes
        self.size = plan.array.size if plan.array else 0
        self.elements = len(wave.indices)
        self.done, self.failed = len(from_ranges(wave.done)), len(from_ranges(wave.failed))


class Runs:
    """The runs that somebody asked for lately. For any thread.

    Args:
        clock: Whose seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._swept_at = clock.now()

    def __len__(self) -> int:
        return len(self._runs)

    def of(self, handle: Handle) -> Run:
        """The run of a handle, of which nothing need be known yet."""
        now = self._clock.now()
        with self._lock:
            if now - self._swept_at > _SWEEP_SECONDS:
                self._sweep(now)
            run = self._runs.get(handle.output_prefix)
            if run is None:
                run = Run(
                    prefix=handle.output_prefix, name=handle.name, attempt=handle.attempt, began=now, wanted_at=now
                )
                self._runs[handle.output_prefix] = run
            run.wanted_at = now
            return run

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        old = [key for key, run in self._runs.items() if now - run.wanted_at > _FORGET_AFTER_SECONDS]
        for key in old:
            del self._runs[key]

    @asynccontextmanager
    async def held(self, run: Run, until: float) -> AsyncIterator[bool]:
        """Hold a run for oneself, and say whether it came to that in time.

        It is not bound to an event loop: who holds it may be in another one, in another thread, or may have been
        interrupted by a signal whose handler is who asks now.
        """
        while not (held := run.lock.acquire(blocking=False)) and self._clock.now() < until:
            await self._clock.pause(_LOCK_SECONDS)
        try:
            yield held
        finally:
            if held:
                run.lock.release()


class Turns:
    """Lets some at a time, and the others wait in line.

    Of many who come at once the first are done soon, rather than all of them too late.

    Args:
        at_once: How many, in each event loop.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._rooms: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
        self._rooms = weakref.WeakKeyDictionary()

    @asynccontextmanager
    async def taken(self, within_seconds: float) -> AsyncIterator[bool]:
        """Take a turn, and say whether it came in time."""
        with self._lock:
            room = self._rooms.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._at_once))
        try:
            async with asyncio.timeout(max(within_seconds, 0)):
                await room.acquire()
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            room.release()
