"""A function as a job of AWS Batch: what its author writes, and what is said against it before it is deployed."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any

import flyte
from flyte import storage
from flyte.connectors import AsyncConnectorExecutorMixin
from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry, get_proto_resources
from flyte.models import SerializationContext

from flytekit_aws_batch.common import TASK_TYPE
from flytekit_aws_batch.core.shapes import spec_problems
from flytekit_aws_batch.core.spec import JobSpec
from flytekit_aws_batch.flyte2.request import CUSTOM, resources_of


class AWSBatch(JobSpec):
    """``flyte.TaskEnvironment(plugin_config=AWSBatch(...))``: the environment's tasks run on AWS Batch.

    Image, CPU, memory, GPUs, environment variables, retries and timeout are those of the task, as anywhere in Flyte.
    ``interruptible=True`` chooses spot instances; without it, as Flyte 2 has no third answer, jobs go to on-demand ones
    unless ``queue`` says otherwise.
    """


@dataclass(kw_only=True)
class AWSBatchTask(AsyncConnectorExecutorMixin, AsyncFunctionTaskTemplate[..., Any, Any]):
    """A function that runs as a job of AWS Batch."""

    plugin_config: AWSBatch
    task_type: str = TASK_TYPE
    debuggable: bool = False  # Flyte's debugger listens on a port of the pod; nothing leads to a job's.

    async def execute(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
        """Run it: in AWS Batch where its data can be reached from there, else in this process.

        Flyte's own executor knows nothing to do with a function whose data stays on this machine, and raises.
        """
        context = flyte.ctx()
        if context.mode == "local" and not storage.is_remote(context.raw_data_path.path):
            return await AsyncFunctionTaskTemplate.execute(self, *args, **kwargs)
        return await AsyncConnectorExecutorMixin.execute(self, *args, **kwargs)

    def custom_config(self, sctx: SerializationContext) -> dict[str, Any]:  # noqa: ARG002 - Flyte's own signature
        """What travels with the task.

        Raises:
            ValueError: AWS Batch, or a connector of Flyte 2, cannot do what the task asks for.
        """
        if found := self._problems():
            raise ValueError("\n".join(f"{self.name}: {each}" for each in found))
        return {CUSTOM: self.plugin_config.to_custom()}

    def _problems(self) -> list[str]:
        resources = self.resources or flyte.Resources()
        not_there = {
            "secrets": (
                self.secrets,
                "a connector cannot read Flyte's; use AWSBatch(secrets=...) for Secrets Manager's",
            ),
            "service_account": (self.service_account, "a job has the role of its project and domain instead"),
            "pod_template": (self.pod_template, "a job is no pod; leave it out"),
            "nodes": (
                self.plugin_config.nodes if self.plugin_config.nodes > 1 else None,
                "Flyte 2's entrypoint would run the whole task on each; use 1, or a task of flytekit",
            ),
            "resources.disk": (resources.disk, "a job has its instance's; on Fargate use AWSBatch(ephemeral_gib=...)"),
            "resources.shm": (resources.shm, "use AWSBatch(shared_memory_mib=...)"),
            "resources.gpu": (
                None if isinstance(resources.gpu, int) else resources.gpu,
                "the queue's instances decide which GPU it is; ask for a number of them",
            ),
        }
        found = [
            f"{name}={value!r} is not carried to AWS Batch: {why}" for name, (value, why) in not_there.items() if value
        ]
        return found or spec_problems(
            self.plugin_config,
            resources_of(get_proto_resources(resources)),
            retries=self.retries.count if isinstance(self.retries, flyte.RetryStrategy) else self.retries,
            timeout_seconds=_seconds(self.timeout),
        )


def _seconds(timeout: flyte.Timeout | timedelta | int | None) -> int | None:
    """The longest that an attempt may run, as its author says it. None: for ever."""
    longest = timeout.max_runtime if isinstance(timeout, flyte.Timeout) else timeout
    return ceil(longest.total_seconds() if isinstance(longest, timedelta) else longest or 0) or None


TaskPluginRegistry.register(AWSBatch, AWSBatchTask)
