"""What an environment will build, on one screen."""

from collections.abc import Iterator

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.aws import DOCUMENTATION_ACCOUNTS, instance_shape
from aerodrome_stacks.environment.capacity import BatchCapacity
from aerodrome_stacks.environment.data import Backup, Database, Retention
from aerodrome_stacks.environment.domain_types import format_duration
from aerodrome_stacks.environment.flyte import Flyte
from aerodrome_stacks.environment.model import Cluster, Network, Project
from aerodrome_stacks.environment.node_prices import most_usd_an_hour
from aerodrome_stacks.environment.nodes import NodeGroup
from aerodrome_stacks.environment.people import Access
from aerodrome_stacks.environment.wording import listing

NOTICE = "before AWS"
"""The label of what a person must do before the environment can be deployed to AWS."""

# Nobody can have it (RFC 2606).
_EXAMPLE = "example.com"

_IMAGES = {
    "pull-through": "through this account's cache where the registry allows it",
    "mirror": "copies in this account, which `aerodrome mirror` makes before the deploy",
}


def summary(environment: Environment, file: str) -> list[tuple[str, str]]:
    """Return what an environment will build, as labels and texts.

    Args:
        environment: What the team decided.
        file: The file that it stands in, for what is to be changed there.
    """
    return [
        ("account", f"{environment.account} in {environment.region}"),
        *_notices(environment, file),
        ("network", _network(environment.network)),
        *_cluster(environment.cluster),
        ("AWS Batch", _batch(environment.batch)),
        ("database", _database(environment.database)),
        ("Flyte", _flyte(environment.flyte)),
        *((f"project {project.name}", _project(project)) for project in environment.projects),
        ("access", _access(environment.access)),
        *((("images", _IMAGES[environment.images]),) if environment.images in _IMAGES else ()),
        ("kept for", _retention(environment.retention, environment.backup)),
        ("budget", _costs(environment)),
        ("alerts to", listing(environment.alerts.emails)),
    ]


def _notices(environment: Environment, file: str) -> Iterator[tuple[str, str]]:
    examples = ["account"] if environment.account in DOCUMENTATION_ACCOUNTS else []
    examples += ["domain"] if environment.access.domain_name.endswith(_EXAMPLE) else []
    if examples:
        text = f"{listing(examples)} {'are examples' if len(examples) > 1 else 'is an example'}: write yours into"
        yield NOTICE, f"{text} {file} (the embedded AWS takes any)"
    if environment.access.break_glass:
        text = "the account needs a CloudTrail trail that logs management events, read and write: without it nobody is"
        yield NOTICE, f"{text} told who breaks the glass, and the platform makes none"


def _network(network: Network) -> str:
    zones, gateways = listing(network.availability_zones), _count(network.nat_gateways, "NAT gateway")
    out = "private, no way in or out" if network.private else gateways
    return f"{network.cidr}, and {network.pod_cidr} for pods, over {zones}; {out}"


def _cluster(cluster: Cluster) -> Iterator[tuple[str, str]]:
    ranges = cluster.public_endpoint_cidrs
    reached = f"reached from the network and from {listing(ranges)}" if ranges else "private: from the network only"
    yield "cluster", f"Kubernetes {cluster.kubernetes_version}; API {reached}"
    yield "system nodes", f"on-demand, {cluster.system_nodes.min_size} to {_nodes(cluster.system_nodes)}"
    for group in cluster.spot_nodes:
        yield f"spot nodes {group.name}", f"{group.min_size} to {_nodes(group)}"
    vcpus = sum(group.max_vcpus for group in cluster.node_groups)
    memory = [group.max_memory_gib for group in cluster.node_groups]
    known = [gib for gib in memory if gib is not None]
    gib = f", {sum(known):,} GiB" if len(known) == len(memory) else ""
    usd = most_usd_an_hour(cluster)
    cost = f"; ${usd:,.0f} an hour" if usd else ""
    yield "nodes in all", f"at most {vcpus:,} vCPUs{gib}; where spot fails, {cluster.on_demand_vcpus:,} on demand{cost}"


