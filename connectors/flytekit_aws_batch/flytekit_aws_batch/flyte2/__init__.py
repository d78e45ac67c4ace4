"""AWS Batch for tasks of Flyte 2 (the ``flyte`` package): a thin layer on :mod:`flytekit_aws_batch.core`.

    import flyte
    from flytekit_aws_batch.flyte2 import AWSBatch

    env = flyte.TaskEnvironment(
        name="training",
        image="111122223333.dkr.ecr.us-east-1.amazonaws.com/training:1.4",
        resources=flyte.Resources(cpu=8, memory="32Gi", gpu=1),
        plugin_config=AWSBatch(queue="gpu"),
    )

    @env.task(retries=2, timeout=3600)
    async def train(dataset: str) -> float: ...

Importing it registers the task type and the connector, as Flyte's own plugins do. A connector's service (``c0``) finds
it by the entry point ``flyte.connectors``.
"""

from flytekit_aws_batch.flyte2.connector import AWSBatchConnector
from flytekit_aws_batch.flyte2.task import AWSBatch, AWSBatchTask

__all__ = ["AWSBatch", "AWSBatchConnector", "AWSBatchTask"]
