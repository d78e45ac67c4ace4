"""An instance with databases in it, for the tests of what works on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from aerodrome_constructs.database import (
    DatabaseProvisioner,
    DatabaseProvisionerProps,
    DatabaseUser,
    FunctionSurroundings,
    PostgresInstance,
    PostgresInstanceProps,
)
from aerodrome_constructs.functions import FunctionPlace
from tests.constructs.surroundings import NODE_SUBNETS, vpc_in

USERS = {
    "flyteadmin": DatabaseUser(database="flyteadmin", username="flyteadmin"),
    "mlflow": DatabaseUser(database="mlflow_records", username="mlflow_server"),
}


@dataclass(frozen=True)
class Databases:
    """What :func:`databases_in` made."""

    instance: PostgresInstance
    provisioner: DatabaseProvisioner
    surroundings: FunctionSurroundings


def databases_in(stack: cdk.Stack, users: Mapping[str, DatabaseUser], keys: cdk.Stack | None = None) -> Databases:
    """An instance and a provisioner. Their keys may belong to another stack, as the platform's do."""
    vpc = vpc_in(stack)
    secrets, log = (kms.Key(keys or stack, name) for name in ("Secrets", "Log"))
    retention = logs.RetentionDays.ONE_MONTH
    clients = ec2.SecurityGroup(stack, "Clients", vpc=vpc, allow_all_outbound=False)
    instance = PostgresInstance(
        stack,
        "Postgres",
        PostgresInstanceProps(
            identifier="test-database",
            vpc=vpc,
            subnets=NODE_SUBNETS,
            instance_type=ec2.InstanceType("t4g.medium"),
            storage_gib=20,
            max_storage_gib=40,
            multi_az=False,
            max_connections=400,
            backup_retention=timedelta(days=7),
            data_key=log,
            secrets_key=secrets,
            log_key=log,
            log_retention=retention,
        ),
    )
    instance.allow_from(clients, "Clients")
    surroundings = FunctionSurroundings(
        place=FunctionPlace(vpc=vpc, subnets=NODE_SUBNETS, log_key=log, log_retention=retention),
        security_group=clients,
        secrets_key=secrets,
        ca_bundle=Path(__file__),  # any file will do: it is not read at synth
    )
    props = DatabaseProvisionerProps(instance=instance, users=users, surroundings=surroundings)
    return Databases(instance, DatabaseProvisioner(stack, "Databases", props), surroundings)
