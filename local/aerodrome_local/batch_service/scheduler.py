"""The thread that places RUNNABLE jobs on compute environments."""

import itertools
import logging
import math
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial

from aerodrome_local.batch_service import placement
from aerodrome_local.batch_service.containers import EC2
from aerodrome_local.batch_service.lifecycle import Lifecycle
from aerodrome_local.batch_service.model import Job, JobStatus, Json, Scope
from aerodrome_local.batch_service.settings import Settings
from aerodrome_local.batch_service.state import State, now_ms

_log = logging.getLogger(__name__)


class Scheduler:
    """Places jobs whenever something has changed.

    Args:
        launch: Starts an attempt of a job that has been placed, without waiting for it.
        changed: Set by whoever changes a job or a resource.
    """

    def __init__(
        self,
        settings: Settings,
        state: State,
        lifecycle: Lifecycle,
        launch: Callable[[Job], None],
        changed: threading.Event,
    ) -> None:
        self._settings = settings
        self._state = state
        self._lifecycle = lifecycle
        self._launch = launch
        self._changed = changed
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="batch-scheduler", daemon=True)

    def start(self) -> None:
        """Begin to place jobs."""
        self._thread.start()
        self._changed.set()

    def stop(self) -> None:
        """Place no more jobs. Returns when the thread has ended."""
        self._stopping = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        delay: float | None = None
        while not self._stopping:
            self._changed.wait(delay)
            self._changed.clear()
            try:
                with self._state.changing():
                    delay = self.place_jobs()
            except Exception:  # noqa: BLE001 - one bad record must not stop every queue for good
                _log.exception("the scheduler failed; it tries again when something changes")
                delay = None

    def place_jobs(self) -> float | None:
        """Place as many jobs as there is room for. Called under the state's lock.

        Returns:
            Seconds until a time limit of a blocked job is up, or None when there is none.
        """
        delays: list[float] = []
        in_use: defaultdict[str, float] = defaultdict(float)
        for job in self._state.on_host.values():
            in_use[job.compute_environment or ""] += job.vcpus
        queues = sorted(self._state.job_queues, key=lambda queue: -queue["priority"])
        for _, group in itertools.groupby(queues, key=lambda queue: queue["priority"]):
            # What a queue waits for is kept from queues of lower priority: they would never let it have enough.
            for arn in self._place_group(list(group), in_use, delays):
                in_use[arn] = math.inf  # full
        return min(delays, default=None)

    def _place_group(self, queues: list[Json], in_use: defaultdict[str, float], delays: list[float]) -> set[str]:
        """Place jobs of queues of one priority, in the order of submission over all of them.

        Returns:
            The compute environments that a job of them waits for.
        """
        waiting: set[str] = set()
        while queues and len(self._state.on_host) < self._settings.slots and not self._stopping:
            heads = [(queue, head) for queue in queues if (head := self._head(queue)) is not None]
            if not heads:
                break
            queue, job = min(heads, key=lambda each: each[1].order)
            if job.start_problem is not None:
                self._lifecycle.end(job, JobStatus.FAILED, job.start_problem)
                continue
            environments = self._environments(queue)
            found = placement.place(job, environments, in_use, self._kept_free(queue))
            if found.compute_environment is not None:
                arn = found.compute_environment["computeEnvironmentArn"]
                in_use[arn] += job.vcpus
                self._launch(self._lifecycle.place(job, arn, partial(_host, job, found.compute_environment)))
            elif found.blocked is not None:
                self._lifecycle.block(job, found.blocked)
                delay = self._apply_time_limits(queue, job)
                if job.status is JobStatus.RUNNABLE:
                    queues = [each for each in queues if each is not queue]
                    delays.extend([] if delay is None else [delay])
            else:
                queues = [each for each in queues if each is not queue]
                waiting.update(each["computeEnvironmentArn"] for each in environments)
        return waiting

    def _environments(self, queue: Json) -> list[Json]:
        arns = (entry["computeEnvironment"] for entry in queue["computeEnvironmentOrder"])
        found = (self._state.compute_environments.find(Scope.of_arn(arn), arn) for arn in arns)
        return [environment for environment in found if environment is not None]

    def _policy(self, queue: Json) -> Json | None:
        arn = queue.get("schedulingPolicyArn")
        if arn is None:
            return None
        policy = self._state.scheduling_policies.find(Scope.of_arn(arn), arn)
        fair_share: Json = (policy or {}).get("fairsharePolicy", {})
        return fair_share

    def _running(self, queue: Json) -> Mapping[str, float]:
        running: defaultdict[str, float] = defaultdict(float)
        for job in self._state.on_host.values():
            if job.queue_arn == queue["jobQueueArn"]:
                running[job.share_identifier or ""] += job.vcpus
        return running

    def _head(self, queue: Json) -> Job | None:
        heads = self._state.heads(queue["jobQueueArn"])
        if not heads:
            return None
        past = self._state.usage[queue["jobQueueArn"]]
        policy, scale, now = self._policy(queue), self._settings.time_scale, now_ms()
        oldest = now - (policy or {}).get("shareDecaySeconds", 0) * scale * 1000
        past[:] = [each for each in past if each.stopped > oldest]
        return heads[placement.next_share(heads, policy, self._running(queue), past, now=now, time_scale=scale)]

    def _kept_free(self, queue: Json) -> float:
        active = self._state.heads(queue["jobQueueArn"]).keys() | self._running(queue).keys()
        return placement.reserved(self._policy(queue), len(active))

    def _apply_time_limits(self, queue: Json, job: Job) -> float | None:
        """Cancel a blocked job whose time is up. Otherwise the seconds that it still has, or None without a limit."""
        left: list[float] = []
        for action in queue["jobStateTimeLimitActions"]:
            if not (job.status_reason or "").startswith(action["reason"]):
                continue
            limit = action["maxTimeSeconds"] * self._settings.time_scale
            seconds = limit - (now_ms() - (job.runnable_since or 0)) / 1000
            if seconds <= 0:
                self._lifecycle.cancel(job, f"Canceled by JobStateTimeLimit action due to reason: {action['reason']}")
                return None
            left.append(seconds)
        return min(left, default=None)


def _host(job: Job, environment: Json) -> Json:
    """What an attempt is given: names as ECS makes them. The cluster's name holds the compute environment's."""
    scope = Scope.of_arn(job.arn)
    cluster = environment["ecsClusterArn"].rpartition("/")[2]
    ecs = f"arn:aws:ecs:{scope.region}:{scope.account}"
    task = uuid.uuid4().hex
    definition = job.definition_arn.rpartition("/")[2].partition(":")[0]
    options = (job.container.get("logConfiguration") or {}).get("options") or {}
    host = {
        "taskArn": f"{ecs}:task/{cluster}/{task}",
        "logStreamName": f"{options.get('awslogs-stream-prefix', definition)}/default/{task}",
    }
    if job.platform == EC2:
        host["containerInstanceArn"] = f"{ecs}:container-instance/{cluster}/{uuid.uuid4().hex}"
    return host
