"""When AWS Batch tries again: when the host went away or the container never began, and not when its code failed."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from aws_cdk import aws_batch as batch

from aerodrome_constructs.batch.container import Container, Platform

_HOST_GONE: Final = "Host EC2*"
_FARGATE_TASK_GONE: Final = "Your Spot Task was interrupted*"

RECLAIMED: Final = (_HOST_GONE, _FARGATE_TASK_GONE)
"""The status reasons of attempts whose host was taken back, as Batch compares them: retried, and counted as such."""

# Batch compares the status reason, which is the ECS task's stopped reason, and the container's own reason. What
# follows is how they begin; Batch takes an asterisk at the end only, and five conditions with the last.
# https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
_TRY_AGAIN: Final[Mapping[Platform, Sequence[tuple[str, str]]]] = MappingProxyType(
    {
        Platform.EC2: (
            # "Host EC2 (instance i-...) terminated.": spot took it back, or it broke.
            # https://aws.amazon.com/blogs/compute/introducing-retry-strategies-for-aws-batch/
            ("on_status_reason", _HOST_GONE),
            # The image could not be pulled, the secret not be read, the file system not be mounted: the container's
            # reason says which. What is wrong for good fails again within seconds, and costs little.
            ("on_status_reason", "Task failed to start*"),
            # The agent on the instance lost the container.
            ("on_reason", "AGENT*"),
        ),
        Platform.FARGATE: (
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
            ("on_status_reason", _FARGATE_TASK_GONE),
            ("on_status_reason", "Task failed to start*"),
            # Where there is no instance of ours, the task's own reason says what failed.
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
            ("on_status_reason", "CannotPullContainerError*"),
            ("on_status_reason", "ResourceInitializationError*"),
        ),
    }
)


def retry_strategy(container: Container) -> batch.CfnJobDefinition.RetryStrategyProperty:
    """The retry strategy of a job: as many attempts as it says, and none after its code failed.

    A job that is out of time, or that somebody ended, is not tried again whatever this says.

    Args:
        container: What runs.
    """
    condition = batch.CfnJobDefinition.EvaluateOnExitProperty
    return batch.CfnJobDefinition.RetryStrategyProperty(
        attempts=container.attempts,
        evaluate_on_exit=[
            *(condition(action="RETRY", **{part: text}) for part, text in _TRY_AGAIN[container.platform]),
            # Batch tries again what matches nothing.
            condition(action="EXIT", on_reason="*"),
        ],
    )
