"""Rules between the sections of an environment, and between environments.

A rule takes the sections that it needs by their names and yields what is wrong; where a section is not valid by itself,
the rules that need it wait.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from inspect import signature
from itertools import combinations
from typing import Any, Literal, get_args

from aerodrome_stacks.environment.domain_types import Domain, format_duration
from aerodrome_stacks.environment.model import Access, Cluster, Database, Environment, Network, Project, Retention
from aerodrome_stacks.environment.problems import Problem

# The environments that people rely on, by name.
_RELIED_ON = ("staging", "prod")
_PROD_BACKUPS = timedelta(days=14)


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
    for key, roles in (("administrators", cluster.administrators), ("viewers", cluster.viewers)):
        for position, role in enumerate(roles):
            other = role.split(":")[4]
            if other != account:
                yield Problem(
                    ("cluster", key, position),
                    f"{role} belongs to account {other}; only roles of {account} are allowed",
                )


def node_groups_have_different_names(cluster: Cluster) -> Iterator[Problem]:
    """A group is known by its name; the on-demand group is called system."""
    yield from _twice(
        ("cluster", "spot_nodes"), [group.name for group in cluster.spot_nodes], "node group", taken=("system",)
    )


def projects_have_different_names(projects: Sequence[Project]) -> Iterator[Problem]:
    """A project's name is its identity in Flyte."""
    yield from _twice(("projects",), [project.name for project in projects], "project")


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


def database_survives_a_zone(name: str, database: Database) -> Iterator[Problem]:
    """Where people rely on the platform, its database has a standby in a second zone."""
    if name in _RELIED_ON and not database.multi_az:
        yield Problem(("database", "multi_az"), f"false, but {name} must survive the loss of a zone; write true")


def people_sign_in(name: str, access: Access) -> Iterator[Problem]:
    """Where people rely on the platform, they sign in."""
    if name in _RELIED_ON and access.oidc is None:
        yield Problem(("access", "oidc"), f"not given, but people must sign in to {name}; name an identity provider")


def backups_reach_far_enough(name: str, retention: Retention) -> Iterator[Problem]:
    """In prod a mistake may be noticed two weeks later."""
    if name == "prod" and retention.database_backups < _PROD_BACKUPS:
        yield Problem(
            ("retention", "database_backups"),
            f"{format_duration(retention.database_backups)}, but prod keeps backups for at least "
            f"{format_duration(_PROD_BACKUPS)}",
        )


RULES: tuple[Callable[..., Iterator[Problem]], ...] = (
    zones_of_the_region,
    roles_of_the_account,
    node_groups_have_different_names,
    projects_have_different_names,
    projects_that_no_other_ones_role_reaches,
    quotas_within_capacity,
    gpus_where_gpus_are,
    database_survives_a_zone,
    people_sign_in,
    backups_reach_far_enough,
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


def conflicts(environments: Mapping[str, Environment]) -> Iterator[str]:
    """Yield a line for each thing that two environments may not share.

    Args:
        environments: The environments by the files that they stand in.
    """
    for (file, one), (other_file, other) in combinations(environments.items(), 2):
        mine, theirs = one.network.cidr, other.network.cidr
        if mine.overlaps(theirs):
            yield (
                f"{file}: network.cidr: {mine} overlaps {theirs} of {other_file} in "
                f"{min(mine.num_addresses, theirs.num_addresses):,} addresses; give each environment a range of its own"
            )
        if one.access.domain_name == other.access.domain_name:
            yield (
                f"{file}: access.domain_name: {one.access.domain_name} is that of {other_file}, too; give each "
                "environment a name of its own"
            )


def _twice(path: tuple[str, ...], names: Sequence[str], what: str, taken: tuple[str, ...] = ()) -> Iterator[Problem]:
    for position, name in enumerate(names):
        if name in taken or name in names[:position]:
            yield Problem((*path, position, "name"), f"{name} is the name of another {what}, too; names must differ")
