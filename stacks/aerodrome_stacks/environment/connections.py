"""Who connects to the database, with how many connections at once, and how many its class has.

The numbers here are the ones that the charts of Flyte and MLflow get and that the instance is made with: there is no
second place that could say otherwise.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aerodrome_stacks.certificate_authorities import regions
from aerodrome_stacks.environment.data import Database
from aerodrome_stacks.environment.flyte import Flyte, FlyteLoad
from aerodrome_stacks.environment.problems import Problem

# RDS's own default is DBInstanceClassMemory / 9531392, at most 5000 (User Guide, "Maximum number of database
# connections"): 112 for each GiB that the class leaves to PostgreSQL. How much that is of what its name promises, AWS
# does not say, and so a number below it, of the whole GiB, is set on the instance: what is checked here is what it has.
_PER_GIB: Final = 100
_MOST: Final = 5000

# What stays free is for superusers (3, superuser_reserved_connections) and RDS's own (2,
# rds.rds_superuser_reserved_connections), Performance Insights, dumps, and people who look for what is wrong when
# everything else is taken.
_SHARE: Final = 0.8

# GiB by size of the burstable classes, and GiB for each vCPU of the others (User Guide, "Hardware specifications for DB
# instance classes"). Families before the fifth generation have other ratios, and none runs PostgreSQL 16.
_BURSTABLE: Final = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}
_GIB_PER_VCPU: Final = {"c[5-9]": 2, "m[5-9]": 4, "r[5-9]": 8, "x2g$|x2idn$": 16, "x2iedn$": 32}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Pods that connect to the database.

    Attributes:
        name: What they are.
        replicas: How many there are.
        connections: The most that each opens. Init containers are not counted: they are done before their pod opens
            any.
    """

    name: str
    replicas: int
    connections: int

    @property
    def pods(self) -> int:
        """The most at once: while they are replaced, all that go may still be ending when all that come have begun."""
        return 2 * self.replicas

    @property
    def most(self) -> int:
        """The most connections of all of them."""
        return self.pods * self.connections


MLFLOW_WORKERS: Final = 2
"""Processes of an MLflow server. Each has pools of its own."""

MLFLOW_POOL_SIZE: Final = 3
"""Connections that a pool of MLflow keeps (SQLAlchemy's ``pool_size``)."""

MLFLOW_MAX_OVERFLOW: Final = 4
"""Connections that a pool of MLflow opens beside those, and closes after use (``max_overflow``; MLflow ignores a 0)."""

# A process of MLflow makes an engine, which is a pool, for its tracking store and one for its model registry
# (mlflow/store/tracking/sqlalchemy_store.py, mlflow/store/model_registry/sqlalchemy_store.py).
_MLFLOW_POOLS = 2

_MLFLOW_REPLICAS: Final = 2
_DATACATALOG_REPLICAS: Final = 2

FLYTEADMIN_LEAST: Final = 3
"""Pods of flyteadmin that there always are: one in each zone."""

MLFLOW: Final = Clients(
    name="mlflow",
    replicas=_MLFLOW_REPLICAS,
    connections=MLFLOW_WORKERS * _MLFLOW_POOLS * (MLFLOW_POOL_SIZE + MLFLOW_MAX_OVERFLOW),
)


def clients_of(load: FlyteLoad) -> tuple[Clients, ...]:
    """All pods that connect to the database, at their most."""
    # The components of Flyte that use flyteadmin's database share its settings, the size of a pod's pool among them.
    pool = load.flyteadmin_connections
    return (
        Clients(name="flyteadmin", replicas=load.flyteadmin_most, connections=pool),
        Clients(name="flytescheduler", replicas=1, connections=pool),
        Clients(name="syncresources", replicas=1, connections=pool),
        datacatalog(load),
        MLFLOW,
    )


def datacatalog(load: FlyteLoad) -> Clients:
    """The pods of datacatalog."""
    return Clients(name="datacatalog", replicas=_DATACATALOG_REPLICAS, connections=load.datacatalog_connections)


# The function that makes users, and the one that changes the password of each of them and of the master user.
_FUNCTIONS: Final = 5


def memory_gib(instance_class: str) -> int | None:
    """The memory that the name of an RDS instance class tells, or None where it does not."""
    _, family, size = instance_class.split(".")
    if family.startswith("t"):
        return _BURSTABLE.get(size)
    ratio = next((gib for pattern, gib in _GIB_PER_VCPU.items() if re.match(pattern, family)), None)
    vcpus = {"medium": 1, "large": 2}.get(size) or (
        4 * int(size.removesuffix("xlarge") or 1) if size.endswith("xlarge") else None
    )
    return ratio * vcpus if ratio and vcpus else None


def max_connections(memory: int) -> int:
    """The connections that an instance accepts at once.

    Args:
        memory: Of its class, in GiB.
    """
    return min(_PER_GIB * memory, _MOST)


def pools_fit_the_class(database: Database, flyte: Flyte) -> Iterator[Problem]:
    """All clients together take no more than four fifths of what the instance accepts."""
    path, name = ("database", "instance_class"), database.instance_class
    memory = memory_gib(name)
    if memory is None:
        yield Problem(
            path,
            f"{name}: its memory is not known, and so not how many connections it can have; name a class of the "
            "families t3, t4g, m5 to m9, r5 to r9, c5 to c9 or x2",
        )
        return
    of_all = clients_of(flyte.bears)
    needed = sum(clients.most for clients in of_all) + _FUNCTIONS
    accepted = max_connections(memory)
    allowed = int(accepted * _SHARE)
    if needed > allowed:
        each = " + ".join(
            f"{clients.most} {clients.name} ({clients.pods} pods x {clients.connections})" for clients in of_all
        )
        least = math.ceil(needed / _SHARE / _PER_GIB)
        yield Problem(
            path,
            f"{name} has {memory} GiB and so accepts {accepted} connections ({_PER_GIB} for each GiB), of which "
            f"clients may take {_SHARE:.0%}, {allowed}; they take up to {needed}: {each} + {_FUNCTIONS} functions; "
            f"name a class with at least {least} GiB",
        )


def the_database_can_be_verified(region: str) -> Iterator[Problem]:
    """Clients verify the database's certificate, and so its region's certificate authorities must be here."""
    if region not in regions():
        yield Problem(
            ("region",),
            f"{region}: the certificate authorities of its databases are not in stacks/aerodrome_stacks/rds_ca, and no "
            "client connects to what it cannot verify; download AWS's global-bundle.pem and run tools/rds_ca.py",
        )


CONNECTION_RULES: Final = (pools_fit_the_class, the_database_can_be_verified)
"""The rules; ``rules.py`` says what a rule is."""
