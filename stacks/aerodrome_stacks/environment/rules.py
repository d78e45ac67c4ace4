"""Rules between the sections of an environment.

A rule takes the sections that it needs by their names and yields what is wrong; where a section is not valid by itself,
the rules that need it wait.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, Literal, get_args

from aerodrome_stacks.environment.addresses import ADDRESS_RULES
from aerodrome_stacks.environment.aws import instance_shape
from aerodrome_stacks.environment.connections import CONNECTION_RULES
from aerodrome_stacks.environment.data import Backup, Retention
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.environment.model import Cluster, Network, Project
from aerodrome_stacks.environment.networks import TEN
from aerodrome_stacks.environment.people import Access, Costs
from aerodrome_stacks.environment.problems import Problem
from aerodrome_stacks.environment.reliance import RELIANCE_RULES
from aerodrome_stacks.environment.service_rules import SERVICE_RULES
from aerodrome_stacks.environment.wording import listing

MOST_PROJECTS_OF_A_DOMAIN = 60
"""How many projects may have the same domain. Their jobs are one stack, which CloudFormation lets have 500 resources: a
project has three and one a kind of job, so that 60 leave room for five kinds (60 x 8 = 480). And 60 roles, at most 97
characters each, are what a policy of IAM's 6,144 can name that lets Flyte hand them on."""
MOST_PLACES = 135
"""How many domains the projects may have together. Each has a role in one stack, some 7.7 KB of a template of which
CloudFormation takes 1 MB (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html)."""
_FEWER = "take domains from projects that do not use them, or put some projects into another environment"


def zones_of_the_region(region: str, network: Network) -> Iterator[Problem]:
    """The platform spans three different zones of its region."""
    zones = network.availability_zones
    for position, zone in enumerate(zones):
        path = ("network", "availability_zones", position)
        if zone[:-1] != region:
            yield Problem(path, f"{zone} is not a zone of {region}; write the region and a letter, such as {region}a")
        if zone in zones[:position]:
            yield Problem(path, f"{zone} is given twice; three different zones are needed, so that two may fail")


def roles_of_the_account(account: str, cluster: Cluster) -> Iterator[Problem]:
    """Only roles of the environment's own account get into its cluster."""
    yield from _other_accounts(account, ("cluster", "administrators"), cluster.administrators)
    yield from _other_accounts(account, ("cluster", "viewers"), cluster.viewers)


def break_glass_of_the_account(account: str, access: Access) -> Iterator[Problem]:
    """Only roles of the environment's own account may break the glass."""
    yield from _other_accounts(account, ("access", "break_glass"), access.break_glass)


def monitor_of_the_account(account: str, costs: Costs) -> Iterator[Problem]:
    """Costs are watched by a monitor of the environment's own account."""
    monitor = costs.anomaly_monitor
    if monitor and monitor.split(":")[4] != account:
        yield Problem(
            ("costs", "anomaly_monitor"),
            f"{monitor} belongs to account {monitor.split(':')[4]}; only the monitor of {account} is allowed",
        )


def on_demand_starts_a_node(cluster: Cluster) -> Iterator[Problem]:
    """What is on demand has room for a node of the spot groups' types."""
    least = min(instance_shape(group.instance_types[0]).vcpus for group in cluster.spot_nodes)
    if cluster.on_demand_vcpus < least:
        yield Problem(
            ("cluster", "on_demand_vcpus"),
            f"{cluster.on_demand_vcpus}, but the smallest node of the spot groups' types has {least} vCPUs: none would "
            f"ever start; write {least} or more",
        )


def node_groups_have_different_names(cluster: Cluster) -> Iterator[Problem]:
    """A group is known by its name; the on-demand group is called system."""
    yield from _twice(
        ("cluster", "spot_nodes"), [group.name for group in cluster.spot_nodes], "node group", taken=("system",)
    )


def projects_have_different_names(projects: Sequence[Project]) -> Iterator[Problem]:
    """A project's name is its identity in Flyte."""
    yield from _twice(("projects",), [project.name for project in projects], "project")


def projects_have_different_shares(projects: Sequence[Project]) -> Iterator[Problem]:
    """A project's share in AWS Batch's queues is its own: its name without the hyphens, which Batch does not take."""
    first: dict[str, str] = {}
    for number, project in enumerate(projects):
        other = first.setdefault(project.share_identifier, project.name)
        if other != project.name:
            yield Problem(
                ("projects", number, "name"),
                f"{project.name}: AWS Batch knows projects without their hyphens, and project {other} is "
                f"{project.share_identifier} there, too; choose a name that differs in more than hyphens",
            )


