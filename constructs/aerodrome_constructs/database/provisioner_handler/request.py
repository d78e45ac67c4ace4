"""What CloudFormation asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A database and the user that owns it.

    Attributes:
        database: The database's name.
        username: The user's name.
        secret_arn: The secret that holds the user's password.
    """

    database: str
    username: str
    secret_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The properties of the custom resource.

    Attributes:
        host: The instance's host name.
        port: Its port.
        master_secret_arn: The secret that holds the master user's name and password.
        clients: The databases to make.
    """

    host: str
    port: int
    master_secret_arn: str
    clients: tuple[Client, ...]


def parse(properties: Mapping[str, Any]) -> Request:
    """Read the custom resource's properties.

    Raises:
        DatabaseTaskError: One is missing or wrong.
    """
    try:
        request = Request(
            host=str(properties["Host"]),
            port=int(properties["Port"]),  # CloudFormation hands every property over as text
            master_secret_arn=str(properties["MasterSecretArn"]),
            clients=tuple(
                Client(
                    database=str(client["Database"]),
                    username=str(client["Username"]),
                    secret_arn=str(client["SecretArn"]),
                )
                for client in properties["Clients"]
            ),
        )
    except KeyError as error:
        raise DatabaseTaskError(f"the custom resource has no property {error.args[0]}") from error
    except (TypeError, ValueError) as error:
        raise DatabaseTaskError(
            "the custom resource's properties are malformed: Port must be a number, Clients a list of Database, "
            "Username and SecretArn"
        ) from error
    for name, values in {
        "Database": [client.database for client in request.clients],
        "Username": [client.username for client in request.clients],
    }.items():
        if len(set(values)) != len(values):
            raise DatabaseTaskError(f"each client needs a {name} of its own, got {', '.join(sorted(values))}")
    return request


def dropped(properties: Mapping[str, Any], old_properties: Mapping[str, Any]) -> list[str]:
    """The databases that an update no longer names."""
    now, before = (
        {str(client.get("Database")) for client in each.get("Clients", ())} for each in (properties, old_properties)
    )
    return sorted(before - now)
