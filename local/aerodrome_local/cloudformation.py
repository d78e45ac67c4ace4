"""Creating, updating and deleting CloudFormation stacks with boto3, with short polls and the reason of a failure.

For the embedded AWS, where a stack takes milliseconds: the CDK CLI polls every 5 s. Needs boto3 and nothing else.
"""

import functools
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

POLL_SECONDS = 0.02
DEFAULT_TIMEOUT_SECONDS = 300.0

_SETTLED = ("_COMPLETE", "_FAILED")
_MUST_GO_FIRST = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS", "DELETE_FAILED")
_GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


class DeployError(Exception):
    """A stack that did not get where it should; the text has the failed resource and its reason."""


@dataclass(frozen=True, slots=True)
class StackResult:
    """A deployed stack.

    Attributes:
        name: The stack's name.
        status: For example ``CREATE_COMPLETE``.
        changed: False when there was nothing to update.
        outputs: Output values by key.
        seconds: How long it took.
    """

    name: str
    status: str
    changed: bool
    outputs: Mapping[str, str]
    seconds: float


_making_clients = threading.Lock()


@functools.cache
def _session() -> boto3.session.Session:
    """One for all clients: it keeps what it has read of AWS's models. It is not for two threads at once."""
    return boto3.session.Session()


@functools.cache
def make_client(service: str, endpoint: str, account: str, region: str) -> Any:  # noqa: ANN401 - boto3 makes the class
    """A boto3 client of the embedded AWS, in an account of its; made once, as that takes boto3 a tenth of a second."""
    with _making_clients:
        return _session().client(
            service,  # type: ignore[call-overload]  # the stubs list every service name as a literal
            endpoint_url=endpoint,
            aws_access_key_id=account,  # a 12-digit key is the account
            aws_secret_access_key="embedded",  # noqa: S106 - any value will do: nothing is verified
            region_name=region,
            config=Config(
                proxies={},  # loopback is never reached through a proxy
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                max_pool_connections=32,
            ),
        )


class StackOperation:
    """One create or update of a stack, started by :meth:`start` and followed by :meth:`poll`."""

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - boto3 makes the class
        self.name = name
        self._client = client
        self._started = 0.0
        self._changed = True
        self._stack_id = ""
        self._earlier_events: set[str] = set()

    def start(
        self,
        template: Mapping[str, str],
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Create the stack, or update it when it exists. A stack whose creation failed is deleted first.

        Args:
            template: ``{"TemplateBody": text}`` or ``{"TemplateURL": url}``.
            parameters: Values by name.
            tags: Tags of the stack, which its resources inherit.

        Raises:
            DeployError: CloudFormation refuses the template, or is busy with the stack.
        """
        self._started = time.monotonic()
        before = self._settled()
        if before is not None and before["StackStatus"] in _MUST_GO_FIRST:
            delete_stack(self._client, self.name)
            before = None
        arguments = {
            "StackName": self.name,
            **template,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
            "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        try:
            if before is None:
                self._stack_id = self._client.create_stack(**arguments)["StackId"]
            else:
                self._stack_id = before["StackId"]
                self._earlier_events = {event["EventId"] for event in self._events()}
                self._client.update_stack(**arguments)
        except ClientError as error:
            message = error.response["Error"]["Message"]
            if "No updates are to be performed" in message:
                self._changed = False
                return
            raise DeployError(f"{self.name}: {message}") from error

    def _settled(self) -> dict[str, Any] | None:
        deadline = time.monotonic() + DEFAULT_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            stack = find_stack(self._client, self.name)
            # A change set that nobody has executed yet counts as in progress, and for ever.
            if stack is None or stack["StackStatus"].endswith(_SETTLED) or stack["StackStatus"] in _MUST_GO_FIRST:
                return stack
            time.sleep(POLL_SECONDS)
        raise DeployError(f"{self.name}: another operation is in progress")

    def poll(self) -> StackResult | None:
        """The result once the stack has settled, None before.

        Raises:
            DeployError: The stack failed.
        """
        stack = find_stack(self._client, self._stack_id)
        if stack is None:
            raise DeployError(f"{self.name}: the stack is gone")
        status = stack["StackStatus"]
        if self._changed and not status.endswith(_SETTLED):
            return None
        if status not in _GOOD and not (status == "UPDATE_ROLLBACK_COMPLETE" and not self._changed):
            raise DeployError(f"{self.name}: {status}\n" + "\n".join(self._failures()))
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        return StackResult(self.name, status, self._changed, outputs, time.monotonic() - self._started)

    def wait(self, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> StackResult:
        """Poll until the stack has settled.

        Raises:
            DeployError: The stack failed, or the time is over.
        """
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            result = self.poll()
            if result is not None:
                return result
            time.sleep(POLL_SECONDS)
        raise DeployError(f"{self.name}: not settled after {timeout_seconds:.0f} s")

    def _events(self) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("describe_stack_events").paginate(StackName=self._stack_id)
        return [event for page in pages for event in page["StackEvents"]]

    def _failures(self) -> list[str]:
        failed = [
            f"  {event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
            for event in self._events()
            if event["ResourceStatus"].endswith("_FAILED") and event["EventId"] not in self._earlier_events
        ]
        return failed or ["  no resource says why"]


def find_stack(client: Any, name_or_id: str) -> dict[str, Any] | None:  # noqa: ANN401 - boto3 makes the class
    """The stack's description, or None when there is none of that name or it is deleted."""
    try:
        stack: dict[str, Any] = client.describe_stacks(StackName=name_or_id)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack


def delete_stack(
    client: Any,  # noqa: ANN401 - a boto3 client: the types of boto3 are not installed where this runs
    name: str,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
) -> None:
    """Delete a stack and wait until it is gone. A stack that does not exist is no error.

    Raises:
        DeployError: A resource could not be deleted, or the time is over.
    """
    if find_stack(client, name) is None:
        return
    client.delete_stack(StackName=name)
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        stack = find_stack(client, name)
        if stack is None:
            return
        if stack["StackStatus"] == "DELETE_FAILED":
            raise DeployError(
                f"{name}: DELETE_FAILED: {stack.get('StackStatusReason', '')}\n{_delete_reasons(client, name)}"
            )
        time.sleep(POLL_SECONDS)
    raise DeployError(f"{name}: not deleted after {timeout_seconds:.0f} s")


def _delete_reasons(client: Any, name: str) -> str:  # noqa: ANN401 - boto3 makes the class
    resources: Sequence[dict[str, Any]] = client.describe_stack_resources(StackName=name)["StackResources"]
    return "\n".join(
        f"  {item['LogicalResourceId']} ({item['ResourceType']}): {item.get('ResourceStatusReason', '')}"
        for item in resources
        if item["ResourceStatus"] == "DELETE_FAILED"
    )
