"""Hours of AWS Batch on a simulated clock, asked after by Flyte's plugin and by the connector.

It counts the calls of DescribeJobs, and how late flytepropeller learns what has happened: few calls are no merit of
who sees nothing.
"""

import asyncio
import bisect
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.settings import Settings
from simulated_aws import SimulatedClock, simulated_aws

TASKS_OF_A_WORKFLOW: Final = 10

# flyteplugins/go/tasks/plugins/array/awsbatch at v1.16.8: config/config.go has the seconds and the size of a call;
# jobs_store.go counts and asks for each job's one subjob beside it.
PLUGIN_SECONDS: Final = 30
PLUGIN_CHUNK: Final = 100
PLUGIN_IDS_OF_A_JOB: Final = 2

# As stacks/aerodrome_stacks/chart_values/flyte_batch_connector.py sets flytepropeller's plugin for connectors.
WORKERS: Final = 100

_SUBMITTED_SECONDS = 1.0
_STARTING_SECONDS = 40.0
_EVENT_SECONDS = 1.0
_SPREAD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Jobs of a kind; their times are spread about the medians (log-normally, sigma 0.5).

    Attributes:
        share: Its share of all jobs.
        waits: The median time that one waits for capacity, in seconds.
        runs: The median time that it runs.
    """

    share: float
    waits: float
    runs: float


MIX: Final = (
    Kind(share=0.6, waits=60, runs=5 * 60),
    Kind(share=0.3, waits=5 * 60, runs=30 * 60),
    Kind(share=0.1, waits=15 * 60, runs=2 * 3600),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job's life, in seconds from the beginning.

    Attributes:
        id: Its ID.
        submitted: When it is submitted.
        starting: When it gets its place on a host, which pulls the image.
        ended: When it succeeds.
    """

    id: str
    submitted: float
    starting: float
    ended: float

    @property
    def running(self) -> float:
        """When its container starts."""
        return self.starting + _STARTING_SECONDS

    @property
    def changes(self) -> tuple[float, ...]:
        """When Batch tells of a change: RUNNABLE, STARTING, RUNNING, SUCCEEDED."""
        return self.submitted + _SUBMITTED_SECONDS, self.starting, self.running, self.ended

    def detail(self, now: float) -> dict[str, Any]:
        """The job as DescribeJobs and the events have it."""
        states = ("SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")
        detail: dict[str, Any] = {
            "jobId": self.id,
            "jobName": f"name-of-{self.id}",
            "jobQueue": "arn:aws:batch:eu-west-1:111122223333:job-queue/spot",
            "status": states[bisect.bisect(self.changes, now)],
            "createdAt": int(self.submitted * 1000),
            "attempts": [],
            "container": {"image": "train:1", "environment": []},
        }
        times = {"startedAt": self.running, "stoppedAt": self.ended}
        return detail | {name: int(time * 1000) for name, time in times.items() if time <= now}


