"""The environment model: frozen, closed, and free of everything that is not a team's decision."""

from datetime import timedelta
from ipaddress import IPv4Network
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of every part of an environment: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Network(Section):
    """The network range and how it reaches the internet."""

    cidr: IPv4Network
    availability_zones: tuple[str, str, str]
    nat_gateways: int


class SystemNodes(Section):
    """The on-demand nodes that the platform's own components run on."""

    instance_types: tuple[str, ...]
    min_size: int
    max_size: int


class SpotNodes(Section):
    """One group of spot nodes: interchangeable instance types of the same shape."""

    name: str
    instance_types: tuple[str, ...]
    max_size: int


class Cluster(Section):
    """The EKS cluster and the nodes of Flyte's pods."""

    kubernetes_version: Literal["1.35", "1.36"]
    public_endpoint_cidrs: tuple[IPv4Network, ...]
    administrators: tuple[str, ...]
    viewers: tuple[str, ...]
    system_nodes: SystemNodes
    spot_nodes: tuple[SpotNodes, ...]


class BatchCapacity(Section):
    """Ceilings, in vCPUs, of the AWS Batch compute environments. All of them shrink to zero when idle."""

    spot_vcpus: int
    on_demand_vcpus: int
    fargate_vcpus: int


class Database(Section):
    """The PostgreSQL instance that Flyte and MLflow keep their records in."""

    instance_class: str
    storage_gib: int
    max_storage_gib: int
    multi_az: bool


class Quota(Section):
    """The most that one project may use at once in one domain."""

    cpu: int
    memory_gib: int
    gpu: int


class Project(Section):
    """A team's space in Flyte."""

    name: str
    owner: str
    domains: dict[Literal["development", "staging", "production"], Quota]


class Oidc(Section):
    """The identity provider that people sign in with. The client secret is a name in Secrets Manager, never a value."""

    issuer: str
    client_id: str
    client_secret_name: str


class Access(Section):
    """How people reach the platform."""

    domain_name: str
    oidc: Oidc | None


class Retention(Section):
    """How long what the platform collects is kept."""

    logs: timedelta
    metrics: timedelta
    raw_data: timedelta
    database_backups: timedelta


class Alerts(Section):
    """Who is told when something needs a person."""

    emails: tuple[str, ...]


class Environment(Section):
    """One environment: an AWS account and region, and what a team decides about the platform there."""

    name: str
    account: str
    region: str
    network: Network
    cluster: Cluster
    batch: BatchCapacity
    database: Database
    projects: tuple[Project, ...]
    access: Access
    retention: Retention
    alerts: Alerts