def projects_that_no_other_ones_role_reaches(projects: Sequence[Project]) -> Iterator[Problem]:
    """A project's role reaches what begins with <project>-<domain>-, which is how Flyte names what it keeps."""
    owners = {f"{project.name}-{domain}": project.name for project in projects for domain in project.domains}
    for number, project in enumerate(projects):
        owner = next((owners[prefix] for prefix in owners if f"{project.name}-".startswith(f"{prefix}-")), None)
        if owner is not None:
            yield Problem(
                ("projects", number, "name"),
                f"{project.name}: project {owner} could read and write its data, as the role of a project and domain "
                f"reaches what begins with <project>-<domain>-; choose a name that does not begin so",
            )


def projects_that_fit_into_their_stacks(projects: Sequence[Project]) -> Iterator[Problem]:
    """At most 60 projects have the same domain, and they have at most 135 together: CloudFormation takes no more."""
    used = Counter(domain for project in projects for domain in project.domains)
    for domain, count in used.items():
        if count > MOST_PROJECTS_OF_A_DOMAIN:
            yield Problem(
                ("projects",),
                f"{count} have the domain {domain}, and {MOST_PROJECTS_OF_A_DOMAIN} may: its jobs are one stack, which "
                f"CloudFormation lets have 500 resources; {_FEWER}",
            )
    if used.total() > MOST_PLACES:
        each = " + ".join(f"{count} {domain}" for domain, count in used.items())
        yield Problem(
            ("projects",),
            f"they have {used.total()} domains ({each}), and {MOST_PLACES} may be: each has a role, all roles are one "
            f"stack, and CloudFormation takes a template of 1 MB; {_FEWER}",
        )


def quotas_within_capacity(cluster: Cluster, projects: Sequence[Project]) -> Iterator[Problem]:
    """The projects of one domain may together use what the nodes have, and so may each alone.

    Kubernetes holds pods to a quota, and pods run on the cluster's nodes. Jobs of AWS Batch are not pods: their
    ceilings are those in ``batch``, which all projects share.
    """
    groups = {"system": cluster.system_nodes, **{group.name: group for group in cluster.spot_nodes}}
    vcpus = {name: group.max_vcpus for name, group in groups.items()}
    yield from _quotas_within(projects, "cpu", "vCPUs", vcpus)
    memory = {name: group.max_memory_gib for name, group in groups.items()}
    known = {name: gib for name, gib in memory.items() if gib is not None}
    if len(known) == len(memory):  # else an instance type does not tell its memory
        yield from _quotas_within(projects, "memory_gib", "GiB", known)


def _quotas_within(
    projects: Sequence[Project], key: Literal["cpu", "memory_gib", "gpu"], unit: str, groups: Mapping[str, int]
) -> Iterator[Problem]:
    capacity = sum(groups.values())
    terms = " + ".join(f"{most:,} {name}" for name, most in groups.items())
    beyond = f"more than all nodes have at most: {capacity:,} ({terms}); lower it, or raise max_size of a node group"
    for domain in get_args(Domain):
        quotas: dict[int, int] = {
            position: getattr(project.domains[domain], key)
            for position, project in enumerate(projects)
            # A project that asks for no GPUs is no part of their sum.
            if domain in project.domains and getattr(project.domains[domain], key)
        }
        too_much = {position: quota for position, quota in quotas.items() if quota > capacity}
        for position, quota in too_much.items():
            yield Problem(("projects", position, "domains", domain, key), f"{quota:,} {unit} are {beyond}")
        total = sum(quotas.values())
        if total > capacity and not too_much:
            each = " + ".join(f"{quota:,} {projects[position].name}" for position, quota in quotas.items())
            yield Problem(
                ("projects",), f"{key} of all quotas in domain {domain} is {total:,} {unit} ({each}), {beyond}"
            )


