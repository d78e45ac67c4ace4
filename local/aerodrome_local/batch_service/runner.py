"""Running the attempts of placed jobs, each on a thread of its own."""

import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aerodrome_local.batch_service import job_environment, mounts, process_groups
from aerodrome_local.batch_service.backend import Backend, BackendError
from aerodrome_local.batch_service.executor import Execution, Output, StartError, StopCause
from aerodrome_local.batch_service.lifecycle import EXITED, TIMED_OUT, Lifecycle, host_lost_reason
from aerodrome_local.batch_service.model import ON_HOST, Job, Scope
from aerodrome_local.batch_service.settings import Settings
from aerodrome_local.batch_service.state import State

_log = logging.getLogger(__name__)

DEFAULT_LOG_GROUP = "/aws/batch/job"
NOT_STARTED = "Task failed to start"
_NO_COMMAND = (
    "CannotStartContainerError: the container has no command. On AWS the image's own would run; the embedded Batch "
    "runs no image, so the job definition or the submission must give one."
)


@dataclass(frozen=True, slots=True)
class _Outcome:
    exit_code: int | None = None
    reason: str | None = None
    stopped: StopCause | None = None


class Runner:
    """Runs attempts, and ends those that an earlier life of the server left.

    Args:
        changed: Set when an attempt has ended, which makes room for others.
    """

    def __init__(
        self, settings: Settings, state: State, lifecycle: Lifecycle, backend: Backend, changed: threading.Event
    ) -> None:
        self._settings = settings
        self._state = state
        self._lifecycle = lifecycle
        self._backend = backend
        self._changed = changed
        self._executions: dict[str, Execution] = {}
        self._threads: set[threading.Thread] = set()
        self._stopping = False

    def launch(self, job: Job) -> None:
        """Start an attempt of a placed job. Called under the state's lock; does not wait."""
        thread = threading.Thread(target=self._attempt, args=(job,), name=f"batch-{job.id}", daemon=True)
        self._threads.add(thread)
        thread.start()

    def stop_attempt(self, job: Job, cause: StopCause) -> None:
        """Stop a job's process, if it has one by now. Called under the state's lock."""
        execution = self._executions.get(job.id)
        if execution is not None:
            execution.stop(cause)

    def stop(self, timeout: float) -> None:
        """Kill every job's process. The jobs stay RUNNING on record: the next start takes their host for lost."""
        with self._state.lock:
            self._stopping = True
            for execution in self._executions.values():
                execution.stop(StopCause.HOST_LOST)
            threads = list(self._threads)
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def recover(self) -> None:
        """End what an earlier life of the server left running: its processes, and the attempts on record."""
        shutil.rmtree(self._settings.work_dir, ignore_errors=True)
        with self._state.changing():
            for job in list(self._state.on_host.values()):
                if job.process is not None:
                    process_groups.kill_recorded(job.process)
                if not job.is_multinode:  # which ends as its nodes do
                    self._record(job, _Outcome(stopped=StopCause.HOST_LOST))

    def _attempt(self, job: Job) -> None:
        try:
            outcome = self._run(job)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must not stay RUNNING for ever
            _log.exception("an attempt of job %s failed in the embedded Batch itself", job.id)
            outcome = _Outcome(reason=f"CannotStartContainerError: {error}")
        with self._state.changing():
            self._threads.discard(threading.current_thread())
            self._executions.pop(job.id, None)
            if self._stopping:
                return
            self._record(job, outcome)
        self._changed.set()

    def _record(self, job: Job, outcome: _Outcome) -> None:
        status_reason, may_retry = EXITED, True
        if job.terminated:
            status_reason, may_retry = job.status_reason or "", False
        elif outcome.stopped is StopCause.TIMEOUT:
            status_reason, may_retry = TIMED_OUT, False
        elif outcome.stopped is StopCause.HOST_LOST:
            status_reason = host_lost_reason(job)
        elif outcome.exit_code is None:
            status_reason = NOT_STARTED
        exit_code = None if outcome.stopped is StopCause.HOST_LOST else outcome.exit_code
        for node in self._lifecycle.end_attempt(
            job, exit_code=exit_code, reason=outcome.reason, status_reason=status_reason, may_retry=may_retry
        ):
            self.stop_attempt(node, StopCause.TERMINATED)

    def _run(self, job: Job) -> _Outcome:
        scope = Scope.of_arn(job.arn)
        if not job.container["command"]:
            return _Outcome(reason=_NO_COMMAND)
        try:
            secrets = {
                each["name"]: self._backend.secret(scope, each["valueFrom"]) for each in job.container["secrets"]
            }
        except BackendError as error:
            return _Outcome(reason=f"ResourceInitializationError: {error}")
        self._settings.work_dir.mkdir(parents=True, exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix=f"{job.id.replace(':', '-')}-", dir=self._settings.work_dir))
        try:
            (directory / "tmp").mkdir()
            return self._execute(job, scope, directory, secrets)
        except (BackendError, StartError) as error:
            return _Outcome(reason=str(error))
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _execute(self, job: Job, scope: Scope, directory: Path, secrets: dict[str, str]) -> _Outcome:
        write = self._log_writer(job, scope)
        queue_name = job.queue_arn.rpartition("/")[2]
        environment = job_environment.variables(job, self._settings, directory, secrets, queue_name)
        command = self._command(job, scope, directory, environment, write)
        duration = None if job.timeout_seconds is None else job.timeout_seconds * self._settings.time_scale
        with self._state.changing():
            if job.terminated or self._stopping or job.status not in ON_HOST or self._lifecycle.is_over(job):
                return _Outcome()
            # Started under the lock: a process is either on record or was never there.
            execution = Execution(
                command,
                environment,
                directory,
                output=write,
                duration=duration,
                grace=self._settings.stop_grace,
            )
            self._executions[job.id] = execution
            for node in self._lifecycle.run(job, execution.process):
                self.launch(node)
        exit_code = execution.wait()
        return _Outcome(exit_code=exit_code, stopped=execution.stopped)

    def _command(
        self, job: Job, scope: Scope, directory: Path, environment: Mapping[str, str], write: Output
    ) -> Sequence[str]:
        """The command, with the file systems that the job mounts."""
        command: Sequence[str] = job.container["command"]
        mounted = mounts.mounts_of(
            job.container,
            directory=self._settings.files_dir,
            account=scope.account,
            own=directory,
            access_point_path=partial(self._backend.access_point_path, scope),
        )
        if mounted and not mounts.can_mount():
            write([(int(time.time() * 1000), mounts.left_out(mounted))])
            return command
        return mounts.inside(command, environment, mounted)

    def _log_writer(self, job: Job, scope: Scope) -> Output:
        configuration = job.container.get("logConfiguration") or {"logDriver": "awslogs"}
        options = configuration.get("options") or {}
        group, stream = options.get("awslogs-group", DEFAULT_LOG_GROUP), job.host["logStreamName"]
        if configuration["logDriver"] != "awslogs":
            return lambda _: None
        # AWS makes its default group; one that a job definition names must exist unless it says otherwise.
        create = group == DEFAULT_LOG_GROUP or options.get("awslogs-create-group") == "true"
        self._backend.create_log_stream(scope, group, stream, create_group=create)
        return lambda lines: self._backend.put_log_events(scope, group, stream, lines)
