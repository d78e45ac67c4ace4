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
    PostgresInstance,
    PostgresInstanceProps,
)
from aerodrome_constructs.database.postgres_instance import PORT
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
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
        clients: The databases by client: ``flyteadmin``, ``datacatalog`` and ``mlflow``.
    """

    host: str
    port: int
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
        retention = log_retention(environment)
        storage, max_storage = environment.database.storage_gib, environment.database.max_storage_gib
        postgres = PostgresInstance(
            self,
            "Postgres",
            PostgresInstanceProps(
                identifier=f"{self.prefix}-database",
                vpc=network.vpc,
                subnets=network.database_subnets,
                instance_type=ec2.InstanceType(environment.database.instance_class.removeprefix("db.")),
                storage_gib=storage,
                # RDS refuses a ceiling that is not above the storage: no growth is no ceiling.
                max_storage_gib=max_storage if max_storage > storage else None,
                multi_az=environment.database.multi_az,
                backup_retention=environment.retention.database_backups,
                data_key=keys.data,
                secrets_key=keys.secrets,
                log_key=keys.logs,
                log_retention=retention,
            ),
        )
        # What connects are pods. Their security group is EKS's own, made after this stack, so it is their subnets that
        # are let in. Nodes, Batch's instances and Fargate tasks, and Lambdas are there, too: the port is open to all of
        # them, and what keeps them apart are passwords.
        for subnet in network.vpc.select_subnets(subnet_group_name=network.node_subnets.subnet_group_name).subnets:
            postgres.allow_from(ec2.Peer.ipv4(subnet.ipv4_cidr_block), "Nodes and pods of the cluster")
        users = {client: DatabaseUser(database=client, username=client) for client in CLIENTS}
        provisioner = DatabaseProvisioner(
            self,
            "Databases",
            DatabaseProvisionerProps(
                instance=postgres,
                users=users,
                vpc=network.vpc,
                subnets=network.node_subnets,
                secrets_key=keys.secrets,
                log_key=keys.logs,
                log_retention=retention,
            ),
        )
        self.ports = DatabasePorts(
            host=postgres.host,
            port=PORT,
            clients=MappingProxyType(
                {
                    client: DatabaseClient(
                        database=user.database, username=user.username, secret=provisioner.secrets[client]
                    )
                    for client, user in users.items()
                }
            ),
        )