def jobs_of(hours: float, count: int, *, seed: int = 6) -> list[Job]:
    """The jobs of some hours: workflows begin at any time, each with ten tasks at once; the same ones in every run."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret is made of it
    workflows = math.ceil(count / TASKS_OF_A_WORKFLOW)
    began = sorted(chance.uniform(0, hours * 3600) for _ in range(workflows))
    kinds = chance.choices(MIX, [kind.share for kind in MIX], k=count)
    jobs = []
    for number, kind in enumerate(kinds):
        submitted = began[number // TASKS_OF_A_WORKFLOW]
        waits, runs = (chance.lognormvariate(math.log(median), _SPREAD) for median in (kind.waits, kind.runs))
        starting = submitted + _SUBMITTED_SECONDS + waits
        jobs.append(
            Job(
                id=f"job-{number}",
                submitted=submitted,
                starting=starting,
                ended=starting + _STARTING_SECONDS + runs,
            )
        )
    return jobs


@dataclass(slots=True, kw_only=True)
class Watched:
    """What came of watching jobs to their end.

    Attributes:
        calls: Calls of DescribeJobs.
        asked: Jobs in them; one that is asked for under two IDs counts twice.
        running: How late flytepropeller learned of each job that it runs, in seconds.
        ended: How late it learned of each that it has ended.
        questions: How often flytepropeller asked after a job.
    """

    calls: int = 0
    asked: int = 0
    running: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    questions: int = 0

    def late(self) -> tuple[float, float, float]:
        """The median of how late a start, and an end, was seen, and the time within which 95 % of the ends were."""
        return (
            statistics.median(self.running),
            statistics.median(self.ended),
            statistics.quantiles(self.ended, n=20)[-1],
        )


def watched_by_plugin(jobs: Sequence[Job], *, first_looks: bool = False) -> Watched:
    """As Flyte's plugin does: every 30 seconds all jobs that it does not know to have ended, in calls of 100 IDs.

    Args:
        jobs: The jobs.
        first_looks: Whether to count the call for each job by itself as well, with which it begins to watch one.
    """
    looks = len(jobs) if first_looks else 0
    found = Watched(calls=looks, asked=looks * PLUGIN_IDS_OF_A_JOB, questions=looks)
    coming = sorted(jobs, key=lambda job: job.submitted, reverse=True)
    live: list[Job] = []
    unseen: set[str] = set()
    now = 0.0
    while coming or live:
        now += PLUGIN_SECONDS
        while coming and coming[-1].submitted < now:
            live.append(coming.pop())
            unseen.add(live[-1].id)
        found.questions += len(live)
        found.asked += len(live) * PLUGIN_IDS_OF_A_JOB
        found.calls += math.ceil(len(live) * PLUGIN_IDS_OF_A_JOB / PLUGIN_CHUNK)
        for job in live:
            if job.running <= now and job.id in unseen:
                unseen.remove(job.id)
                found.running.append(now - job.running)
        found.ended += [now - job.ended for job in live if job.ended <= now]
        live = [job for job in live if job.ended > now]
    return found


def watched_by_connector(jobs: Sequence[Job], *, every_seconds: float, events: bool) -> Watched:
    """As flytepropeller and the connector do, with the connector's own poller.

    Args:
        jobs: The jobs.
        every_seconds: How often flytepropeller asks after each live task.
        events: Whether Batch's state changes come, each a second after the change.
    """
    clock = SimulatedClock()
    by_id = {job.id: job for job in jobs}
    found = Watched()

    def describe_jobs(*, jobs: Sequence[str]) -> dict[str, Any]:
        found.calls += 1
        found.asked += len(jobs)
        return {"jobs": [by_id[job_id].detail(clock.time) for job_id in jobs]}

    settings = Settings()
    poller = JobPoller(simulated_aws(settings, clock, {"describe_jobs": describe_jobs}), settings)
    if events:
        poller.followed_by(lambda: True)
    clock.run(_Propeller(poller, clock, found, every_seconds).watch(jobs, _events(poller) if events else None))
    return found


def _events(poller: JobPoller) -> Callable[[Job], None]:
    def tell(job: Job, changed: float) -> None:
        poller.update(job.detail(changed))

    def follow(job: Job) -> None:
        loop = asyncio.get_running_loop()
        for changed in job.changes:
            loop.call_at(changed + _EVENT_SECONDS, tell, job, changed)

    return follow


class _Propeller:
    """Asks as flytepropeller's cache does (flytestdlib/cache/in_memory_auto_refresh.go at v1.16.8).

    A task is asked after when it is created, and then in rounds; workers ask for one task at a time each, and a task
    that still waits for one is not put in the line again.
    """

    def __init__(self, poller: JobPoller, clock: SimulatedClock, found: Watched, every_seconds: float) -> None:
        self._poller = poller
        self._clock = clock
        self._found = found
        self._every_seconds = every_seconds
        self._live: dict[str, Job] = {}
        self._unseen: set[str] = set()
        self._line: asyncio.Queue[Job] = asyncio.Queue()
        self._in_line: set[str] = set()

    async def watch(self, jobs: Sequence[Job], follow: Callable[[Job], None] | None) -> None:
        """Watch jobs until all have ended."""
        loop = asyncio.get_running_loop()
        for job in jobs:
            loop.call_at(job.submitted, self._create, job)
            if follow:
                follow(job)
        workers = [loop.create_task(self._work()) for _ in range(WORKERS)]
        while len(self._found.ended) < len(jobs):
            await asyncio.sleep(self._every_seconds)
            for job in self._live.values():
                self._ask(job)
        for worker in workers:
            worker.cancel()

    def _create(self, job: Job) -> None:
        self._live[job.id] = job
        self._unseen.add(job.id)
        self._ask(job)

    def _ask(self, job: Job) -> None:
        if job.id not in self._in_line:
            self._in_line.add(job.id)
            self._line.put_nowait(job)

    async def _work(self) -> None:
        while True:
            job = await self._line.get()
            self._in_line.remove(job.id)
            if job.id not in self._live:
                continue
            self._found.questions += 1
            answer = await self._poller.get(job.id)
            if answer.job is not None:
                self._see(job, answer.job)

    def _see(self, job: Job, state: JobState) -> None:
        if state.status in ("RUNNING", "SUCCEEDED") and job.id in self._unseen:
            self._unseen.remove(job.id)
            self._found.running.append(self._clock.time - job.running)
        if state.ended and job.id in self._live:
            del self._live[job.id]
            self._found.ended.append(self._clock.time - job.ended)
