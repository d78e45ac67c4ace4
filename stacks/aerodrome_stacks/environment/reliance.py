"""What the environments that people rely on must have, beyond what every environment must."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from aerodrome_stacks.environment.data import Backup, Database, Retention
from aerodrome_stacks.environment.domain_types import format_duration
from aerodrome_stacks.environment.model import Network
from aerodrome_stacks.environment.people import Access
from aerodrome_stacks.environment.problems import Problem

# The environments that people rely on, by name.
_RELIED_ON = ("staging", "prod")
_PROD_BACKUPS = timedelta(days=14)


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
    somebody_can_break_the_glass,
)
"""The rules; ``rules.py`` says what a rule is."""
