"""The database provisioner's Lambda handler, called as CloudFormation would."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aerodrome_constructs.database.provisioner_handler.handler import handle
from tests.local.rds.instances import Instance


@dataclass
class CloudFormation:
    """Receives the handler's answers on loopback."""

    url: str
    answers: list[dict[str, Any]] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)
    refusals: int = 0


class Context:
    """Lambda's, with the time that a test gives."""

    def __init__(self, seconds: float) -> None:
        self._milliseconds = int(seconds * 1000)

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


@dataclass
class Client:
    """A client of the database and its password."""

    database: str
    username: str
    password: str
    secret_arn: str


class Provisioner:
    """Calls the handler for one instance."""

    def __init__(
        self,
        instance: Instance,
        cloudformation: CloudFormation,
        secrets_manager: Any,  # noqa: ANN401 - a boto3 client
    ) -> None:
        self._endpoint = instance["Endpoint"]
        self._cloudformation = cloudformation
        self._secrets_manager = secrets_manager
        self.master_arn = self.secret("platform", "0123456789abcdefABCDEF")

    def secret(self, username: str, password: str) -> str:
        """Makes a secret and returns its ARN."""
        return str(
            self._secrets_manager.create_secret(
                Name=f"provisioner-{secrets.token_hex(6)}",
                SecretString=json.dumps({"username": username, "password": password}),
            )["ARN"]
        )

    def client(self, database: str, username: str | None = None) -> Client:
        """Makes a client with a secret of its own."""
        password = secrets.token_hex(20)
        name = username or database
        return Client(database, name, password, self.secret(name, password))

    def change_password(self, client: Client) -> None:
        """Gives a client's secret another password."""
        client.password = secrets.token_hex(20)
        text = json.dumps({"username": client.username, "password": client.password})
        self._secrets_manager.put_secret_value(SecretId=client.secret_arn, SecretString=text)

    def run(
        self,
        *clients: Client,
        request_type: str = "Create",
        seconds: float = 60,
        changes: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        """Calls the handler and returns what it answered."""
        properties = {
            "Host": self._endpoint["Address"],
            "Port": str(self._endpoint["Port"]),
            "MasterSecretArn": self.master_arn,
            "Clients": [
                {"Database": each.database, "Username": each.username, "SecretArn": each.secret_arn} for each in clients
            ],
        }
        event: Mapping[str, Any] = {
            "RequestType": request_type,
            "ResponseURL": self._cloudformation.url,
            "StackId": "arn:aws:cloudformation:us-east-1:111122223333:stack/database/1",
            "RequestId": secrets.token_hex(8),
            "LogicalResourceId": "Databases",
            "ResourceProperties": {**properties, **(changes or {})},
        }
        handle(event, Context(seconds))
        # Another thread's answer may have come in between.
        (answer,) = [each for each in self._cloudformation.answers if each["RequestId"] == event["RequestId"]]
        return answer
