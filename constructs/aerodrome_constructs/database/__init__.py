"""A PostgreSQL instance, and the databases and users in it."""

from aerodrome_constructs.database.postgres_instance import PostgresInstance, PostgresInstanceProps
from aerodrome_constructs.database.provisioner import (
    DatabaseProvisioner,
    DatabaseProvisionerProps,
    DatabaseUser,
)

__all__ = [
    "DatabaseProvisioner",
    "DatabaseProvisionerProps",
    "DatabaseUser",
    "PostgresInstance",
    "PostgresInstanceProps",
]
