"""What holds for tasks of Flyte 1 and of Flyte 2 alike. It needs neither."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flytekit_aws_batch.core.progress import Phase

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

PROJECT_VARIABLE: Final = "FLYTE_AWS_BATCH_PROJECT"
DOMAIN_VARIABLE: Final = "FLYTE_AWS_BATCH_DOMAIN"
"""Whose jobs a local run starts."""

DEFAULT_PROJECT: Final = "flytesnacks"
DEFAULT_DOMAIN: Final = "development"
"""Whose they are where these are not set, or empty."""


def local_place() -> tuple[str, str]:
    """The project and the domain whose jobs a local run starts."""
    return os.environ.get(PROJECT_VARIABLE) or DEFAULT_PROJECT, os.environ.get(DOMAIN_VARIABLE) or DEFAULT_DOMAIN
