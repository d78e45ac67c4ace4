"""What a local run says of its jobs while they run: a line for each new phase and each new job."""

import os
from typing import Any

import click
from flyteidl.core.execution_pb2 import TaskExecution
from flytekit.extend.backend.base_connector import Resource

from flytekit_aws_batch.common import DEFAULT_DOMAIN, DEFAULT_PROJECT, DOMAIN_VARIABLE, PROJECT_VARIABLE

_FAILED = {TaskExecution.FAILED, TaskExecution.RETRYABLE_FAILED}


class Lines:
    """Tells how a task stands, on stderr: stdout is the results'.

    Args:
        task: The task's name.
    """

    def __init__(self, task: str) -> None:
        self._task = task
        self._told: tuple[object, ...] = ()
        self._job = ""

    def tell(self, resource: Resource) -> None:
        """Say what is new of a task, if anything is."""
        known: dict[str, Any] = resource.custom_info or {}
        jobs = list(known.get("jobs", ()))
        self._job = jobs[-1] if jobs else ""
        if self._told == (resource.phase, self._job):
            return
        self._told = (resource.phase, self._job)
        first = (resource.message or "").partition("\n")[0]
        where = f"job {self._job}" if self._job else ""
        if where and known.get("queue"):
            where = f"{where} in {known['queue']}"
        phase = TaskExecution.Phase.Name(resource.phase)
        # Of an ordinary job the message mostly begins with it.
        self._say(where, *((first,) if first.startswith(phase) else (phase, first)))
        if resource.phase in _FAILED:
            self._tell_more(resource.message or "", str(known.get("log", "")))

    def tell_ended(self, problem: str | None) -> None:
        """Say that Ctrl-C has ended the job.

        Args:
            problem: Why it has not. None: it has.
        """
        job = f"job {self._job}" if self._job else "its job"
        if problem is None:
            self._say(f"ended {job}")
        else:
            self._say(f"{job} could not be ended, and may go on", problem)

    def _tell_more(self, message: str, log: str) -> None:
        if log:
            self._say(f"job {self._job}", f"log stream {log}")
        unset = [name for name in (PROJECT_VARIABLE, DOMAIN_VARIABLE) if not os.environ.get(name)]
        if unset and ("log group" in message or DEFAULT_PROJECT in message):
            self._say(
                f"without {' and '.join(unset)} a local run is one of project {DEFAULT_PROJECT} in {DEFAULT_DOMAIN}, "
                "whose log group, queues and roles it gets; set them to your own"
            )

    def _say(self, *parts: str) -> None:
        click.echo(": ".join((self._task, *filter(None, parts))), err=True)
