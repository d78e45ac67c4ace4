"""Deploying a CDK cloud assembly (``cdk.out``) to the embedded AWS with boto3.

It takes seconds where the CDK CLI, which polls each stack every 5 s, takes half a minute. Needs boto3 and nothing
else, so tests and tools use it from the project's own environment.
"""

import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError

from aerodrome_local.assembly import AssemblyStack, read_assembly
from aerodrome_local.bootstrap import bootstrap
from aerodrome_local.cloudformation import (
    DEFAULT_TIMEOUT_SECONDS,
    POLL_SECONDS,
    DeployError,
    StackOperation,
    StackResult,
    make_client,
)

# The time stamp that zip files begin with: the same content gives the same archive.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def deploy_assembly(
    directory: Path,
    endpoint: str,
    *,
    account: str = "",
    region: str = "us-east-1",
    stacks: Sequence[str] | None = None,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    on_result: Callable[[StackResult], None] = lambda _: None,
) -> dict[str, StackResult]:
    """Publish the assets of an assembly and create or update its stacks, each as soon as what it needs stands.

    Args:
        directory: What ``cdk synth`` wrote.
        endpoint: The embedded AWS.
        account: For stacks that name no account.
        region: For stacks that name no region.
        stacks: Only these stacks, by name or artifact ID, with what they need. None: all.
        timeout_seconds: For all stacks together.
        on_result: Called for each stack that stands.

    Returns:
        The results by stack name, in the order in which the stacks were done.

    Raises:
        DeployError: A stack failed, with the failed resources and their reasons; or nothing answers at the endpoint.
    """
    try:
        return _deploy(
            read_assembly(directory, account=account, region=region), endpoint, stacks, timeout_seconds, on_result
        )
    except (ConnectionError, EndpointConnectionError, HTTPClientError) as error:
        raise DeployError(
            f"the embedded AWS does not answer at {endpoint}: start it with `aerodrome local up`"
        ) from error


def _deploy(
    assembly: list[AssemblyStack],
    endpoint: str,
    stacks: Sequence[str] | None,
    timeout_seconds: float,
    on_result: Callable[[StackResult], None],
) -> dict[str, StackResult]:
    wanted = _with_dependencies(assembly, stacks)
    targets = {(stack.account, stack.region) for stack in wanted}
    for target_account, target_region in sorted(targets):
        bootstrap(endpoint, target_account, target_region)
        _publish(wanted, endpoint, target_account, target_region)
    deployment = _Deployment(wanted, endpoint, on_result)
    deadline = time.monotonic() + timeout_seconds
    while deployment.step():
        if time.monotonic() > deadline:
            raise DeployError(f"after {timeout_seconds:.0f} s these stacks are not done: {deployment.unfinished()}")
        time.sleep(POLL_SECONDS)
    if deployment.failures:
        raise DeployError("\n".join(deployment.failures))
    return deployment.results


class _Deployment:
    """The stacks that wait, that are in progress, and that are done."""

    def __init__(self, stacks: list[AssemblyStack], endpoint: str, on_result: Callable[[StackResult], None]) -> None:
        self.results: dict[str, StackResult] = {}
        self.failures: list[str] = []
        self._waiting = {stack.artifact_id: stack for stack in stacks}
        self._running: dict[str, StackOperation] = {}
        self._done: set[str] = set()
        self._endpoint = endpoint
        self._on_result = on_result

    def step(self) -> bool:
        """Start what can be started and look after what runs; whether there is more to do.

        After a failure nothing new is started, but what runs is waited for: a stack in progress takes no other command.
        """
        if not self.failures:
            for stack in [item for item in self._waiting.values() if item.dependencies <= self._done]:
                self._start(stack)
        for artifact_id, operation in list(self._running.items()):
            self._poll(artifact_id, operation)
        if self._waiting and not self._running and not self.failures and not self._ready():
            raise DeployError(f"these stacks depend on each other: {', '.join(sorted(self._waiting))}")
        return bool(self._running) or (bool(self._waiting) and not self.failures)

    def unfinished(self) -> str:
        """The names of the stacks in progress."""
        return ", ".join(sorted(operation.name for operation in self._running.values()))

    def _ready(self) -> bool:
        return any(stack.dependencies <= self._done for stack in self._waiting.values())

    def _start(self, stack: AssemblyStack) -> None:
        try:
            self._running[stack.artifact_id] = _start(stack, self._endpoint)
        except DeployError as error:
            self.failures.append(str(error))
        del self._waiting[stack.artifact_id]

    def _poll(self, artifact_id: str, operation: StackOperation) -> None:
        try:
            result = operation.poll()
        except DeployError as error:
            self.failures.append(str(error))
            del self._running[artifact_id]
            return
        if result is not None:
            del self._running[artifact_id]
            self._done.add(artifact_id)
            self.results[result.name] = result
            self._on_result(result)


