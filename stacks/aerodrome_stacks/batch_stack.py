"""The Batch stack: compute environments, and the queues of people, of Flyte and of what arrives in S3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_batch as batch
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.batch import (
    BatchCompute,
    BatchComputeProps,
    Ceilings,
    FairShareProps,
    HostMetrics,
    JobDefinitionCleaner,
    JobDefinitionCleanerProps,
    QueueProps,
    fair_share,
    job_queue,
)
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.batch_queues import (
    PRIORITIES,
    Kind,
    domains,
    flyte_kinds,
    flyte_queue_name,
    flyte_queue_names,
    ingest_queue_name,
    kinds,
    queue_name,
)
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.capacity import InstanceCapacity
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.file_systems_stack import FileSystemsPorts
from aerodrome_stacks.function_place import function_place
from aerodrome_stacks.names import project_role_name
from aerodrome_stacks.network_stack import NetworkPorts

HOST_METRICS = "Aerodrome/BatchHosts"
"""The namespace of the metrics of hosts, with the dimensions Environment, ComputeEnvironment (such as ``ArmSpot``) and
InstanceId, or the first two: ``cpu_usage_active``, ``mem_used_percent``, ``swap_used_percent`` and
``disk_used_percent``; of hosts with GPUs also ``nvidia_smi_utilization_gpu``, ``nvidia_smi_utilization_memory`` and
``nvidia_smi_temperature_gpu``."""

_CAPACITY: Mapping[Kind, Sequence[str]] = {
    Kind.SPOT: ("Spot", "OnDemand"),
    Kind.ON_DEMAND: ("OnDemand",),
    Kind.ARM: ("ArmSpot", "ArmOnDemand"),
    Kind.ARM_ON_DEMAND: ("ArmOnDemand",),
    Kind.GPU: ("GpuSpot", "GpuOnDemand"),
    Kind.GPU_ON_DEMAND: ("GpuOnDemand",),
    Kind.FARGATE: ("FargateSpot", "Fargate"),
    Kind.FARGATE_ON_DEMAND: ("Fargate",),
}
"""The compute environments behind each kind of queue, in the order in which a job is offered to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPorts:
    """What other stacks may use of AWS Batch.

    Compute environments are not in it: an ARN that another stack imports could not be replaced. Who needs them finds
    them behind the queues, or by their tags.

    Attributes:
        queue_arns: The ARN of each queue by its name.
    """

    queue_arns: Mapping[str, str]


class BatchStack(AerodromeStack):
    """Queues for people, for Flyte and for what arrives in S3; the capacity behind them; what cleans up after Flyte."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        network: NetworkPorts,
        log_key: kms.IKey,
        file_systems: FileSystemsPorts | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="AWS Batch: compute environments (spot, on-demand, Fargate), queues, cleaning up after Flyte",
        )
        self._environment = environment
        ceilings = environment.batch
        self._compute = BatchCompute(
            self,
            "Compute",
            BatchComputeProps(
                vpc=network.vpc,
                subnets=network.node_subnets,
                metrics=HostMetrics(namespace=HOST_METRICS, dimensions={"Environment": environment.name}),
                x86=Ceilings(spot=ceilings.spot_vcpus, on_demand=ceilings.on_demand_vcpus),
                fargate=Ceilings(spot=ceilings.fargate_spot_vcpus, on_demand=ceilings.fargate_vcpus),
                arm=_ceilings(ceilings.arm),
                gpu=_ceilings(ceilings.gpu),
                security_groups=[file_systems.clients] if file_systems else [],
                mounts=file_systems.lustre.mount_commands if file_systems and file_systems.lustre else [],
            ),
        )
        names: list[str] = []
        for domain in domains(environment):
            names += self._queues_of(domain)
        self.ports = BatchPorts(
            # Built from the names: an ARN that another stack imports could not be changed while it does.
            queue_arns={
                name: f"arn:{self.partition}:batch:{self.region}:{self.account}:job-queue/{name}" for name in names
            },
        )
        JobDefinitionCleaner(
            self,
            "Cleaner",
            JobDefinitionCleanerProps(
                name=f"{self.prefix}-job-definition-cleaner",
                job_queues=flyte_queue_names(environment),
                job_roles=[
                    project_role_name(environment, project, domain) for project, domain in environment.project_domains
                ],
                place=function_place(environment, network, log_key),
            ),
        )

    def _queues_of(self, domain: Domain) -> list[str]:
        """Make the queues of a domain, and return their names."""
        environment, title = self._environment, domain.title()
        shared = fair_share(
            self,
            f"{title}Shares",
            FairShareProps(
                weights={
                    project.share_identifier: project.batch.share
                    for project in environment.projects
                    if domain in project.domains
                },
                reserved_percent=environment.batch.reserved_percent,
            ),
        )
        people = [
            self._queue(f"{title}{_title(kind)}", queue_name(environment, domain, kind), domain, kind, shared)
            for kind in kinds(environment)
        ]
        # Plain first-in first-out queues: Flyte's plugin and EventBridge cannot name a share.
        flyte = [
            self._queue(f"Flyte{title}{_title(kind)}", flyte_queue_name(environment, domain, kind), domain, kind)
            for kind in flyte_kinds(environment)
        ]
        ingest = self._queue(f"Ingest{title}", ingest_queue_name(environment, domain), domain, Kind.SPOT)
        return [*people, *flyte, ingest]

    def _queue(
        self,
        construct_id: str,
        name: str,
        domain: Domain,
        kind: Kind,
        scheduling_policy: batch.CfnSchedulingPolicy | None = None,
    ) -> str:
        job_queue(
            self,
            construct_id,
            QueueProps(
                name=name,
                priority=PRIORITIES[domain],
                environments=[self._compute.environments[one] for one in _CAPACITY[kind]],
                scheduling_policy=scheduling_policy,
            ),
        )
        return name


def _title(kind: Kind) -> str:
    return kind.title().replace("-", "")


def _ceilings(capacity: InstanceCapacity | None) -> Ceilings | None:
    return Ceilings(spot=capacity.spot_vcpus, on_demand=capacity.on_demand_vcpus) if capacity else None
