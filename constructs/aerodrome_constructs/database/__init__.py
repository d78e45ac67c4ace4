"""A PostgreSQL instance, the databases and users in it, and their passwords."""

from aerodrome_constructs.database.database_function import FunctionSurroundings
from aerodrome_constructs.database.postgres_instance import PostgresInstance, PostgresInstanceProps
from aerodrome_constructs.database.provisioner import (
    DatabaseProvisioner,
    DatabaseProvisionerProps,
    DatabaseUser,
)
from aerodrome_constructs.database.rotation import PasswordRotation, PasswordRotationProps

__all__ = [
    "DatabaseProvisioner",
    "DatabaseProvisionerProps",
    "DatabaseUser",
    "FunctionSurroundings",
    "PasswordRotation",
    "PasswordRotationProps",
    "PostgresInstance",
    "PostgresInstanceProps",
]
