"""Flyte: how much it bears, what it runs beside containers, and whom it tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, Field, Strict

from aerodrome_stacks.environment.domain_types import ConnectorName, Count, PinnedImage, TaskType, distinct
from aerodrome_stacks.environment.section import Section

LoadClass = Literal["small", "medium", "large"]
Plugin = Literal["spark", "ray", "pytorch"]
# The plugins of v1.16.8 that ask flytepropeller's resource manager before they begin, each for all that it runs.
LimitedPlugin = Literal["connector-service", "k8s-array"]

FLYTES_OWN: Final = frozenset(
    {"container", "python-task", "raw-container", "sidecar", "container_array", "aws-batch", "echo"}
)
"""The types of tasks that flytepropeller runs by plugins that are always on (flyteplugins v1.16.8, what
``RegisteredTaskTypes`` says of container, sidecar, k8s-array, aws_array and echo). ``aws-batch`` is on unless
``flyte.batch_plugin`` is false, and nobody else's even then: workflows that were registered with it are about that
plugin."""

BATCH_CONNECTOR: Final = "aws-batch"
"""What the platform's own connector, that of AWS Batch, is called among the connectors."""

BATCH_TASK_TYPE: Final = "aws-batch-job"
"""The type of the tasks that it starts (``connectors/flytekit_aws_batch``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlyteLoad:
    """What Flyte's components have in one load class.

    flytepropeller starts about 8 tasks a second whatever it has, and holds about 1,000 waiting or running ones in 8 GiB
    (flyteorg/flyte-benchmarks, reference_results.md, June 2026). Workers are 100 to 200 for each CPU ("500 to 800
    workers with 4 to 8 CPUs", Flyte's guide, deployment/configuration/performance).

    Attributes:
        workers: Executions that flytepropeller evaluates at once.
        kube_qps: Requests a second that it makes of the Kubernetes API, in the long run.
        kube_burst: Requests that it makes at once.
        cache_mib: Metadata that it keeps in memory instead of reading them from S3 again, in MiB.
        propeller_cpus: CPUs that it asks for; it may take twice as many.
        propeller_memory_gib: Memory that it asks for and gets, in GiB.
        flyteadmin_most: Most pods of flyteadmin, which grows with its load.
        flyteadmin_connections: Connections to the database that each of them opens at most.
        datacatalog_connections: Connections that each pod of datacatalog opens at most.
    """

    workers: int
    kube_qps: int
    kube_burst: int
    cache_mib: int
    propeller_cpus: int
    propeller_memory_gib: int
    flyteadmin_most: int
    flyteadmin_connections: int
    datacatalog_connections: int

    @property
    def tasks_held(self) -> int:
        """Tasks that wait or run at once: 1,000 for each 8 GiB."""
        return self.propeller_memory_gib * 125


LOADS: Final[Mapping[LoadClass, FlyteLoad]] = {
    "small": FlyteLoad(
        workers=100,
        kube_qps=100,
        kube_burst=200,
        cache_mib=256,
        propeller_cpus=1,
        propeller_memory_gib=3,
        flyteadmin_most=4,
        flyteadmin_connections=10,
        datacatalog_connections=10,
    ),
    "medium": FlyteLoad(
        workers=400,
        kube_qps=200,
        kube_burst=400,
        cache_mib=1024,
        propeller_cpus=2,
        propeller_memory_gib=8,
        flyteadmin_most=6,
        flyteadmin_connections=20,
        datacatalog_connections=15,
    ),
    "large": FlyteLoad(
        workers=800,
        kube_qps=400,
        kube_burst=800,
        cache_mib=4096,
        propeller_cpus=4,
        propeller_memory_gib=32,
        flyteadmin_most=10,
        flyteadmin_connections=30,
        datacatalog_connections=25,
    ),
}
"""What Flyte's components have, by load class."""

_MOST_SHARDS = 32  # the keys that propeller's manager deals out (flytepropeller/manager/shardstrategy, v1.16.8)


def _one_is_none(shards: int) -> int:
    # With one shard, the manager is a second thing that can fail, and nothing waits for the first one's lease.
    return 0 if shards == 1 else shards


class Connector(Section):
    """A service that starts tasks elsewhere for Flyte, and asks after them, such as queries of a warehouse."""

    image: PinnedImage = Field(
        description="The image, with an exact tag or a digest: flytekit 1.16 or later with its extra `connector`, and "
        "the plugins whose tasks it starts. In a private network, in ECR of the region."
    )
    task_types: Annotated[tuple[TaskType, ...], MinLen(1), AfterValidator(distinct)] = Field(
        description="The types of the tasks that it starts, as `pyflyte serve connector` lists them when it begins."
    )
    replicas: Annotated[Count, Ge(1), Le(20)] = Field(
        default=2, description="How many pods of it there are, 1 to 20. Left out, 2."
    )


class BatchConnector(Section):
    """The connector that runs tasks as jobs of AWS Batch, in the queues of people's own jobs."""

    image: PinnedImage = Field(
        description="The image, with an exact tag or a digest, of connectors/flytekit_aws_batch/Dockerfile. In a "
        "private network, in ECR of the region."
    )
    replicas: Annotated[Count, Ge(1), Le(20)] = Field(
        default=2,
        description="How many pods of it there are, 1 to 20. One is at work for each flytepropeller, and the others "
        "take over. Left out, 2.",
    )


class Flyte(Section):
    """Flyte: how much it bears, what it runs beside containers, and whom it tells."""

    load: LoadClass = Field(
        default="small",
        description="How much Flyte bears: `small` holds 375 tasks that wait or run at once, `medium` 1,000, `large` "
        "4,000. Left out, small.",
    )
    propeller_shards: Annotated[Count, Ge(0), Le(_MOST_SHARDS), AfterValidator(_one_is_none)] = Field(
        default=0,
        description="How many flytepropellers share the executions, 2 to 32: each holds and starts as much as the load "
        "class says. Left out or 0, one at work and one that waits to take over.",
    )
    plugins: Annotated[tuple[Plugin, ...], AfterValidator(distinct)] = Field(
        default=(),
        description="What tasks may be beside containers and jobs of AWS Batch: `spark`, `ray`, `pytorch`. Each comes "
        "with its operator. Left out, nothing.",
    )
    connectors: Mapping[ConnectorName, Connector] = Field(
        default={},
        description="Services that start tasks elsewhere, such as queries of a warehouse, by name. Each is an image of "
        "yours. Left out, none.",
    )
    batch_connector: BatchConnector | None = Field(
        default=None,
        description="The connector that runs tasks on AWS Batch: on instances, Fargate and GPUs, in the queues of "
        "people's own jobs. Left out, there is none.",
    )
    batch_plugin: Annotated[bool, Strict()] = Field(
        default=True,
        description="Whether tasks of Flyte's own plugin for AWS Batch, those of type `aws-batch`, run. With false, "
        "flytepropeller has no right to AWS Batch. Left out, yes.",
    )
    notifications: Annotated[bool, Strict()] = Field(
        default=False,
        description="Whether Flyte sends the emails that launch plans ask for, from flyte@ the platform's domain, "
        "which needs access.hosted_zone_id. Left out, no.",
    )
    events: Annotated[bool, Strict()] = Field(
        default=False,
        description="Whether Flyte tells an SNS topic of what happens to executions, nodes and tasks. Left out, no.",
    )
    resource_limits: Mapping[LimitedPlugin, Annotated[Count, Ge(1), Le(100_000)]] = Field(
        default={},
        description="Most tasks at once, over all projects, that call on what there is little of, such as a warehouse "
        "or a licence, by plugin: `connector-service`, all of flyte.connectors and flyte.batch_connector together, and "
        "`k8s-array`, map tasks of the old kind. Flyte limits no other. Left out, as many as quotas allow.",
    )

    @property
    def bears(self) -> FlyteLoad:
        """What its components have."""
        return LOADS[self.load]

    @property
    def connector_images(self) -> dict[str, str]:
        """The image of each connector by its name, the platform's own among them."""
        own = {BATCH_CONNECTOR: self.batch_connector.image} if self.batch_connector else {}
        return {**{name: connector.image for name, connector in self.connectors.items()}, **own}

    @property
    def connector_task_types(self) -> dict[str, str]:
        """The name of the connector that starts each type of task that some connector starts."""
        own = {BATCH_TASK_TYPE: BATCH_CONNECTOR} if self.batch_connector else {}
        return {**{kind: name for name, connector in self.connectors.items() for kind in connector.task_types}, **own}