def _nodes(group: NodeGroup) -> str:
    first, *others = group.instance_types
    shape = instance_shape(first)
    memory = f", {shape.memory_gib} GiB" if shape.memory_gib else ""
    more = f" and {_count(len(others), 'other type')}" if others else ""
    return f"{group.max_size} x {shape.vcpus} vCPUs{memory} ({first}{more}, {shape.architecture})"


def _batch(batch: BatchCapacity) -> str:
    kinds = {"x86": batch, "arm": batch.arm, "GPU": batch.gpu}
    instances = [
        f"{kind} {capacity.spot_vcpus:,} spot + {capacity.on_demand_vcpus:,} on-demand"
        for kind, capacity in kinds.items()
        if capacity
    ]
    vcpus = sum(batch.ceilings.values())
    fargate = f"Fargate {batch.fargate_spot_vcpus:,} spot + {batch.fargate_vcpus:,}"
    files = ["EFS"] if batch.efs else []
    files += [f"{batch.lustre_gib:,} GiB of Lustre"] if batch.lustre_gib else []
    return f"at most {vcpus:,} vCPUs: {listing([*instances, fargate])}" + (f"; {listing(files)}" if files else "")


def _database(database: Database) -> str:
    zones = "with a standby in a second zone" if database.multi_az else "in one zone, no standby"
    grows = database.max_storage_gib > database.storage_gib
    growth = f", growing to {database.max_storage_gib:,} GiB at most" if grows else ", not growing"
    rotation = database.password_rotation
    passwords = f"; new passwords every {format_duration(rotation)}" if rotation else ""
    return f"PostgreSQL on {database.instance_class} {zones}; {database.storage_gib:,} GiB{growth}{passwords}"


def _project(project: Project) -> str:
    quotas = (
        f"{domain} {quota.cpu:,} vCPUs, {quota.memory_gib:,} GiB" + (f", {quota.gpu:,} GPUs" if quota.gpu else "")
        for domain, quota in project.domains.items()
    )
    return f"{'; '.join(quotas)}; owner {project.owner}"


def _access(access: Access) -> str:
    sign_in = f"people sign in at {access.oidc.issuer}" if access.oidc else "people sign in with Amazon Cognito"
    ranges = access.public_cidrs
    reached = f", from {listing(ranges)} only" if ranges else ""
    records = "" if access.hosted_zone_id else "; its certificate and records are made by hand"
    return f"{access.domain_name}{reached}; {sign_in}{records}"


def _flyte(flyte: Flyte) -> str:
    shards = f", {flyte.propeller_shards} times" if flyte.propeller_shards else ""
    names = {"spark": "Spark", "ray": "Ray", "pytorch": "PyTorch"}
    connectors = [_count(len(flyte.connectors), "connector")] if flyte.connectors else []
    also = listing(["containers", *_jobs(flyte), *(names[plugin] for plugin in flyte.plugins), *connectors])
    return f"{flyte.load}, {flyte.bears.tasks_held:,} tasks at once{shards}; {also}"


def _jobs(flyte: Flyte) -> list[str]:
    if flyte.batch_connector:
        return ["AWS Batch"]
    return ["AWS Batch by Flyte's own plugin"] if flyte.batch_plugin else []


def _retention(retention: Retention, backup: Backup) -> str:
    raw_data = listing([f"{format_duration(period)} in {domain}" for domain, period in retention.raw_data.items()])
    lock = "" if backup.lock == "none" else f", {backup.lock} lock"
    copied = f", copied to {backup.copy_region}" if backup.copy_region else ""
    return (
        f"logs {format_duration(retention.logs)}, metrics {format_duration(retention.metrics)}, raw data {raw_data}, "
        f"database backups {format_duration(retention.database_backups)}, "
        f"backup vault {format_duration(backup.keep)}{lock}{copied}"
    )


def _costs(environment: Environment) -> str:
    monthly, anomaly = environment.costs.monthly_usd, environment.costs.anomaly_usd
    jobs = sum(project.batch.daily_usd for project in environment.projects)
    return f"${monthly:,} a month; anomalies from ${anomaly:,} on; Batch ${jobs:,} a day in all"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
