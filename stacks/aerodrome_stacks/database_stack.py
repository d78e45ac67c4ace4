"""The Database stack: the PostgreSQL instance that Flyte and MLflow keep their records in."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from aerodrome_constructs.database import (
    DatabaseProvisioner,
    DatabaseProvisionerProps,
    DatabaseUser,
    FunctionSurroundings,
    PasswordRotation,
    PasswordRotationProps,
    PostgresInstance,
    PostgresInstanceProps,
)
from aerodrome_constructs.database.postgres_instance import PORT
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import DATABASE_BACKUP_PLAN, SECRET_ROTATION
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.certificate_authorities import ca_bundle
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import max_connections, memory_gib
from aerodrome_stacks.function_place import function_place
from aerodrome_stacks.keys_stack import KeysPorts
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.retention import log_retention

CLIENTS = ("flyteadmin", "datacatalog", "mlflow")
"""What has a database: each with a user of the same name, which can reach no other's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseClient:
    """One client's database.

    Attributes:
        database: Its name.
        username: The user that owns it.
        secret: JSON with ``host``, ``port``, ``dbname``, ``username`` and ``password``. The password has only letters
            and digits, so it needs no quoting in a connection string.
    """

    database: str
    username: str
    secret: secretsmanager.ISecret


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePorts:
    """What other stacks may use of the database.

    Attributes:
        host: The instance's host name.
        port: Its port.
        certificate_authorities: What clients verify the instance against, in PEM: the roots of RDS in the region.
        instance_arn: The instance, for AWS Backup.
        clients: The databases by client: ``flyteadmin``, ``datacatalog`` and ``mlflow``.
    """

    host: str
    port: int
    certificate_authorities: str
    instance_arn: str
    clients: Mapping[str, DatabaseClient]


class DatabaseStack(AerodromeStack):
    """An RDS for PostgreSQL instance with a database and a user for each client."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        network: NetworkPorts,
        keys: KeysPorts,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="RDS for PostgreSQL: a database and a user each for flyteadmin, datacatalog and mlflow",
            holds_data=True,
        )
        authorities = ca_bundle(environment.region)
        surroundings = FunctionSurroundings(
            place=function_place(environment, network, keys.logs),
            security_group=network.database_clients,
            secrets_key=keys.secrets,
            ca_bundle=authorities,
        )
        postgres = PostgresInstance(self, "Postgres", self._instance_props(environment, network, keys))
        postgres.allow_from(network.database_clients, "What carries the security group of database clients")
        users = {client: DatabaseUser(database=client, username=client) for client in CLIENTS}
        provisioner = DatabaseProvisioner(
            self, "Databases", DatabaseProvisionerProps(instance=postgres, users=users, surroundings=surroundings)
        )
        if environment.database.password_rotation is not None:
            PasswordRotation(
                self,
                "Rotation",
                PasswordRotationProps(
                    name=f"{self.prefix}-password-rotation",
                    secrets={"master": postgres.master_secret, **provisioner.secrets},
                    period=environment.database.password_rotation,
                    surroundings=surroundings,
                    users=provisioner.resource,
                ),
            )
        else:
            for passwords in (postgres, provisioner):
                acknowledge(
                    passwords,
                    SECRET_ROTATION,
                    reason="the environment leaves out database.password_rotation, without which prod is refused",
                )
        acknowledge(
            postgres.instance,
            DATABASE_BACKUP_PLAN,
            reason="the plan in the stack Backup names the instance; the rule looks no further than this stack",
        )
        self.ports = DatabasePorts(
            host=postgres.host,
            port=PORT,
            certificate_authorities=authorities.read_text(encoding="ascii"),
            instance_arn=postgres.instance.instance_arn,
            clients=MappingProxyType(
                {
                    client: DatabaseClient(
                        database=user.database, username=user.username, secret=provisioner.secrets[client]
                    )
                    for client, user in users.items()
                }
            ),
        )

    def _instance_props(
        self, environment: Environment, network: NetworkPorts, keys: KeysPorts
    ) -> PostgresInstanceProps:
        wanted = environment.database
        memory = memory_gib(wanted.instance_class)
        if memory is None:  # a rule of the environment refuses such a class
            raise ValueError(f"database.instance_class: the memory of {wanted.instance_class} is not known")
        growth = wanted.max_storage_gib > wanted.storage_gib
        return PostgresInstanceProps(
            identifier=f"{self.prefix}-database",
            vpc=network.vpc,
            subnets=network.database_subnets,
            instance_type=ec2.InstanceType(wanted.instance_class.removeprefix("db.")),
            storage_gib=wanted.storage_gib,
            # RDS refuses a ceiling that is not above the storage: no growth is no ceiling.
            max_storage_gib=wanted.max_storage_gib if growth else None,
            multi_az=wanted.multi_az,
            max_connections=max_connections(memory),
            backup_retention=environment.retention.database_backups,
            data_key=keys.data,
            secrets_key=keys.secrets,
            log_key=keys.logs,
            log_retention=log_retention(environment),
        )
