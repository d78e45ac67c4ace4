"""What flytekit imports with itself: the tasks and the connector are known from then on."""

from flytekit_aws_batch import connector, task

__all__ = ["connector", "task"]