def gpus_where_gpus_are(cluster: Cluster, projects: Sequence[Project]) -> Iterator[Problem]:
    """The projects of one domain may together use the GPUs that the spot nodes have, and so may each alone."""
    gpus = {group.name: group.max_gpus for group in cluster.spot_nodes}
    having = {name: most for name, most in gpus.items() if most}
    if None in gpus.values():  # an instance type's number is not known
        return
    if having:
        yield from _quotas_within(projects, "gpu", "GPUs", having)
        return
    for position, project in enumerate(projects):
        for domain, quota in project.domains.items():
            if quota.gpu:
                yield Problem(
                    ("projects", position, "domains", domain, "gpu"),
                    f"{quota.gpu} given, but no group in cluster.spot_nodes has GPUs; add one of the "
                    "families g or p, or write 0",
                )


def _other_accounts(account: str, path: tuple[str, ...], roles: Sequence[str]) -> Iterator[Problem]:
    for position, role in enumerate(roles):
        other = role.split(":")[4]
        if other != account:
            yield Problem((*path, position), f"{role} belongs to account {other}; only roles of {account} are allowed")


def private_means_private(network: Network, cluster: Cluster) -> Iterator[Problem]:
    """A private network has no NAT gateway and its cluster no public endpoint; any other network has a way out."""
    gateways, ranges = network.nat_gateways, cluster.public_endpoint_cidrs
    if network.private and gateways:
        yield Problem(
            ("network", "nat_gateways"), f"{gateways}, but network.private is true: nothing has a way out; write 0"
        )
    if network.private and ranges:
        yield Problem(
            ("cluster", "public_endpoint_cidrs"),
            f"{listing(ranges)}, but network.private is true: nothing has a way in; write []",
        )
    if not network.private and not gateways:
        yield Problem(
            ("network", "nat_gateways"),
            "0, but nodes pull images and charts from the internet; write 1 to 3, or network.private: true",
        )


def pods_have_a_range_of_their_own(network: Network) -> Iterator[Problem]:
    """The two ranges of the VPC do not overlap, and AWS allows them together."""
    pods, nodes = network.pod_cidr, network.cidr
    if pods.overlaps(nodes):
        yield Problem(("network", "pod_cidr"), f"{pods} overlaps network.cidr, {nodes}; take another range")
    if pods.subnet_of(TEN) and not nodes.subnet_of(TEN):
        yield Problem(
            ("network", "pod_cidr"),
            f"{pods} is of {TEN}, which AWS allows only where network.cidr is, too, and that is {nodes}; take it from "
            "100.64.0.0/10",
        )


def raw_data_of_every_domain_expires(projects: Sequence[Project], retention: Retention) -> Iterator[Problem]:
    """Every domain that a project has says how long its raw data is kept."""
    used = {domain: project.name for project in reversed(projects) for domain in project.domains}
    for domain in sorted(used.keys() - retention.raw_data.keys()):
        yield Problem(
            ("retention", "raw_data", domain),
            f"not given, and project {used[domain]} has this domain; write a period, such as 30d",
        )


def backups_leave_the_region(region: str, backup: Backup) -> Iterator[Problem]:
    """The second region is another one."""
    if backup.copy_region == region:
        yield Problem(
            ("backup", "copy_region"), f"{region} is the environment's own region; name another, or leave the key out"
        )


RULES: tuple[Callable[..., Iterator[Problem]], ...] = (
    zones_of_the_region,
    roles_of_the_account,
    break_glass_of_the_account,
    monitor_of_the_account,
    on_demand_starts_a_node,
    node_groups_have_different_names,
    projects_have_different_names,
    projects_have_different_shares,
    projects_that_no_other_ones_role_reaches,
    projects_that_fit_into_their_stacks,
    quotas_within_capacity,
    gpus_where_gpus_are,
    private_means_private,
    pods_have_a_range_of_their_own,
    *ADDRESS_RULES,
    raw_data_of_every_domain_expires,
    backups_leave_the_region,
    *CONNECTION_RULES,
    *SERVICE_RULES,
    *RELIANCE_RULES,
)


def broken_rules(sections: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong between sections.

    Args:
        sections: The valid sections by name. A rule that needs another one is left out.
    """
    for rule in RULES:
        needed = signature(rule).parameters
        if needed.keys() <= sections.keys():
            yield from rule(**{name: sections[name] for name in needed})


def _twice(path: tuple[str, ...], names: Sequence[str], what: str, taken: tuple[str, ...] = ()) -> Iterator[Problem]:
    for position, name in enumerate(names):
        if name in taken or name in names[:position]:
            yield Problem((*path, position, "name"), f"{name} is the name of another {what}, too; names must differ")
