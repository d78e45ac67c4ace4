"""The embedded Batch as a whole: start, stop, and answer an API operation."""

import copy
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from aerodrome_local.batch_service import (
    compute_environments,
    job_definitions,
    job_queues,
    jobs,
    scheduling_policies,
    shapes,
    tags,
)
from aerodrome_local.batch_service.backend import Backend, EventQueue
from aerodrome_local.batch_service.core import Core, Operation
from aerodrome_local.batch_service.errors import ClientException, ServerException
from aerodrome_local.batch_service.executor import StopCause
from aerodrome_local.batch_service.lifecycle import Lifecycle
from aerodrome_local.batch_service.model import Json, Scope
from aerodrome_local.batch_service.persistence import Database
from aerodrome_local.batch_service.runner import Runner
from aerodrome_local.batch_service.scheduler import Scheduler
from aerodrome_local.batch_service.settings import Settings
from aerodrome_local.batch_service.state import State
from aerodrome_local.batch_service.traffic import Traffic

_log = logging.getLogger(__name__)

STOP_SECONDS = 3.0
"""How long a stop waits for killed jobs and for events that are still to be emitted, each."""

OPERATIONS: dict[str, Operation] = {
    **compute_environments.OPERATIONS,
    **job_queues.OPERATIONS,
    **job_definitions.OPERATIONS,
    **scheduling_policies.OPERATIONS,
    **jobs.OPERATIONS,
    **tags.OPERATIONS,
}


class BatchService:
    """AWS Batch for any number of accounts and regions.

    Args:
        settings: See :class:`~aerodrome_local.batch_service.settings.Settings`.
        backend: The other services.

    Attributes:
        traffic: The calls over HTTP: counters, and faults that were asked for.
    """

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self.traffic = Traffic()
        self._backend = backend
        self._state = State(Database(settings.database))
        self._events = EventQueue(backend)
        self._lifecycle = Lifecycle(self._state, self._events.put)
        self._changed = threading.Event()
        self._runner = Runner(settings, self._state, self._lifecycle, backend, self._changed)
        self._scheduler = Scheduler(settings, self._state, self._lifecycle, self._runner.launch, self._changed)
        self._verifiers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batch-verify")
        self._core = Core(
            settings=settings,
            state=self._state,
            lifecycle=self._lifecycle,
            wake=self._changed.set,
            stop_attempt=self._runner.stop_attempt,
            verify=self._verify_soon,
        )

    def start(self) -> None:
        """Take up what the last life left, and begin to place jobs."""
        self._events.start()
        self._runner.recover()
        for environment in self._state.compute_environments:
            if environment["status"] in {"CREATING", "UPDATING"}:
                self._core.verify(environment["computeEnvironmentArn"])
        self._scheduler.start()

    def stop(self) -> None:
        """End every job's process and write everything down. The service cannot be started again."""
        self._scheduler.stop()
        self._runner.stop(STOP_SECONDS)
        self._verifiers.shutdown(wait=False, cancel_futures=True)
        self._events.stop(STOP_SECONDS)
        self._state.close()

    def call(self, operation: str, request: Json, scope: Scope) -> Json:
        """Carry out an API operation.

        Raises:
            ClientException: The request is wrong.
            ServerException: The embedded Batch does not have this operation.
        """
        if operation not in OPERATIONS:
            raise ServerException(
                f"{operation} is not implemented by the embedded Batch; it has {', '.join(sorted(OPERATIONS))}"
            )
        shapes.check(operation, request)
        with self._state.changing():
            # Copies on both sides: what is stored is shared with nobody.
            answer = OPERATIONS[operation](self._core, scope, copy.deepcopy(request))
            return copy.deepcopy(answer)

    def reclaim_host(self, job_id: str) -> None:
        """Take the host of a running job away, as EC2 does when it reclaims a spot instance.

        Of a multi-node job that is the main node's host.

        Raises:
            ClientException: The job is not RUNNING.
        """
        with self._state.lock:
            job = self._state.on_host.get(job_id)
            if job is not None and job.is_multinode:
                job = self._lifecycle.main_node(job)
            if job is None or job.process is None:
                raise ClientException(f"job {job_id} is not RUNNING, so it has no host to take away")
            self._runner.stop_attempt(job, StopCause.HOST_LOST)

    def _verify_soon(self, arn: str) -> None:
        self._verifiers.submit(self._verify, arn)

    def _verify(self, arn: str) -> None:
        """Find out whether a compute environment can work, which takes calls to other services."""
        scope = Scope.of_arn(arn)
        with self._state.lock:
            environment = copy.deepcopy(self._state.compute_environments.find(scope, arn))
        if environment is None:
            return
        try:
            problem = self._backend.compute_problem(scope, environment.get("computeResources", {}))
        except Exception as error:  # noqa: BLE001 - an answer is needed: a stack waits for it
            _log.exception("%s could not be checked", arn)
            problem = f"INTERNAL_ERROR - {error}"
        with self._state.changing():
            current = self._state.compute_environments.find(scope, arn)
            if current is None:
                return
            current["status"] = "INVALID" if problem else "VALID"
            current["statusReason"] = problem or "ComputeEnvironment Healthy"
            self._state.compute_environments.put(arn, current)
        self._changed.set()
