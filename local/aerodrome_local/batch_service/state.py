"""Everything the embedded Batch knows, kept in memory and written through to the database."""

import heapq
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.model import ON_HOST, Job, JobStatus, Json, Scope
from aerodrome_local.batch_service.persistence import Database

JOB_RETENTION_DAYS = 7
"""AWS keeps an ended job at least that long."""


def now_ms() -> int:
    """The time as the API gives it: milliseconds since 1970."""
    return int(time.time() * 1000)


@dataclass(frozen=True, slots=True)
class Usage:
    """A stretch of vCPU use by a share, which fair-share scheduling looks back on."""

    share: str
    vcpus: float
    started: int
    stopped: int


class Resources:
    """The resources of one kind, by ARN, each as its describe operation returns it.

    Args:
        kind: The resource part of the ARN before the slash, for example ``job-queue``.
    """

    def __init__(self, kind: str, database: Database) -> None:
        self.kind = kind
        self._database = database
        self._by_arn: dict[str, Json] = database.load(kind)

    def __iter__(self) -> Iterator[Json]:
        return iter(list(self._by_arn.values()))

    def arn(self, scope: Scope, name_or_arn: str) -> str:
        """The ARN of what a request names by name or ARN."""
        return name_or_arn if name_or_arn.startswith("arn:") else scope.arn(f"{self.kind}/{name_or_arn}")

    def find(self, scope: Scope, name_or_arn: str) -> Json | None:
        """The resource, or None."""
        return self._by_arn.get(self.arn(scope, name_or_arn))

    def get(self, scope: Scope, name_or_arn: str) -> Json:
        """The resource.

        Raises:
            ClientException: There is none.
        """
        found = self.find(scope, name_or_arn)
        if found is None:
            raise ClientException(f"{self.arn(scope, name_or_arn)} does not exist")
        return found

    def put(self, arn: str, resource: Json) -> None:
        """Add or change a resource."""
        self._by_arn[arn] = resource
        self._database.put(self.kind, arn, resource)

    def delete(self, arn: str) -> None:
        """Delete a resource. One that does not exist is no error."""
        self._by_arn.pop(arn, None)
        self._database.delete(self.kind, arn)

    def in_scope(self, scope: Scope) -> list[Json]:
        """The resources of an account and region, oldest first."""
        prefix = scope.arn(f"{self.kind}/")
        return [resource for arn, resource in self._by_arn.items() if arn.startswith(prefix)]


class State:
    """The records, their indexes, and the one lock that guards them.

    Every reader holds :attr:`lock`, and a writer does so with :meth:`changing`. Neither does what may take long.
    """

    def __init__(self, database: Database) -> None:
        self.lock = threading.RLock()
        self._database = database
        self.compute_environments = Resources("compute-environment", database)
        self.job_queues = Resources("job-queue", database)
        self.scheduling_policies = Resources("scheduling-policy", database)
        self.job_definitions = Resources("job-definition", database)
        self.jobs: dict[str, Job] = {}
        self.children: dict[str, list[Job]] = defaultdict(list)
        self._unfinished: dict[str, int] = defaultdict(int)
        self.dependents: dict[str, set[str]] = defaultdict(set)
        self.on_host: dict[str, Job] = {}
        self.usage: dict[str, list[Usage]] = defaultdict(list)
        self._runnable: dict[str, dict[str, list[tuple[int, int, str]]]] = defaultdict(dict)
        self._load_jobs()

    def _load_jobs(self) -> None:
        oldest = now_ms() - JOB_RETENTION_DAYS * 86_400_000
        last = 0
        for key, saved in self._database.load("job").items():
            job = Job.from_json(saved)
            last = max(last, job.order)
            if job.ended and (job.stopped_at or job.created_at) < oldest:
                self._database.delete("job", key)
            else:
                self.add(job)
        self._orders = itertools.count(last + 1)

    def next_order(self) -> int:
        """The place in line of the next job submitted."""
        return next(self._orders)

    def add(self, job: Job) -> None:
        """Know a job from now on."""
        self.jobs[job.id] = job
        if job.parent_id is not None:
            self.children[job.parent_id].append(job)
            self._unfinished[job.parent_id] += not job.ended
        if not job.ended:
            for dependency in job.waits_for:
                self.dependents[dependency].add(job.id)
        self.index(job)

    def was_last_child(self, job: Job) -> bool:
        """Count an array's child that has just ended. True when it was the last of its array."""
        parent = job.parent_id or ""
        self._unfinished[parent] -= 1
        return not self._unfinished[parent]

    def index(self, job: Job) -> None:
        """Bring the indexes in line with a job's new status."""
        if job.status in ON_HOST:
            self.on_host[job.id] = job
        else:
            self.on_host.pop(job.id, None)
        # An array's parent never runs, and a node starts with its job.
        if job.status is JobStatus.RUNNABLE and not job.is_parent and not job.is_node:
            shares = self._runnable[job.queue_arn]
            # Higher priority first, then first come, first served. Queues without shares use one share without a name.
            entry = (-(job.scheduling_priority or 0), job.order, job.id)
            heapq.heappush(shares.setdefault(job.share_identifier or "", []), entry)

    def save(self, job: Job) -> None:
        """Write a job through to the database."""
        self._database.put("job", job.id, job.to_json())

    def heads(self, queue_arn: str) -> dict[str, Job]:
        """The job that is next in each of a queue's shares."""
        found: dict[str, Job] = {}
        shares = self._runnable[queue_arn]
        for share, heap in list(shares.items()):
            # Entries of jobs that are no longer RUNNABLE are dropped when they come to the top.
            while heap and self.jobs[heap[0][2]].status is not JobStatus.RUNNABLE:
                heapq.heappop(heap)
            if heap:
                found[share] = self.jobs[heap[0][2]]
            else:
                del shares[share]
        return found

    def runnable(self, queue_arn: str) -> list[Job]:
        """All RUNNABLE jobs of a queue, next one first."""
        entries = sorted(set(itertools.chain.from_iterable(self._runnable[queue_arn].values())))
        return [job for *_, job_id in entries if (job := self.jobs[job_id]).status is JobStatus.RUNNABLE]

    def vcpus_in_use(self, compute_environment: str) -> float:
        """How many vCPUs the jobs on a compute environment take."""
        return sum(job.vcpus for job in self.on_host.values() if job.compute_environment == compute_environment)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock for changes that belong together: after a crash there are all of them or none."""
        with self.lock, self._database.transaction():
            yield

    def close(self) -> None:
        """Close the database."""
        with self.lock:
            self._database.close()
