"""What holds for tasks of Flyte 1 and of Flyte 2 alike. It needs neither."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from flytekit_aws_batch.core.progress import Phase

if TYPE_CHECKING:
    from flytekit_aws_batch.core.call_errors import CallError

TASK_TYPE: Final = "aws-batch-job"
"""By this Flyte finds the connector. The plugin inside propeller, which Flyte 1 comes with, has ``aws-batch``."""

DEFAULT_VCPUS: Final = 1.0
DEFAULT_MEMORY_MIB: Final = 2048
"""What a task gets that says nothing, the memory for each vCPU: the least that Fargate has for a whole one."""

# Flyte shows the message of each phase once in an attempt, that of RUNNING never, and for QUEUED one of its own (see
# docs/explanation/batch-connector.md). A reason that Batch gives late is seen only in a phase that was not there yet.
PHASES: Final[Mapping[Phase, str]] = MappingProxyType(
    {
        Phase.QUEUED: "QUEUED",
        Phase.WAITING: "WAITING_FOR_RESOURCES",
        Phase.BLOCKED: "INITIALIZING",
        Phase.STARTING: "INITIALIZING",
        Phase.RUNNING: "RUNNING",
        Phase.SUCCEEDED: "SUCCEEDED",
        Phase.FAILED: "FAILED",
        Phase.FAILED_RETRYABLE: "RETRYABLE_FAILED",
    }
)
"""The names that both Flytes' ``TaskExecution.Phase`` has for them."""

UNBUFFERED: Final[Mapping[str, str]] = MappingProxyType({"PYTHONUNBUFFERED": "1"})
"""What Python writes at once, for whoever is killed or times out: stdout is no terminal in a job, so that Python keeps
what is printed until 8 KiB have come together, and what it keeps dies with it
(https://docs.python.org/3/using/cmdline.html#envvar-PYTHONUNBUFFERED)."""

PROJECT_VARIABLE: Final = "FLYTE_AWS_BATCH_PROJECT"
DOMAIN_VARIABLE: Final = "FLYTE_AWS_BATCH_DOMAIN"
"""Whose jobs a local run starts."""

LOCAL_EXECUTION: Final = "local-"
"""How the executions of Flyte 1's local runs begin, and with them the names of their jobs."""

DEFAULT_PROJECT: Final = "flytesnacks"
DEFAULT_DOMAIN: Final = "development"
"""Whose they are where these are not set, or empty."""


def local_place() -> tuple[str, str]:
    """The project and the domain whose jobs a local run starts."""
    return os.environ.get(PROJECT_VARIABLE) or DEFAULT_PROJECT, os.environ.get(DOMAIN_VARIABLE) or DEFAULT_DOMAIN


def no_outputs(url: str) -> str:
    """What to say of a job that ended well without the outputs that Flyte looks for.

    Args:
        url: Where they should be.
    """
    return (
        f"the job ended well and wrote no {url}: does its image have an ENTRYPOINT that does not run what it is given?"
    )


def not_delivered(error: "CallError", target: str) -> str:
    """What to say of outputs that S3 does not give: that they wait, or what the connector needs.

    Args:
        error: What S3 says.
        target: Where Flyte looks for them.
    """
    if error.passes:
        return f"it is done; its outputs wait for S3: {error}"
    return f"its outputs cannot be read: {error}; the connector's role needs to read and write {target}"
