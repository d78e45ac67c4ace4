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
from aerodrome_stacks.environment.domain_types import (
    AccountId,
    Cidr,
    ClientId,
    Count,
    DatabaseClass,
    Domain,
    DomainName,
    Duration,
    Email,
    EnvironmentName,
    HttpsUrl,
    ProjectName,
    Region,
    RoleArn,
    SecretName,
    Zone,
    distinct,
    endpoint_range,
    period,
    vpc_range,
)
from aerodrome_stacks.environment.forms import refusal
from aerodrome_stacks.environment.nodes import NodeGroup, SpotNodes, SystemNodes
from aerodrome_stacks.environment.section import Section

# Beyond what a team asks for by intention, so that a slip of the keyboard is not a bill: 20,000 vCPUs are 208 of the
# largest common instances (96 vCPUs).
_VCPUS = 20_000
_GIB = 8 * _VCPUS  # as in memory-optimized instances
_GPUS = _VCPUS // 4  # a g4dn.xlarge has one for its four vCPUs, and no type has more


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
    nat_gateways: Annotated[Count, Ge(1), Le(3)] = Field(
        description="NAT gateways, 1 to 3. One is cheap, and all zones lose the internet with its zone; three give "
        "each zone its own."
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


class BatchCapacity(Section):
    """Ceilings, in vCPUs, of the AWS Batch compute environments. All of them shrink to zero when idle."""

    spot_vcpus: Annotated[Count, Ge(1), Le(_VCPUS)] = Field(
        description="Most vCPUs on spot instances, which jobs get first."
    )
    on_demand_vcpus: Annotated[Count, Ge(1), Le(_VCPUS)] = Field(
        description="Most vCPUs on on-demand instances, which jobs get where spot has nothing to give."
    )
    fargate_vcpus: Annotated[Count, Ge(1), Le(_VCPUS)] = Field(
        description="Most vCPUs of the Fargate queue, for short jobs that should not wait for an instance to start."
    )


class Database(Section):
    """The PostgreSQL instance that Flyte and MLflow keep their records in."""

    instance_class: DatabaseClass = Field(description="The RDS instance class, such as db.t4g.medium.")
    # RDS gives a PostgreSQL instance with gp3 storage 20 GiB to 64 TiB.
    storage_gib: Annotated[Count, Ge(20), Le(65_536)] = Field(
        description="Storage at the start, in GiB, 20 to 65536. RDS storage never shrinks."
    )
    max_storage_gib: Annotated[Count, Ge(20), Le(65_536)] = Field(
        description="How far the storage may grow by itself, in GiB: at least 10 % above `storage_gib`, or equal to it "
        "to switch growth off."
    )
    multi_az: Annotated[bool, Strict()] = Field(
        description="Whether a standby in a second zone takes over when the first fails. It doubles the price; staging "
        "and prod must have it."
    )

    @model_validator(mode="after")
    def _room_to_grow(self) -> Self:
        # RDS refuses a threshold less than 10 % above the allocated storage (User Guide, "Managing capacity
        # automatically with Amazon RDS storage autoscaling"); an equal one switches autoscaling off.
        least = -(-self.storage_gib * 11 // 10)
        if self.max_storage_gib != self.storage_gib and self.max_storage_gib < least:
            raise refusal(
                f"max_storage_gib is {self.max_storage_gib}; RDS wants at least 10 % above storage_gib "
                f"({self.storage_gib} + 10 % = {least}), or exactly {self.storage_gib} to switch growth off"
            )
        return self


class Quota(Section):
    """The most that one project's pods may use at once in one domain."""

    cpu: Annotated[Count, Ge(1), Le(_VCPUS)] = Field(
        description="vCPUs, at most what the cluster's nodes have together."
    )
    memory_gib: Annotated[Count, Ge(1), Le(_GIB)] = Field(description="Memory, in GiB.")
    gpu: Annotated[Count, Ge(0), Le(_GPUS)] = Field(
        default=0, description="GPUs, at most what the spot nodes have together. Left out, none."
    )


class Project(Section):
    """A team's space in Flyte."""

    name: ProjectName = Field(
        description="The project's name in Flyte, unique in the environment: lower-case letters, digits and hyphens, "
        "at most 28. With the domain it names the Kubernetes namespace."
    )
    owner: Email = Field(description="Email address of the people who answer for the project.")
    domains: Annotated[Mapping[Domain, Quota], MinLen(1)] = Field(
        description="The Flyte domains that the project has here, each with its quota. Flyte gives a project "
        "every domain of the platform; in those not listed it gets no pods."
    )


class Oidc(Section):
    """The identity provider that people sign in with. The client secret is a name in Secrets Manager, never a value."""

    issuer: HttpsUrl = Field(
        description="The issuer's URL, https://..., as the provider's discovery document gives it."
    )
    client_id: ClientId = Field(description="The client id that the provider gave to the platform.")
    client_secret_name: SecretName = Field(
        description="Name of the secret in Secrets Manager, in this account and region, that holds the client secret."
    )


class Access(Section):
    """How people reach the platform."""

    domain_name: DomainName = Field(
        description="The domain under which Flyte, MLflow and Grafana are reached. Environments do not share one."
    )
    oidc: Oidc | None = Field(
        default=None,
        description="The identity provider that people sign in with. Left out, nobody signs in, which staging and prod "
        "do not allow.",
    )


class Retention(Section):
    """How long what the platform collects is kept."""

    logs: Annotated[Duration, period("1d", "3653d")] = Field(
        description="Logs, in CloudWatch and S3: 1d to 3653d. CloudWatch offers certain periods only (1, 3, 5, 7, 14, "
        "30, 60, 90, ... days), and one in between is rounded up."
    )
    metrics: Annotated[Duration, period("2h", "400d")] = Field(
        # Prometheus keeps the newest two hours in one block that it does not delete.
        description="Metrics in Prometheus, 2h to 400d."
    )
    raw_data: Annotated[Duration, period("1d", "3650d")] = Field(
        description="What Flyte tasks hand to each other through S3, 1d to 3650d. An execution cannot be resumed once "
        "its data is gone."
    )
    database_backups: Annotated[Duration, period("1d", "35d")] = Field(
        description="Daily backups of the database, 1d to 35d, the most that RDS keeps; prod at least 14d. The "
        "database can be restored to any second of that time."
    )


class Alerts(Section):
    """Who is told when something needs a person."""

    emails: Annotated[tuple[Email, ...], MinLen(1), AfterValidator(distinct)] = Field(
        description="Email addresses, at least one. They are checked and not used yet: nothing is sent to them."
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
    batch: BatchCapacity = Field(description="How far AWS Batch may grow, in vCPUs.")
    database: Database = Field(description="The PostgreSQL instance that Flyte and MLflow keep their records in.")
    projects: Annotated[tuple[Project, ...], MinLen(1)] = Field(description="The teams' spaces in Flyte, at least one.")
    access: Access = Field(description="How people reach the platform.")
    retention: Retention = Field(description="How long what the platform collects is kept.")
    alerts: Alerts = Field(description="Who is told when something needs a person.")

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
