"""The embedded AWS in tests: started as a user would, and stacks deployed from a dict.

Needs boto3 and nothing else, so tests use it from the project's own environment.
"""

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aerodrome_local.cloudformation import DeployError, StackOperation, delete_stack, find_stack, make_client

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-local" / "bin" / "python"
ACCOUNT = "111122223333"
REGION = "us-east-1"

_STACK_SECONDS = 60.0

Template = dict[str, Any]


def run_command(
    *arguments: str, state_dir: Path, variables: Mapping[str, str] | None = None, timeout_seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m aerodrome_local`` to its end.

    Args:
        arguments: The command and its options.
        state_dir: The embedded AWS's directory.
        variables: Environment variables beside the caller's.
        timeout_seconds: After that it is killed.
    """
    return subprocess.run(
        [PYTHON, "-m", "aerodrome_local", *arguments, "--state-dir", state_dir],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        env={**os.environ, "PYTHONPATH": str(ROOT / "local"), **(variables or {})},
    )


@dataclass(frozen=True, slots=True)
class EmbeddedAws:
    """An embedded AWS that is up.

    Attributes:
        endpoint: The endpoint URL of every service.
        state_dir: Its directory.
        account: The account that clients and stacks are in unless told otherwise.
        region: Their region.
    """

    endpoint: str
    state_dir: Path
    account: str = ACCOUNT
    region: str = REGION

    @classmethod
    def start(cls, state_dir: Path, *options: str, variables: Mapping[str, str] | None = None) -> "EmbeddedAws":
        """Start one in a directory. The caller stops it.

        Raises:
            RuntimeError: It did not start; with what it printed.
        """
        result = run_command("up", "--json", *options, state_dir=state_dir, variables=variables)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        return cls(json.loads(result.stdout)["endpoint"], state_dir)

    def stop(self) -> dict[str, Any]:
        """Stop it, and return what ``down --json`` says.

        Raises:
            RuntimeError: It could not be stopped; with what was printed.
        """
        result = run_command("down", "--json", state_dir=self.state_dir)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        stopped: dict[str, Any] = json.loads(result.stdout)
        return stopped

    def client(self, service: str, account: str | None = None) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        """A boto3 client of it."""
        return make_client(service, self.endpoint, account or self.account, self.region)

    def variables(self, account: str | None = None) -> dict[str, str]:
        """The environment variables by which AWS's tools find an account of it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": account or self.account,
            "AWS_SECRET_ACCESS_KEY": "embedded",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def view(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        """What the server says at ``/_aerodrome/NAME``: ``releases``, ``manifests``, ``audit``, ``status``, ``batch``.

        ``view("batch")[ACCOUNT]`` has the calls of the Batch API that were counted: see ``batch_service/traffic.py``.
        """
        with urllib.request.urlopen(f"{self.endpoint}/_aerodrome/{name}", timeout=30) as answer:  # noqa: S310 - http
            return json.load(answer)

    def act(self, name: str, **request: object) -> Any:  # noqa: ANN401 - any JSON value
        """Tell the server what AWS cannot be told, at ``/_aerodrome/NAME``, and return its answer.

        ``act("events", duplicateEvery=20)`` delivers every 20th event of each rule twice (0: none any more), and
        ``act("events", runRule=ARN)`` runs a scheduled rule at once. ``act("batch", account=ACCOUNT, throttle=0.3)``
        throttles 30 % of an account's calls of Batch, and ``act("batch", account=ACCOUNT, reset=True)`` ends that.

        Raises:
            urllib.error.HTTPError: The request is wrong; the answer's body says why.
        """
        asked = urllib.request.Request(  # noqa: S310 - http, on loopback
            f"{self.endpoint}/_aerodrome/{name}", data=json.dumps(request).encode(), method="POST"
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - http, on loopback
            return json.load(answer)

    def reclaim_host(self, job_id: str, account: str | None = None) -> None:
        """Take a running job's host away, as EC2 does with spot instances: a call that AWS does not have.

        Raises:
            urllib.error.HTTPError: The job does not run.
        """
        signed = f"AWS4-HMAC-SHA256 Credential={account or self.account}/20260101/{self.region}/batch/aws4_request"
        asked = urllib.request.Request(  # noqa: S310 - http, on loopback
            f"{self.endpoint}/v1/embedded/reclaimhost/{job_id}", method="POST", headers={"Authorization": signed}
        )
        urllib.request.urlopen(asked, timeout=30).close()  # noqa: S310 - http, on loopback

    def stack(self, name: str, account: str | None = None) -> "Stack":
        """A stack of it, which need not exist. What a stack's name may not have becomes a hyphen."""
        return Stack(self.client("cloudformation", account), re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60])


class Stack:
    """A stack of a test.

    Attributes:
        name: Its name.
    """

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - boto3 makes the class at run time
        self.name = name
        self._client = client

    def deploy(self, resources: Template, outputs: Template | None = None) -> dict[str, str]:
        """Create it, or update it, with a stack tag ``stack-tag``, and return its outputs by name.

        Args:
            resources: The template's resources.
            outputs: Output values by name.

        Raises:
            DeployError: It failed; with the resource's reason.
        """
        template = {
            "Resources": resources,
            "Outputs": {name: {"Value": value} for name, value in (outputs or {}).items()},
        }
        operation = StackOperation(self._client, self.name)
        operation.start({"TemplateBody": json.dumps(template)}, tags={"stack-tag": "inherited"})
        return dict(operation.wait(_STACK_SECONDS).outputs)

    def physical_id(self, logical_id: str) -> str:
        """What Ref gives for one of its resources."""
        resource = self._client.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(resource["StackResourceDetail"]["PhysicalResourceId"])

    def delete(self) -> None:
        """Delete it, and see it gone.

        Raises:
            DeployError: Something could not be deleted.
        """
        delete_stack(self._client, self.name, _STACK_SECONDS)
        if find_stack(self._client, self.name) is not None:
            raise DeployError(f"{self.name} is still there")
