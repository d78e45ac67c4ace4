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
MAIN_NODE_ENDED = "The main node of the multi-node job ended before this node was started"
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

    def submit(self, job: Job, children: list[Job], nodes: list[Job]) -> None:
        """Accept a job and, if it is an array's parent, its children, or the nodes of a multi-node job."""
        for each in (job, *children, *nodes):
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
        for each in (*self._nodes(job), job):
            each.runnable_since = now_ms()
            each.status_reason = None
            each.stopped_at = None
            self._set(each, JobStatus.RUNNABLE)

    def _nodes(self, job: Job) -> list[Job]:
        return self._state.children[job.id] if job.is_multinode else []

    def _of_node(self, node: Job) -> Job:
        """The multi-node job of a node."""
        return self._state.jobs[node.parent_id or ""]

    def main_node(self, job: Job) -> Job:
        """The main node of a multi-node job."""
        return next(node for node in self._nodes(job) if node.is_main_node)

    def block(self, job: Job, reason: str) -> None:
        """Note why a RUNNABLE job at the head of its queue cannot run, and tell of it once."""
        if job.status_reason == reason:
            return
        job.status_reason = reason
        self._state.save(job)
        self._emit(Scope.of_arn(job.arn), QUEUE_BLOCKED, event_detail(self._state, job), [job.arn, job.queue_arn])

    def place(self, job: Job, compute_environment: str, new_host: Callable[[], Json]) -> Job:
        """Give a job its place on a compute environment, and each node of a multi-node job its own.

        Returns:
            The job whose process is to be started: this one, or its main node. The other nodes follow once that runs.
        """
        for each in self._nodes(job) or [job]:
            each.compute_environment = compute_environment
            each.host = new_host()
            self._state.save(each)
        if not job.is_multinode:
            job.status_reason = None
            self._set(job, JobStatus.STARTING)
            return job
        main = self.main_node(job)
        job.compute_environment, job.host, job.status_reason = compute_environment, dict(main.host), None
        for each in (job, main):
            self._set(each, JobStatus.STARTING)
        return main

    def run(self, job: Job, process: Json) -> list[Job]:
        """Note that a job's process runs.

        Returns:
            The nodes that are to be started now, when it is the main node's.
        """
        job.process = process
        job.started_at = now_ms()
        self._set(job, JobStatus.RUNNING)
        if not job.is_main_node:
            return []
        of = self._of_node(job)
        of.started_at = job.started_at
        self._set(of, JobStatus.RUNNING)
        following = [node for node in self._nodes(of) if node.status is JobStatus.RUNNABLE]
        for node in following:
            self._set(node, JobStatus.STARTING)
        return following

    def is_over(self, job: Job) -> bool:
        """Whether a job that is about to start must not: it is a node whose main node has ended."""
        return job.is_node and self.main_node(self._of_node(job)).ended

    def end_attempt(
        self, job: Job, *, exit_code: int | None, reason: str | None, status_reason: str, may_retry: bool
    ) -> list[Job]:
        """Note that an attempt has ended: the job succeeds, is retried, or fails.

        Returns:
            The nodes whose process must be stopped, as their main node has ended.
        """
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
        if job.is_node:
            self.end(job, JobStatus.SUCCEEDED if exit_code == 0 and may_retry else JobStatus.FAILED, status_reason)
            return self._node_ended(job)
        if exit_code == 0 and may_retry:
            self.end(job, JobStatus.SUCCEEDED, status_reason)
        elif may_retry and retry.retries(
            job.retry, len(job.attempts), exit_code=exit_code, reason=reason or "", status_reason=status_reason
        ):
            self._make_runnable(job)
        else:
            self.end(job, JobStatus.FAILED, status_reason)
        return []

    def _node_ended(self, node: Job) -> list[Job]:
        """What follows the end of a node: nothing, unless it is the main node or the last after that.

        https://docs.aws.amazon.com/batch/latest/userguide/mnp-job-lifecycle.html
        """
        job = self._of_node(node)
        main = self.main_node(job)
        if not main.ended:
            return []
        for each in self._nodes(job):
            if each.status is JobStatus.RUNNABLE:
                self.end(each, JobStatus.FAILED, MAIN_NODE_ENDED)
        running = [each for each in self._nodes(job) if each.status in ON_HOST]
        if running:
            return running if node is main else []
        attempt = main.attempts[-1]
        job.host = dict(main.host)
        self.end_attempt(
            job,
            exit_code=attempt["container"].get("exitCode"),
            reason=attempt["container"].get("reason"),
            status_reason=(job.status_reason if job.terminated else None) or attempt["statusReason"],
            may_retry=not job.terminated and attempt["statusReason"] != TIMED_OUT,
        )
        return []

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
            # Only those of a job that ends before it has started: else they decide about it.
            ended.extend((node, its_status, its_reason) for node in self._nodes(each))
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
        if job.array_index is not None and job.parent_id is not None and self._state.was_last_child(job):
            decided.append(self._state.jobs[job.parent_id])
        return [other for other in decided if not other.ended]

    def cancel(self, job: Job, reason: str) -> None:
        """Cancel a job that has not started; one that has goes on. An array's parent passes it on to its children.

        A node's multi-node job is cancelled.
        """
        if job.is_node:
            job = self._of_node(job)
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
        """End a job for good, whatever it does. With its main node ends a multi-node job.

        Returns:
            The jobs whose process must be stopped; each ends when its process has.
        """
        if job.is_main_node or (job.is_node and self._of_node(job).status not in ON_HOST):
            job = self._of_node(job)
        if job.ended:
            return []
        job.terminated = True
        if job.is_parent:
            job.status_reason = reason
            stopping = [each for child in self._state.children[job.id] for each in self.terminate(child, reason)]
            self._state.save(job)
            return stopping
        if job.status in ON_HOST:
            stopping = [node for node in self._nodes(job) if node.status in ON_HOST] or [job]
            for each in {job.id: job, **{each.id: each for each in stopping}}.values():
                each.terminated = True
                each.status_reason = reason
                self._state.save(each)
            return stopping
        self.end(job, JobStatus.FAILED, reason)
        return []

    def _set(self, job: Job, status: JobStatus) -> None:
        job.status = status
        self._state.index(job)
        self._announce(job)

    def _announce(self, job: Job) -> None:
        self._state.save(job)
        self._emit(Scope.of_arn(job.arn), STATE_CHANGE, event_detail(self._state, job), [job.arn])
