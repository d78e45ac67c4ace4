"""What an environment will build, on one screen."""

from collections.abc import Iterator

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.aws import DOCUMENTATION_ACCOUNTS, instance_shape
from aerodrome_stacks.environment.domain_types import format_duration
from aerodrome_stacks.environment.model import Cluster, NodeGroup, Project
from aerodrome_stacks.environment.wording import listing

NOTICE = "before AWS"
"""The label of what a person must do before the environment can be deployed to AWS."""


def summary(environment: Environment, file: str) -> list[tuple[str, str]]:
    """Return what an environment will build, as labels and texts, in the order of the file.

    Args:
        environment: What the team decided.
        file: The file that it stands in, for what is to be changed there.
    """
    return list(_rows(environment, file))


def _rows(environment: Environment, file: str) -> Iterator[tuple[str, str]]:
    network, cluster, batch, database = (
        environment.network,
        environment.cluster,
        environment.batch,
        environment.database,
    )
    yield "account", f"{environment.account} in {environment.region}"
    if environment.account in DOCUMENTATION_ACCOUNTS:
        yield (
            NOTICE,
            (
                f"{environment.account} is an account number that AWS keeps for documentation, and nobody's: write yours "
                f"into {file}, there and in the role ARNs, before a deploy to AWS (the embedded AWS takes it)"
            ),
        )
    yield (
        "network",
        (
            f"{network.cidr}, {network.cidr.num_addresses:,} addresses, over {listing(network.availability_zones)}; "
            f"{_count(network.nat_gateways, 'NAT gateway')}"
        ),
    )
    yield "cluster", f"Kubernetes {cluster.kubernetes_version}; API {_endpoint(cluster)}"
    system = cluster.system_nodes
    yield "system nodes", f"{system.min_size} to {_nodes(system)}, on-demand"
    for group in cluster.spot_nodes:
        yield f"spot nodes {group.name}", f"0 to {_nodes(group)}"
    yield "nodes in all", f"at most {_capacity(cluster)}"
    total = batch.spot_vcpus + batch.on_demand_vcpus + batch.fargate_vcpus
    yield (
        "AWS Batch",
        (
            f"at most {total:,} vCPUs: {batch.spot_vcpus:,} spot, {batch.on_demand_vcpus:,} on-demand, "
            f"{batch.fargate_vcpus:,} Fargate"
        ),
    )
    zones = "a standby in a second zone" if database.multi_az else "one zone, no standby"
    yield (
        "database",
        (
            f"PostgreSQL on {database.instance_class}, {zones}; {database.storage_gib:,} GiB, growing to "
            f"{database.max_storage_gib:,} GiB at most"
        ),
    )
    for project in environment.projects:
        yield f"project {project.name}", _project(project)
    oidc = environment.access.oidc
    sign_in = f"people sign in with {oidc.issuer}" if oidc else "nobody signs in"
    yield "access", f"https://{environment.access.domain_name}; {sign_in}"
    yield (
        "kept for",
        ", ".join(f"{what.replace('_', ' ')} {format_duration(period)}" for what, period in environment.retention),
    )
    yield "alerts to", listing(environment.alerts.emails)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _endpoint(cluster: Cluster) -> str:
    ranges = cluster.public_endpoint_cidrs
    return (
        f"reached from the network and from {listing(ranges)}" if ranges else "private, reached from the network only"
    )


def _nodes(group: NodeGroup) -> str:
    first, *others = group.instance_types
    shape = instance_shape(first)
    memory = f", {shape.memory_gib} GiB" if shape.memory_gib else ""
    more = f" and {_count(len(others), 'other type')}" if others else ""
    return f"{group.max_size} x {shape.vcpus} vCPUs{memory} ({first}{more}, {shape.architecture})"


def _capacity(cluster: Cluster) -> str:
    vcpus = sum(group.max_vcpus for group in cluster.node_groups)
    memory = [group.max_memory_gib for group in cluster.node_groups]
    known = [gib for gib in memory if gib is not None]
    return f"{vcpus:,} vCPUs" + (f", {sum(known):,} GiB" if len(known) == len(memory) else "")


def _project(project: Project) -> str:
    quotas = (
        f"{domain} {quota.cpu:,} vCPUs, {quota.memory_gib:,} GiB"
        + (f", {_count(quota.gpu, 'GPU')}" if quota.gpu else "")
        for domain, quota in project.domains.items()
    )
    return f"{'; '.join(quotas)}; owner {project.owner}"
