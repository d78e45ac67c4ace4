"""User names and passwords from Secrets Manager."""

import json
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a secret says.

    Attributes:
        username: The user's name.
        password: The user's password, which no representation of this object shows.
    """

    username: str
    password: str = field(repr=False)


def client() -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    """A client of Secrets Manager that gives up well before the function has to."""
    return boto3.client(
        "secretsmanager", config=Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 4})
    )


def read(secrets_manager: Any, secret_arn: str) -> Credentials:  # noqa: ANN401 - as client()
    """Read a secret in the form that RDS gives its own.

    Raises:
        DatabaseTaskError: It cannot be read, or is not JSON with ``username`` and ``password``.
    """
    try:
        text = secrets_manager.get_secret_value(SecretId=secret_arn)["SecretString"]
    except (BotoCoreError, ClientError, KeyError) as error:
        raise DatabaseTaskError(f"cannot read the secret {secret_arn}: {_reason(error)}") from error
    try:
        fields = json.loads(text)
        return Credentials(fields["username"], fields["password"])
    except (ValueError, KeyError, TypeError):
        # Without `from`: the parser's error carries the text that it parsed.
        raise DatabaseTaskError(f"the secret {secret_arn} must be JSON with username and password") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"].get("Code"))
    return "it has no text" if isinstance(error, KeyError) else type(error).__name__
