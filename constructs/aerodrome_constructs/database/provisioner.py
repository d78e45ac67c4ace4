"""Databases and their users in a PostgreSQL instance, made by a Lambda function on deploy."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from aerodrome_constructs.database import lambda_asset
from aerodrome_constructs.database.database_function import FunctionSurroundings, database_function
from aerodrome_constructs.database.postgres_instance import PostgresInstance

PASSWORD_LENGTH = 40
"""40 of 62 letters and digits are 238 bits. No punctuation: Flyte puts the password into a DSN without quoting it."""

# A fresh instance may refuse for a while; three databases are made in a second.
_TIMEOUT = cdk.Duration.minutes(5)
# CloudFormation would wait an hour for a function that never answers.
_SERVICE_TIMEOUT = cdk.Duration.minutes(15)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUser:
    """A database with a user of its own.

    Attributes:
        database: The database's name.
        username: The user that owns it, and can do nothing else.
    """

    database: str
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseProvisionerProps:
    """What a database provisioner needs to know.

    Attributes:
        instance: The instance to make the databases in.
        users: The databases and their users, by client. A client's secret is named after it; one that goes from here
            leaves its database where it is.
        surroundings: Where the function runs.
    """

    instance: PostgresInstance
    users: Mapping[str, DatabaseUser]
    surroundings: FunctionSurroundings


class DatabaseProvisioner(Construct):
    """Makes each database and its user when the stack is deployed. Deleting it deletes no database.

    The function answers CloudFormation itself. It runs again when a client is added, renamed or removed, and when the
    instance has another address; running again changes nothing that is already right.

    Attributes:
        secrets: The users' secrets by client: JSON with ``engine``, ``host``, ``port``, ``dbname``, ``username`` and
            ``password``.
        resource: The custom resource. What needs the databases to exist depends on it.
    """

    def __init__(self, scope: Construct, construct_id: str, props: DatabaseProvisionerProps) -> None:
        super().__init__(scope, construct_id)
        self.secrets: Mapping[str, secretsmanager.ISecret] = MappingProxyType(
            {client: self._secret(client, user, props) for client, user in props.users.items()}
        )
        function = database_function(
            self,
            props.surroundings,
            description="Makes databases and their users",
            handler=lambda_asset.PROVISIONER,
            timeout=_TIMEOUT,
            secrets=[props.instance.master_secret, *self.secrets.values()],
        )
        self.resource = cdk.CustomResource(
            self,
            "Resource",
            resource_type="Custom::AerodromeDatabases",
            service_token=function.function_arn,
            service_timeout=_SERVICE_TIMEOUT,
            properties={
                "Host": props.instance.host,
                "Port": props.instance.instance.db_instance_endpoint_port,
                "MasterSecretArn": props.instance.master_secret.secret_arn,
                "Clients": [
                    {
                        "Database": user.database,
                        "Username": user.username,
                        "SecretArn": self.secrets[client].secret_arn,
                    }
                    for client, user in props.users.items()
                ],
            },
        )
        # The rules that let the function reach the instance are resources of their own, and nothing refers to them.
        self.resource.node.add_dependency(props.instance)

    def _secret(self, client: str, user: DatabaseUser, props: DatabaseProvisionerProps) -> secretsmanager.ISecret:
        template = {
            "engine": "postgres",
            "host": props.instance.host,
            "port": cdk.Token.as_number(props.instance.instance.instance_endpoint.port),
            "dbname": user.database,
            "username": user.username,
        }
        return secretsmanager.Secret(
            self,
            f"{client.capitalize()}Secret",
            description=f"User {user.username} of database {user.database}",
            encryption_key=props.surroundings.secrets_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=cdk.Stack.of(self).to_json_string(template),
                generate_string_key="password",
                exclude_punctuation=True,
                password_length=PASSWORD_LENGTH,
            ),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
