"""Every change of a job's status: what it brings about in other jobs, and the event that tells of it.

All methods are called under the state's lock.
"""

import re
from collections import deque
from collections.abc import Callable

from aerodrome_local.batch_service import retry
from aerodrome_local.batch_service.model import ON_HOST, Job, JobStatus, Json, Scope
from aerodrome_local.batch_service.state import State, Usage, now_ms
from aerodrome_local.batch_service.views import event_detail

EmitEvent = Callable[[Scope, str, Json, list[str]], None]

STATE_CHANGE = "Batch Job State Change"
QUEUE_BLOCKED = "Batch Job Queue Blocked"

# The status reasons of AWS, which people's evaluateOnExit patterns and alarms are written against.
EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
DEPENDENCY_FAILED = "Dependent Job failed"
CHILD_FAILED = "Array Child Job failed"
_FARGATE_HOST_LOST = "Your Spot Task was interrupted."


def host_lost_reason(job: Job) -> str:
    """The status reason of an attempt whose host is gone, as after a spot reclaim."""
    arn = job.host.get("containerInstanceArn")
    if arn is None:
        return _FARGATE_HOST_LOST
    instance = re.sub(r"[^0-9a-f]", "", arn.rpartition("/")[2])[:17]
    return f"Host EC2 (instance i-{instance}) terminated."


class Lifecycle:
    """The transitions of jobs.

    Args:
        state: Where the jobs are.
        emit: Takes an event to emit, without waiting for it.
    """

    def __init__(self, state: State, emit: EmitEvent) -> None:
        self._state = state
        self._emit = emit

    def submit(self, job: Job, children: list[Job]) -> None:
        """Accept a job and, if it is an array's parent, its children."""
        for each in (job, *children):
            self._state.add(each)
            self._state.save(each)  # there is no event of a submission: a job's first one is PENDING or RUNNABLE
        if children:
            # Dependencies are the children's; the parent is PENDING for as long as they run.
            self._set(job, JobStatus.PENDING)
        for each in children or [job]:
            self._admit(each)

    def _admit(self, job: Job) -> None:
        """Move a job that was just submitted, or a dependency of which has just ended, as far as it can go."""
        if job.status not in {JobStatus.SUBMITTED, JobStatus.PENDING}:
            return
        waited_for = [self._state.jobs[other].status for other in job.waits_for if other in self._state.jobs]
        if JobStatus.FAILED in waited_for:
            self.end(job, JobStatus.FAILED, DEPENDENCY_FAILED)
        elif all(status is JobStatus.SUCCEEDED for status in waited_for):
            self._make_runnable(job)
        elif job.status is JobStatus.SUBMITTED:
            self._set(job, JobStatus.PENDING)

    def _make_runnable(self, job: Job) -> None:
        job.runnable_since = now_ms()
        job.status_reason = None
        self._set(job, JobStatus.RUNNABLE)

    def block(self, job: Job, reason: str) -> None:
        """Note why a RUNNABLE job at the head of its queue cannot run, and tell of it once."""
        if job.status_reason == reason:
            return
        job.status_reason = reason
        self._state.save(job)
        self._emit(Scope.of_arn(job.arn), QUEUE_BLOCKED, event_detail(self._state, job), [job.arn, job.queue_arn])

    def place(self, job: Job, compute_environment: str, host: Json) -> None:
        """Give a job its place on a compute environment."""
        job.compute_environment = compute_environment
        job.host = host
        job.status_reason = None
        self._set(job, JobStatus.STARTING)

    def run(self, job: Job, process: Json) -> None:
        """Note that a job's process runs."""
        job.process = process
        job.started_at = now_ms()
        self._set(job, JobStatus.RUNNING)

    def end_attempt(
        self, job: Job, *, exit_code: int | None, reason: str | None, status_reason: str, may_retry: bool
    ) -> None:
        """Note that an attempt has ended: the job succeeds, is retried, or fails."""
        stopped = now_ms()
        outcome = {"exitCode": exit_code, "reason": reason}
        job.host = {**job.host, **{key: value for key, value in outcome.items() if value is not None}}
        started = job.started_at if job.status is JobStatus.RUNNING else None
        attempt: Json = {"container": {**job.host, "networkInterfaces": []}, "stoppedAt": stopped}
        attempt["statusReason"] = status_reason
        if started is not None:
            attempt["startedAt"] = started
            used = Usage(job.share_identifier or "", job.vcpus, started, stopped)
            self._state.usage[job.queue_arn].append(used)
        job.attempts.append(attempt)
        job.process = None
        if exit_code == 0 and may_retry:
            self.end(job, JobStatus.SUCCEEDED, status_reason)
        elif may_retry and retry.retries(
            job.retry, len(job.attempts), exit_code=exit_code, reason=reason or "", status_reason=status_reason
        ):
            self._make_runnable(job)
        else:
            self.end(job, JobStatus.FAILED, status_reason)

    def end(self, job: Job, status: JobStatus, reason: str) -> None:
        """End a job, and with it what that decides: the jobs that wait for it, and its array's parent."""
        ended = deque([(job, status, reason)])
        while ended:
            each, its_status, its_reason = ended.popleft()
            if each.ended:
                continue
            each.status_reason = its_reason
            each.stopped_at = now_ms()
            self._set(each, its_status)
            for other in self._decided_by(each):
                if other.is_parent:
                    failed = any(child.status is JobStatus.FAILED for child in self._state.children[other.id])
                    result = JobStatus.FAILED if failed else JobStatus.SUCCEEDED
                    ended.append((other, result, other.status_reason or (CHILD_FAILED if failed else EXITED)))
                elif its_status is JobStatus.FAILED:
                    ended.append((other, JobStatus.FAILED, DEPENDENCY_FAILED))
                else:
                    self._admit(other)

    def _decided_by(self, job: Job) -> list[Job]:
        waiting = self._state.dependents.pop(job.id, set())
        decided = [self._state.jobs[other] for other in sorted(waiting) if other in self._state.jobs]
        if job.parent_id is not None and self._state.was_last_child(job):
            decided.append(self._state.jobs[job.parent_id])
        return [other for other in decided if not other.ended]

    def cancel(self, job: Job, reason: str) -> None:
        """Cancel a job that has not started; one that has goes on. An array's parent passes it on to its children."""
        if job.ended or job.status in ON_HOST:
            return
        job.cancelled = True
        if job.is_parent:
            job.status_reason = reason
            for child in self._state.children[job.id]:
                self.cancel(child, reason)
            self._state.save(job)
        else:
            self.end(job, JobStatus.FAILED, reason)

    def terminate(self, job: Job, reason: str) -> list[Job]:
        """End a job for good, whatever it does.

        Returns:
            The jobs whose process must be stopped; each ends when its process has.
        """
        if job.ended:
            return []
        job.terminated = True
        if job.is_parent:
            job.status_reason = reason
            stopping = [each for child in self._state.children[job.id] for each in self.terminate(child, reason)]
            self._state.save(job)
            return stopping
        if job.status in ON_HOST:
            job.status_reason = reason
            self._state.save(job)
            return [job]
        self.end(job, JobStatus.FAILED, reason)
        return []

    def _set(self, job: Job, status: JobStatus) -> None:
        job.status = status
        self._state.index(job)
        self._announce(job)

    def _announce(self, job: Job) -> None:
        self._state.save(job)
        self._emit(Scope.of_arn(job.arn), STATE_CHANGE, event_detail(self._state, job), [job.arn])
