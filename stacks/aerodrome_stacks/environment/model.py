"""The environment model: frozen, closed, and free of everything that is not a team's decision.

What one section can tell by itself is checked here; what needs two of them is in ``rules.py``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Le, MinLen
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict

from aerodrome_stacks.environment.aws import REGIONS, default_zones
from aerodrome_stacks.environment.capacity import MOST_VCPUS, BatchCapacity, BatchShare
from aerodrome_stacks.environment.data import Backup, Database, Monitoring, Retention
from aerodrome_stacks.environment.domain_types import (
    AccountId,
    Count,
    Domain,
    Email,
    EnvironmentName,
    ProjectName,
    Reason,
    Region,
    ResourceName,
    RoleArn,
    Zone,
    distinct,
)
from aerodrome_stacks.environment.flyte import Flyte
from aerodrome_stacks.environment.forms import refusal
from aerodrome_stacks.environment.networks import Cidr, endpoint_range, pod_range, vpc_range
from aerodrome_stacks.environment.nodes import MaintenanceWindow, NodeGroup, SpotNodes, SystemNodes
from aerodrome_stacks.environment.people import Access, Alerts, Costs
from aerodrome_stacks.environment.section import Section

_GIB = 8 * MOST_VCPUS  # as in memory-optimized instances
_GPUS = MOST_VCPUS // 4  # a g4dn.xlarge has one for its four vCPUs, and no type has more


def _zones_may_be_absent(schema: JsonDict) -> None:
    required = schema["required"]
    if isinstance(required, list):
        required.remove("availability_zones")


class Network(Section):
    """The network range and how it reaches the internet."""

    model_config = ConfigDict(json_schema_extra=_zones_may_be_absent)

    cidr: Annotated[Cidr, AfterValidator(vpc_range)] = Field(
        description="The VPC's private IPv4 range, /16 to /20. No two environments may overlap, so that they can be "
        "peered. It cannot be changed later without rebuilding the platform."
    )
    availability_zones: tuple[Zone, Zone, Zone] = Field(
        description="Three zones of the region. Left out, they are the first three that the region gives to a new "
        "account, mostly a, b and c."
    )
    pod_cidr: Annotated[Cidr, AfterValidator(pod_range)] = Field(
        description="A second private range of the VPC, /16 to /19, that pods take their addresses from: of 10.0.0.0/8 "
        "or 100.64.0.0/10. No two environments may overlap in it. It cannot be changed later without rebuilding the "
        "cluster's nodes."
    )
    private: Annotated[bool, Strict()] = Field(
        default=False,
        description="Whether nothing of the environment has a way to or from the internet: no public subnets, no NAT, "
        "and AWS is reached over endpoints in the VPC. Left out, no.",
    )
    nat_gateways: Annotated[Count, Ge(0), Le(3)] = Field(
        description="NAT gateways, 1 to 3, and 0 in a private network. One is cheap, and all zones lose the internet "
        "with its zone; three give each zone its own, as prod must have it."
    )


class Cluster(Section):
    """The EKS cluster and the nodes of Flyte's pods."""

    kubernetes_version: Literal["1.35", "1.36"] = Field(description="The Kubernetes version, in quotes.")
    public_endpoint_cidrs: Annotated[
        tuple[Annotated[Cidr, AfterValidator(endpoint_range)], ...], Field(max_length=40), AfterValidator(distinct)
    ] = Field(
        description="Public ranges that may reach the Kubernetes API over the internet, at most 40. Empty makes the "
        "endpoint private: reachable from inside the network only."
    )
    administrators: Annotated[tuple[RoleArn, ...], MinLen(1), AfterValidator(distinct)] = Field(
        description="ARNs of the IAM roles, of this account, that administer the cluster. At least one."
    )
    viewers: Annotated[tuple[RoleArn, ...], AfterValidator(distinct)] = Field(
        default=(),
        description="ARNs of the IAM roles, of this account, that may read what is in the cluster's namespaces and "
        "change nothing. Secrets, nodes and custom resources, Flyte's workflows among them, are not shown to them. "
        "Left out, nobody but the administrators.",
    )
    system_nodes: SystemNodes = Field(
        description="The on-demand nodes that the platform's own components run on, and pods that cannot bear an "
        "interruption."
    )
    spot_nodes: Annotated[tuple[SpotNodes, ...], MinLen(1)] = Field(
        description="Groups of spot nodes for Flyte's pods, at least one."
    )
    on_demand_vcpus: Annotated[Count, Ge(1), Le(MOST_VCPUS)] = Field(
        description="Most vCPUs on on-demand nodes of the spot groups' instance types, beyond `system_nodes`: for "
        "tasks that cannot bear an interruption, and for others where spot has nothing to give. At least one node."
    )
    maintenance_window: MaintenanceWindow | None = Field(
        default=None,
        description="When Karpenter may replace nodes whose pods can move: for a newer image, or to use fewer nodes. "
        "Left out, at any time, a tenth of the nodes at once.",
    )

    @model_validator(mode="after")
    def _one_entry_for_each_role(self) -> Self:
        # EKS keeps one access entry for a principal: the second one fails the deploy.
        both = [role for role in self.viewers if role in self.administrators]
        if both:
            raise refusal(f"{both[0]} is among administrators and viewers; keep it in one of them")
        return self

    @property
    def node_groups(self) -> tuple[NodeGroup, ...]:
        """All groups, on-demand and spot."""
        return (self.system_nodes, *self.spot_nodes)


