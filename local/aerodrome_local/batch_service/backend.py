"""What the embedded Batch needs of the other services."""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from aerodrome_local.batch_service.model import Json, Scope

_log = logging.getLogger(__name__)


class BackendError(Exception):
    """Another service refused. The text says which and why."""


class Backend(Protocol):
    """The other services, as Batch uses them. Every method may block and is called without the state's lock."""

    def secret(self, scope: Scope, value_from: str) -> str:
        """The value behind a ``valueFrom``: a secret of Secrets Manager or a parameter of SSM.

        Raises:
            BackendError: There is no such value.
        """

    def create_log_stream(self, scope: Scope, group: str, stream: str, *, create_group: bool) -> None:
        """Create a log stream, and its group when asked to.

        Raises:
            BackendError: There is no such group.
        """

    def put_log_events(self, scope: Scope, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Append lines, each with its time in milliseconds since 1970."""

    def access_point_path(self, scope: Scope, file_system_id: str, access_point_id: str) -> str:
        """The path that an access point of an EFS file system leads to.

        Raises:
            BackendError: The file system has no such access point.
        """

    def emit(self, scope: Scope, detail_type: str, detail: Json, resources: Sequence[str]) -> None:
        """Put an event of source ``aws.batch`` on the account's default bus."""

    def compute_problem(self, scope: Scope, compute_resources: Json) -> str | None:
        """Why a compute environment cannot work, or None: for example a subnet that does not exist."""


class AwsBackend:
    """The other services through boto3 clients of the embedded AWS.

    Args:
        client: ``(service, account, region) -> client``, safe to use from any thread.
        emit_event: ``(scope, detail_type, detail, resources)``, which puts an event of source ``aws.batch``. It is no
            boto3 call because PutEvents refuses sources that start with ``aws.``.
    """

    def __init__(
        self,
        client: Callable[[str, str, str], Any],
        emit_event: Callable[[Scope, str, Mapping[str, Any], Sequence[str]], None],
    ) -> None:
        self._client = client
        self._emit_event = emit_event

    def secret(self, scope: Scope, value_from: str) -> str:
        """See :meth:`Backend.secret`."""
        try:
            if value_from.startswith("arn:") and value_from.split(":")[2] == "secretsmanager":
                return self._secrets_manager(scope, value_from)
            # An SSM parameter of the same region may be given by name alone.
            name = value_from.partition(":parameter")[2] if value_from.startswith("arn:") else value_from
            answer = self._client("ssm", scope.account, scope.region).get_parameter(Name=name, WithDecryption=True)
        except (ClientError, BotoCoreError) as error:
            raise BackendError(f"unable to retrieve secret {value_from}: {error}") from error
        return str(answer["Parameter"]["Value"])

    def _secrets_manager(self, scope: Scope, value_from: str) -> str:
        # arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:json-key:version-stage:version-id]
        words = value_from.split(":")
        json_key, stage, version = [*words[7:], "", "", ""][:3]
        request = {"SecretId": ":".join(words[:7])}
        if stage:
            request["VersionStage"] = stage
        if version:
            request["VersionId"] = version
        answer = self._client("secretsmanager", scope.account, scope.region).get_secret_value(**request)
        text = str(answer["SecretString"])
        return _json_member(value_from, text, json_key) if json_key else text

    def create_log_stream(self, scope: Scope, group: str, stream: str, *, create_group: bool) -> None:
        """See :meth:`Backend.create_log_stream`."""
        logs = self._client("logs", scope.account, scope.region)
        try:
            try:
                _unless_it_exists(lambda: logs.create_log_stream(logGroupName=group, logStreamName=stream))
            except logs.exceptions.ResourceNotFoundException:
                if not create_group:
                    raise
                _unless_it_exists(lambda: logs.create_log_group(logGroupName=group))
                _unless_it_exists(lambda: logs.create_log_stream(logGroupName=group, logStreamName=stream))
        except (ClientError, BotoCoreError) as error:
            raise BackendError(
                f"ResourceInitializationError: failed to validate logger args: failed to create Cloudwatch log stream "
                f"in log group {group}: {error}"
            ) from error

    def put_log_events(self, scope: Scope, group: str, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """See :meth:`Backend.put_log_events`."""
        try:
            self._client("logs", scope.account, scope.region).put_log_events(
                logGroupName=group,
                logStreamName=stream,
                logEvents=[{"timestamp": when, "message": line} for when, line in lines],
            )
        except (ClientError, BotoCoreError) as error:
            # As on AWS, a job goes on when its log group is deleted under it.
            _log.warning("%d lines of %s %s are lost: %s", len(lines), group, stream, error)

    def access_point_path(self, scope: Scope, file_system_id: str, access_point_id: str) -> str:
        """See :meth:`Backend.access_point_path`."""
        efs = self._client("efs", scope.account, scope.region)
        try:
            (found,) = efs.describe_access_points(AccessPointId=access_point_id)["AccessPoints"]
        except (ClientError, BotoCoreError, ValueError) as error:
            raise BackendError(f"ResourceInitializationError: no access point {access_point_id}: {error}") from error
        if found["FileSystemId"] != file_system_id:
            raise BackendError(f"ResourceInitializationError: {access_point_id} is not of {file_system_id}")
        return str(found.get("RootDirectory", {}).get("Path", "/"))

    def emit(self, scope: Scope, detail_type: str, detail: Json, resources: Sequence[str]) -> None:
        """See :meth:`Backend.emit`."""
        self._emit_event(scope, detail_type, detail, resources)

    def compute_problem(self, scope: Scope, compute_resources: Json) -> str | None:
        """See :meth:`Backend.compute_problem`. Checks subnets and security groups."""
        ec2 = self._client("ec2", scope.account, scope.region)
        try:
            if compute_resources.get("subnets"):
                ec2.describe_subnets(SubnetIds=compute_resources["subnets"])
            if compute_resources.get("securityGroupIds"):
                ec2.describe_security_groups(GroupIds=compute_resources["securityGroupIds"])
        except ClientError as error:
            return f"CLIENT_ERROR - {error.response['Error']['Message']}"
        return None


def _unless_it_exists(create: Callable[[], object]) -> None:
    try:
        create()
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def _json_member(value_from: str, text: str, key: str) -> str:
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError) as error:
        raise BackendError(f"unable to retrieve secret {value_from}: the secret has no JSON key {key!r}") from error
    return value if isinstance(value, str) else json.dumps(value)


class EventQueue:
    """Emits events in the order in which they happened, on a thread of its own.

    A job's status changes under the state's lock, and a rule's target may be a Lambda function that calls Batch:
    emitting at once would make the two wait for each other.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._changed = threading.Condition()
        self._waiting: list[tuple[Scope, str, Json, list[str]]] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="batch-events", daemon=True)

    def start(self) -> None:
        """Begin to emit."""
        self._thread.start()

    def put(self, scope: Scope, detail_type: str, detail: Json, resources: list[str]) -> None:
        """Emit an event soon."""
        with self._changed:
            self._waiting.append((scope, detail_type, detail, resources))
            self._changed.notify()

    def stop(self, timeout: float) -> None:
        """Emit what is waiting, for at most that many seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                events, self._waiting = self._waiting, []
            for scope, detail_type, detail, resources in events:
                try:
                    self._backend.emit(scope, detail_type, detail, resources)
                except Exception:  # noqa: BLE001 - a rule's broken target must not end the job's story
                    _log.exception("the event %s of %s could not be emitted", detail_type, resources[0])
            if not events:
                return
