"""What the environments that people rely on must have, beyond what every environment must."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from aerodrome_stacks.environment.data import Backup, Database, Retention
from aerodrome_stacks.environment.domain_types import format_duration
from aerodrome_stacks.environment.model import Cluster, Network
from aerodrome_stacks.environment.people import Access
from aerodrome_stacks.environment.problems import Problem
from aerodrome_stacks.environment.wording import listing

# The environments that people rely on, by name.
_RELIED_ON = ("staging", "prod")
_PROD_BACKUPS = timedelta(days=14)
# PCI DSS 4.0, 10.5.1, wants three months of audit logs at hand.
_PROD_LOGS = timedelta(days=90)
_ZONES = 3


def database_survives_a_zone(name: str, database: Database) -> Iterator[Problem]:
    """Where people rely on the platform, its database has a standby in a second zone."""
    if name in _RELIED_ON and not database.multi_az:
        yield Problem(("database", "multi_az"), f"false, but {name} must survive the loss of a zone; write true")


def people_sign_in(name: str, access: Access) -> Iterator[Problem]:
    """Where people rely on the platform, they sign in with the accounts that the company gives and takes away."""
    if name in _RELIED_ON and access.oidc is None:
        yield Problem(
            ("access", "oidc"),
            f"not given, but people sign in to {name} with the company's accounts; name its identity provider",
        )


def backups_reach_far_enough(name: str, retention: Retention) -> Iterator[Problem]:
    """In prod a mistake may be noticed two weeks later."""
    if name == "prod" and retention.database_backups < _PROD_BACKUPS:
        yield Problem(
            ("retention", "database_backups"),
            f"{format_duration(retention.database_backups)}, but prod keeps backups for at least "
            f"{format_duration(_PROD_BACKUPS)}",
        )


def passwords_change(name: str, database: Database) -> Iterator[Problem]:
    """In prod a password that leaked is of no use for long."""
    if name == "prod" and database.password_rotation is None:
        yield Problem(
            ("database", "password_rotation"), "not given, but prod changes its database passwords; write 30d"
        )


def backups_cannot_be_deleted(name: str, backup: Backup) -> Iterator[Problem]:
    """In prod nobody who can delete the data can delete its backups."""
    if name == "prod" and backup.lock == "none":
        yield Problem(
            ("backup", "lock"), "none, but prod locks its backups against deletion; write governance or compliance"
        )


def the_internet_survives_a_zone(name: str, network: Network) -> Iterator[Problem]:
    """In prod each zone has its own way out."""
    if name == "prod" and not network.private and 0 < network.nat_gateways < len(network.availability_zones):
        yield Problem(
            ("network", "nat_gateways"),
            f"{network.nat_gateways}, but prod must not lose the internet with a zone; write 3",
        )


def the_api_is_private(name: str, cluster: Cluster) -> Iterator[Problem]:
    """In prod the Kubernetes API is reached from inside the network only."""
    if name == "prod" and cluster.public_endpoint_cidrs:
        yield Problem(
            ("cluster", "public_endpoint_cidrs"),
            f"{listing(cluster.public_endpoint_cidrs)}, but prod's Kubernetes API is private; write []",
        )


def components_survive_a_zone(name: str, cluster: Cluster) -> Iterator[Problem]:
    """Where people rely on the platform, its own components have a node in each zone."""
    least = cluster.system_nodes.min_size
    if name in _RELIED_ON and least < _ZONES:
        yield Problem(
            ("cluster", "system_nodes", "min_size"),
            f"{least}, but {name} must survive the loss of a zone, and Karpenter itself runs on these nodes; write "
            f"{_ZONES} or more",
        )


def logs_outlive_an_investigation(name: str, retention: Retention) -> Iterator[Problem]:
    """In prod what happened can still be looked up a quarter later."""
    if name == "prod" and retention.logs < _PROD_LOGS:
        yield Problem(
            ("retention", "logs"),
            f"{format_duration(retention.logs)}, but prod keeps logs for at least {format_duration(_PROD_LOGS)}",
        )


def somebody_can_break_the_glass(name: str, access: Access) -> Iterator[Problem]:
    """In prod there is a way in when everything else fails, and it is alarmed."""
    if name == "prod" and not access.break_glass:
        yield Problem(
            ("access", "break_glass"), "not given, but prod needs a way in for emergencies; name at least one role"
        )


RELIANCE_RULES: tuple[Callable[..., Iterator[Problem]], ...] = (
    database_survives_a_zone,
    people_sign_in,
    backups_reach_far_enough,
    passwords_change,
    backups_cannot_be_deleted,
    the_internet_survives_a_zone,
    the_api_is_private,
    components_survive_a_zone,
    logs_outlive_an_investigation,
    somebody_can_break_the_glass,
)
"""The rules; ``rules.py`` says what a rule is."""