def _with_dependencies(stacks: list[AssemblyStack], wanted: Sequence[str] | None) -> list[AssemblyStack]:
    if wanted is None:
        return stacks
    by_id = {stack.artifact_id: stack for stack in stacks}
    names = {stack.name: stack.artifact_id for stack in stacks} | {name: name for name in by_id}
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise DeployError(f"no stack {', '.join(unknown)} in the assembly; there are {', '.join(sorted(by_id))}")
    found: set[str] = set()
    pending = [names[name] for name in wanted]
    while pending:
        artifact_id = pending.pop()
        if artifact_id not in found:
            found.add(artifact_id)
            pending += by_id[artifact_id].dependencies
    return [stack for stack in stacks if stack.artifact_id in found]


def _start(stack: AssemblyStack, endpoint: str) -> StackOperation:
    operation = StackOperation(make_client("cloudformation", endpoint, stack.account, stack.region), stack.name)
    if stack.template_url:
        bucket_and_key = _resolve(stack.template_url, stack.account, stack.region).removeprefix("s3://")
        template = {"TemplateURL": f"{endpoint}/{bucket_and_key}"}
    else:
        template = {"TemplateBody": stack.template_file.read_text(encoding="utf-8")}
    operation.start(template, stack.parameters, stack.tags)
    return operation


def _publish(stacks: Sequence[AssemblyStack], endpoint: str, account: str, region: str) -> None:
    client = make_client("s3", endpoint, account, region)
    manifests = {
        file for stack in stacks if (stack.account, stack.region) == (account, region) for file in stack.asset_files
    }
    published: set[tuple[str, str]] = set()
    for file in sorted(manifests):
        for source, bucket, key in _files(file, account, region):
            if (bucket, key) not in published:
                published.add((bucket, key))
                _upload(client, source, bucket, key)


def _files(manifest_file: Path, account: str, region: str) -> Iterator[tuple[Path, str, str]]:
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    if manifest.get("dockerImages"):
        raise DeployError(f"{manifest_file}: the embedded AWS builds no container images, and this assembly has some")
    for asset_id, asset in manifest.get("files", {}).items():
        source = asset["source"]
        if "path" not in source:
            raise DeployError(
                f"{manifest_file}: the asset {asset_id} is made by a command, which is not supported here"
            )
        for destination in asset["destinations"].values():
            yield (
                manifest_file.parent / source["path"],
                _resolve(destination["bucketName"], account, region),
                _resolve(destination["objectKey"], account, region),
            )


def _resolve(text: str, account: str, region: str) -> str:
    values = {"AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws"}
    return re.sub(r"\$\{([A-Za-z:]+)\}", lambda match: values.get(match[1], match[0]), text)


def _upload(client: Any, source: Path, bucket: str, key: str) -> None:  # noqa: ANN401 - boto3 makes the class
    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
    else:
        return  # the key is the hash of the content
    if source.is_dir():
        client.put_object(Bucket=bucket, Key=key, Body=_zip(source))
    else:
        with source.open("rb") as body:
            client.put_object(Bucket=bucket, Key=key, Body=body)


def _zip(directory: Path) -> bytes:
    buffer = BytesIO()
    # Loopback costs less than compression does.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(directory.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(file.relative_to(directory).as_posix(), _ZIP_TIME)
                entry.external_attr = (file.stat().st_mode & 0xFFFF) << 16
                archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()
