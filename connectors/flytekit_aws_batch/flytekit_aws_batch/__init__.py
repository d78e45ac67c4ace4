"""Flyte tasks as AWS Batch jobs: EC2, spot, Fargate, GPU, arrays and multi-node, run by a connector.

::

    from flytekit import Resources, task
    from flytekit_aws_batch import AWSBatch, map_task

    @task(task_config=AWSBatch(queue="gpu"), limits=Resources(cpu="8", mem="30Gi", gpu="1"), retries=2)
    def train(fold: int) -> float: ...

    scores = map_task(train, concurrency=50, min_success_ratio=0.9)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flytekit_aws_batch.array import map_task
    from flytekit_aws_batch.config import EfsMount, ExitRule, SecretVariable
    from flytekit_aws_batch.container_task import AWSBatchContainerTask
    from flytekit_aws_batch.task import AWSBatch

__all__ = ["AWSBatch", "AWSBatchContainerTask", "EfsMount", "ExitRule", "SecretVariable", "map_task"]

# Loaded when they are asked for: `core` is also used where there is no flytekit.
_HOME = {
    "AWSBatch": "task",
    "AWSBatchContainerTask": "container_task",
    "EfsMount": "config",
    "ExitRule": "config",
    "SecretVariable": "config",
    "map_task": "array",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
