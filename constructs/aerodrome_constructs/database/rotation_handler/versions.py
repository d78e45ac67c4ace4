"""The versions of one secret, and which of them is current, pending and previous."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from aerodrome_constructs.database.provisioner_handler.credentials import Credentials
from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError

Login = Mapping[str, Any]
"""What a version says: ``host``, ``port``, ``username``, ``password``, and ``dbname`` of a user who has a database."""

_FIELDS = ("host", "port", "username", "password")


class Versions:
    """The versions of a secret, with the one that a rotation makes.

    Args:
        secrets_manager: A client of Secrets Manager.
        secret_id: The secret's ARN.
        token: The version that the rotation makes.
    """

    def __init__(self, secrets_manager: Any, secret_id: str, token: str) -> None:  # noqa: ANN401 - boto3 makes the class
        self._client = secrets_manager
        self._secret_id = secret_id
        self._token = token

    def is_done(self) -> bool:
        """Whether the version is the current one already.

        Raises:
            DatabaseTaskError: The secret is not being rotated to this version.
        """
        try:
            about = self._client.describe_secret(SecretId=self._secret_id)
        except (BotoCoreError, ClientError) as error:
            self._refuse(error)
        if not about.get("RotationEnabled"):
            raise DatabaseTaskError(f"the secret {self._secret_id} has no rotation switched on")
        stages = about.get("VersionIdsToStages", {}).get(self._token, ())
        if "AWSCURRENT" not in stages and "AWSPENDING" not in stages:
            raise DatabaseTaskError(f"the secret {self._secret_id} has no pending version {self._token}")
        return "AWSCURRENT" in stages

    def current(self) -> Login:
        """The version that clients read.

        Raises:
            DatabaseTaskError: It cannot be read, or does not say how to log in.
        """
        return self._read(VersionStage="AWSCURRENT")

    def previous(self) -> Login | None:
        """The version before that; None if there is none."""
        return self._find(VersionStage="AWSPREVIOUS")

    def pending(self) -> Login | None:
        """The version that the rotation makes; None until it has been made."""
        return self._find(VersionId=self._token, VersionStage="AWSPENDING")

    def put_pending(self, login: Login) -> None:
        """Make the version.

        Raises:
            DatabaseTaskError: Secrets Manager refuses.
        """
        try:
            self._client.put_secret_value(
                SecretId=self._secret_id,
                ClientRequestToken=self._token,
                SecretString=json.dumps(login),
                VersionStages=["AWSPENDING"],
            )
        except (BotoCoreError, ClientError) as error:
            self._refuse(error)

    def promote(self) -> None:
        """Make the version the current one; clients read it from now on.

        Raises:
            DatabaseTaskError: Secrets Manager refuses.
        """
        try:
            about = self._client.describe_secret(SecretId=self._secret_id)
            current = next(
                (version for version, stages in about["VersionIdsToStages"].items() if "AWSCURRENT" in stages), None
            )
            self._client.update_secret_version_stage(
                SecretId=self._secret_id,
                VersionStage="AWSCURRENT",
                MoveToVersionId=self._token,
                **({"RemoveFromVersionId": current} if current else {}),
            )
        except (BotoCoreError, ClientError) as error:
            self._refuse(error)

    def _find(self, **which: str) -> Login | None:
        try:
            return self._read(**which)
        except DatabaseTaskError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response["Error"].get("Code") == "ResourceNotFoundException":
                return None
            raise

    def _read(self, **which: str) -> Login:
        try:
            text = self._client.get_secret_value(SecretId=self._secret_id, **which).get("SecretString")
        except (BotoCoreError, ClientError) as error:
            self._refuse(error)
        try:
            login: Login = json.loads(text)
            missing = [field for field in _FIELDS if field not in login]
        except (ValueError, TypeError):
            # Without `from`: the parser's error carries the text that it parsed.
            missing = list(_FIELDS)
        if missing:
            raise DatabaseTaskError(f"the secret {self._secret_id} must be JSON with {', '.join(_FIELDS)}") from None
        return login

    def _refuse(self, error: Exception) -> NoReturn:
        code = error.response["Error"].get("Code") if isinstance(error, ClientError) else type(error).__name__
        raise DatabaseTaskError(f"Secrets Manager refuses for {self._secret_id}: {code}") from error


def credentials(login: Login) -> Credentials:
    """Who a version lets log in."""
    return Credentials(str(login["username"]), str(login["password"]))
