"""What is known of jobs, how fresh that has to be, and what it comes to in the metrics."""

import heapq
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass

from flytekit_aws_batch.core.clock import Clock
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.settings import Settings

# What is known of a job may be a tenth as old as the job's last change.
_CALM = 10
# While state changes come from the queue, asking is only for those that got lost.
_AGE_WITH_EVENTS_SECONDS = 300.0
# A call that goes out anyway takes jobs along that have used up so much of that.
_DUE_SOON = 0.5
# To look through ten thousand jobs for those takes 10 ms, in which nobody is answered.
_LINE_UP_SECONDS = 0.5
# Propeller asks every 30 s; who has not asked for an hour does so no more.
_FORGET_AFTER_SECONDS = 3600.0
_SWEEP_SECONDS = 60.0
_WATCHED_SECONDS = 300.0
# Who has missed two questions is asked of another replica, which needs the state changes.
_MINE_SECONDS = 60.0

_NEVER = float("-inf")


@dataclass(slots=True)
class Entry:
    """What is known of a job that somebody asked for.

    Attributes:
        wanted_at: When somebody asked last.
        job: The job. None: Batch knows no such job, or it was not asked yet.
        learned_at: When that was learned.
        changed_at: When it differed last from what was known before.
        outdated: Whether it is known to have changed since.
        heard: Whether its state changes come from the queue.
    """

    wanted_at: float
    job: JobState | None = None
    learned_at: float = _NEVER
    changed_at: float = 0.0
    outdated: bool = False
    heard: bool = False

    @property
    def ended(self) -> bool:
        """Whether it will change no more."""
        return self.job is not None and self.job.ended

    def age(self, now: float) -> float:
        """How old what is known is, in seconds; 0 when nothing is."""
        return now - self.learned_at if self.learned_at > _NEVER else 0.0


class KnownJobs:
    """The jobs that somebody asked for. Whoever calls holds the poller's lock.

    Args:
        settings: How fresh it has to be.
        metrics: What is kept in step.
        clock: Whose seconds.
    """

    def __init__(self, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._swept_at = _NEVER
        self._line: list[tuple[float, str]] = []
        self._lined_up_at = _NEVER
        self._counts: Counter[tuple[str, str]] = Counter()
        self.events_well = _never

    def __contains__(self, job_id: str) -> bool:
        entry = self._entries.get(parent(job_id))
        return entry is not None and self._clock.now() - entry.wanted_at <= _MINE_SECONDS

    def living(self) -> int:
        """How many jobs that have not ended somebody asked for lately."""
        since = self._clock.now() - _WATCHED_SECONDS
        return sum(entry.wanted_at >= since and not entry.ended for entry in self._entries.values())

    def wanted(self, job_id: str) -> Entry:
        """The entry of a job that somebody asks for now."""
        now = self._clock.now()
        if now - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = now
            for each in [key for key, old in self._entries.items() if now - old.wanted_at > _FORGET_AFTER_SECONDS]:
                self.drop(each)
        entry = self._entries.get(job_id)
        if entry is None:
            entry = self._entries[job_id] = Entry(wanted_at=now)
            self._metrics.watched.inc()
        entry.wanted_at = now
        return entry

    def is_fresh(self, entry: Entry) -> bool:
        """Whether what is known of a job answers a question."""
        if entry.ended:
            return True
        now = self._clock.now()
        good_for = self._good_for(entry, now, well=self.events_well())
        return not entry.outdated and now < entry.learned_at + good_for

    def due_soon(self, most: int, besides: Container[str]) -> list[str]:
        """Living jobs that will have to be asked for before long, the first one first.

        Args:
            most: How many at most.
            besides: Jobs that are asked for already.
        """
        now = self._clock.now()
        if now >= self._lined_up_at + _LINE_UP_SECONDS:
            self._lined_up_at, self._line = now, self._line_up(now)
        taken: list[str] = []
        while self._line and len(taken) < most:
            _, job_id = heapq.heappop(self._line)
            entry = self._entries.get(job_id)
            settled = entry is None or entry.ended or entry.learned_at > self._lined_up_at
            if not settled and job_id not in besides:
                taken.append(job_id)
        return taken

    def _line_up(self, now: float) -> list[tuple[float, str]]:
        """A heap of those that are due soon, by when they are due."""
        well = self.events_well()
        line = [
            (entry.learned_at + good_for, job_id)
            for job_id, entry in self._entries.items()
            if now - entry.learned_at > (good_for := self._good_for(entry, now, well=well)) * _DUE_SOON
            and not entry.ended
            and now - entry.wanted_at < _WATCHED_SECONDS
        ]
        heapq.heapify(line)
        return line

    def _good_for(self, entry: Entry, now: float, *, well: bool) -> float:
        """How old what is known of a living job may be, in seconds; ``well``: while state changes come."""
        freshest, oldest = self._settings.freshest_seconds, self._settings.oldest_seconds
        if well and entry.heard:
            return max(_AGE_WITH_EVENTS_SECONDS, oldest)
        return min(max((now - entry.changed_at) / _CALM, freshest), oldest)

    def described(self, job_id: str, job: JobState | None, asked_at: float) -> None:
        """Take what DescribeJobs said.

        Args:
            job_id: Of which job.
            job: What it said. None: it knows no such job.
            asked_at: When it was asked.
        """
        entry = self._entries.get(job_id)
        if entry is None or (entry.job and entry.job.ended):
            return
        overtaken = entry.learned_at > asked_at and entry.job and (job is None or job.rank < entry.job.rank)
        if not overtaken:
            entry.outdated = False
            self._learn(entry, job)

    def heard(self, job_id: str, job: JobState | None) -> bool:
        """Take what a state change says.

        Args:
            job_id: Of which job; a child of an array or a node is not known by itself.
            job: What it says. None for a child: DescribeJobs says how many children are how far.

        Returns:
            Whether it was news of a job that somebody asks for.
        """
        entry = self._entries.get(parent(job_id))
        if entry is None or entry.ended:
            return False
        if job is None or job.size:
            entry.changed_at = self._clock.now()
            entry.outdated = entry.outdated or job is not None
            return True
        if entry.job and job.rank < entry.job.rank:
            return False
        entry.heard = True
        self._learn(entry, job)
        return True

    def drop(self, job_id: str) -> None:
        """Forget a job."""
        entry = self._entries.pop(job_id, None)
        if entry is not None:
            self._count(entry.job, -1)
            self._metrics.watched.dec()

    def _learn(self, entry: Entry, job: JobState | None) -> None:
        now = self._clock.now()
        if job != entry.job or entry.learned_at == _NEVER:
            entry.changed_at = now
            self._count(entry.job, -1)
            self._count(job, 1)
            entry.job = job
        entry.learned_at = now

    def _count(self, job: JobState | None, sign: int) -> None:
        for status, count in job.counts().items() if job and not job.ended else ():
            if status not in ("SUCCEEDED", "FAILED"):
                labels = (status, (job.waits_for or "queue") if job and status == "RUNNABLE" else "")
                self._counts[labels] += sign * count
                self._metrics.jobs.labels(*labels).set(self._counts[labels])


def _never() -> bool:
    return False


def parent(job_id: str) -> str:
    """Of a child of an array (``id:7``) or a node (``id#1``) the job that it belongs to."""
    return job_id.partition(":")[0].partition("#")[0]