class Quota(Section):
    """The most that one project's pods may use at once in one domain."""

    cpu: Annotated[Count, Ge(1), Le(MOST_VCPUS)] = Field(
        description="vCPUs, at most what the cluster's nodes have together."
    )
    memory_gib: Annotated[Count, Ge(1), Le(_GIB)] = Field(description="Memory, in GiB.")
    gpu: Annotated[Count, Ge(0), Le(_GPUS)] = Field(
        default=0, description="GPUs, at most what the spot nodes have together. Left out, none."
    )
    max_parallelism: Annotated[Count, Ge(1), Le(10_000)] | None = Field(
        default=None,
        description="Most tasks of one execution that run at once, where its launch plan does not say. Left out, 100.",
    )
    queue: Literal["spot", "on-demand", "gpu"] = Field(
        default="spot",
        description="Which of the domain's queues Flyte's jobs of AWS Batch wait in: `spot`, `on-demand` or `gpu`. "
        "Left out, spot.",
    )


class Project(Section):
    """A team's space in Flyte."""

    name: ProjectName = Field(
        description="The project's name in Flyte, unique in the environment: lower-case letters, digits and hyphens, "
        "at most 28. With the domain it names the Kubernetes namespace."
    )
    owner: Email = Field(description="Email address of the people who answer for the project.")
    batch: BatchShare = Field(description="What the project has of AWS Batch, in all of its domains.")
    domains: Annotated[Mapping[Domain, Quota], MinLen(1)] = Field(
        description="The Flyte domains that the project has here, each with its quota. Flyte gives a project "
        "every domain of the platform; in those not listed it gets no pods."
    )
    # Each is some 250 characters of the role's policy, of which IAM takes 10,240.
    uses: Annotated[tuple[ProjectName, ...], Field(max_length=20), AfterValidator(distinct)] = Field(
        default=(),
        description="Other projects, at most 20, whose registered tasks and workflows its own may refer to. It can "
        "read what those tasks handed on, for cached results. Left out, none.",
    )

    @property
    def share_identifier(self) -> str:
        """The project's name in AWS Batch's fair-share queues, where a share's name has letters and digits only."""
        return self.name.replace("-", "")


class AllowedReplacement(Section):
    """A resource with data whose loss is intended, or was seen to."""

    resource: ResourceName = Field(
        description="The resource as `aerodrome plan` prints it, such as Storage/RawData/Resource."
    )
    reason: Reason = Field(
        description="Why its data may go, in at least 20 characters: where it is kept, or why nobody needs it."
    )


def _named_by_its_file(schema: JsonDict) -> None:
    properties, required = schema["properties"], schema["required"]
    if isinstance(properties, dict) and isinstance(required, list):
        del properties["name"]
        required.remove("name")


class Environment(Section):
    """One environment: an AWS account and region, and what a team decides about the platform there."""

    model_config = ConfigDict(json_schema_extra=_named_by_its_file)

    name: EnvironmentName = Field(description="The name of the file without its ending; not written in it.")
    account: AccountId = Field(description="The AWS account number: 12 digits, in quotes.")
    region: Region = Field(description="The AWS region, such as us-east-1.")
    network: Network = Field(description="The network range and how it reaches the internet.")
    cluster: Cluster = Field(description="The EKS cluster and the nodes of Flyte's pods.")
    batch: BatchCapacity = Field(description="How far AWS Batch may grow, in vCPUs, and what jobs share there.")
    database: Database = Field(description="The PostgreSQL instance that Flyte and MLflow keep their records in.")
    projects: Annotated[tuple[Project, ...], MinLen(1)] = Field(description="The teams' spaces in Flyte, at least one.")
    access: Access = Field(description="How people reach the platform.")
    retention: Retention = Field(description="How long what the platform collects is kept.")
    backup: Backup = Field(description="What AWS Backup keeps in a vault of its own.")
    flyte: Flyte = Field(
        default=Flyte(),
        validate_default=True,
        description="How much Flyte bears, what it runs beside containers, and whom it tells. Left out, little.",
    )
    monitoring: Monitoring = Field(
        default=Monitoring(),
        validate_default=True,
        description="Where the metrics of Prometheus are. Left out, on a volume in the cluster.",
    )
    images: Literal["upstream", "pull-through", "mirror"] = Field(
        default="upstream",
        validate_default=True,
        description="Where nodes take the platform's images and charts from: `upstream`, the registries that publish "
        "them; `pull-through`, a cache in this account's ECR before those that allow it; `mirror`, copies in this "
        "account's ECR that `aerodrome mirror` makes, which a private network needs. Left out, upstream.",
    )
    alerts: Alerts = Field(description="Who is told when something needs a person.")
    costs: Costs = Field(description="What the environment may cost, and when somebody is told.")
    allowed_replacements: tuple[AllowedReplacement, ...] = Field(
        default=(),
        description="Resources with data that a change may replace or delete, each with the reason. `aerodrome plan` "
        "stops at any other. Left out, none.",
    )

    @property
    def project_domains(self) -> list[tuple[str, Domain]]:
        """Each project's name with each of its domains, in the order of the file."""
        return [(project.name, domain) for project in self.projects for domain in project.domains]

    @property
    def used_domains(self) -> set[Domain]:
        """The domains that some project has."""
        return {domain for _, domain in self.project_domains}

    def largest_quota(self, domain: Domain | None = None) -> Quota:
        """The most of each thing that a quota of some project gives it.

        Args:
            domain: The domain whose quotas count, which some project has. Default: those of all domains.
        """
        quotas = [
            quota for project in self.projects for where, quota in project.domains.items() if domain in {None, where}
        ]
        return Quota(
            cpu=max(quota.cpu for quota in quotas),
            memory_gib=max(quota.memory_gib for quota in quotas),
            gpu=max(quota.gpu for quota in quotas),
        )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_zones(cls, data: Any) -> Any:  # noqa: ANN401 - anything may stand in a file
        network = data.get("network") if isinstance(data, dict) else None
        if not isinstance(network, dict) or "availability_zones" in network:
            return data
        # Where the region is wrong, that is what to report: zones of any region keep their absence out of it.
        region = data.get("region") if data.get("region") in REGIONS else REGIONS[0]
        return {**data, "network": {**network, "availability_zones": default_zones(region)}}

    @field_validator("*", mode="after")
    @classmethod
    def _hand_out(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - every field's type
        """Put a valid section into the context, so that rules can look at it although another section is not valid."""
        if isinstance(info.context, dict) and info.field_name:
            info.context[info.field_name] = value
        return value
