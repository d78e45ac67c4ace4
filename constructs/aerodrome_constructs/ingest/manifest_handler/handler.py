"""Makes array jobs of a manifest: a text object with a JSON object a line, each of which names an object of the bucket.

    {"key": "fraud-detection/development/inbox/a.csv", "version": "3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"}

Without a version, the job takes the newest that is there when it runs. The whole manifest is read before the first job
is submitted: one that has a wrong line gives no job at all, and goes to the dead-letter queue with the reason. Each job
gets the range of bytes that holds its lines, so that a child reads those and not the whole manifest.

Jobs are named after the manifest's key and version and their part of it. Lambda may be given an event twice: what was
submitted before, finished or not, is found by name and left out. Should two runs overlap nevertheless, jobs run twice,
and write nothing twice.
"""

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MOST_LINES = 10_000
"""The most children of an array: https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html."""

PAUSE_SECONDS = 0.1
"""Between two submissions. An account has 50 a second for all its clients together
(https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html); a fifth of that takes 2 minutes for the ten
million lines of a thousand arrays."""

LONGEST_LINE = 8_192
"""Bytes: a key has at most 1,024, and JSON may write each as six."""

_RETRIES = Config(retries={"mode": "adaptive", "total_max_attempts": 10})
_GONE = {"NoSuchKey", "NoSuchVersion"}

logger = logging.getLogger(__name__)


class ManifestError(Exception):
    """The manifest makes no jobs. Reading it again does not help."""


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a manifest that become one job.

    Attributes:
        first: The first byte.
        last: The last byte.
        lines: How many lines there are.
    """

    first: int
    last: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where the jobs of a manifest go.

    Attributes:
        queue: The job queue.
        definition: The job definition.
        tags: The tags of the jobs.
    """

    queue: str
    definition: str
    tags: Mapping[str, str]


def parts(lines: Iterable[bytes], most: int = MOST_LINES) -> Iterator[Part]:
    """Cut a manifest into parts of so many lines at most.

    Args:
        lines: The manifest's lines, with what ends them.
        most: How many lines a part has at most.

    Raises:
        ManifestError: A line names no object, or there is none.
    """
    first = last = count = number = 0
    for number, line in enumerate(lines, start=1):
        _check(number, line)
        last += len(line)
        count += 1
        if count == most:
            yield Part(first, last - 1, count)
            first, count = last, 0
    if not number:
        raise ManifestError("it is empty; write a line for each object")
    if count:
        yield Part(first, last - 1, count)


def _check(number: int, line: bytes) -> None:
    wanted = 'expected {"key": "..."}, with "version": "..." if it matters'
    if len(line) > LONGEST_LINE:
        raise ManifestError(f"line {number} has {len(line)} bytes; at most {LONGEST_LINE}: {wanted}, an object a line")
    try:
        named = json.loads(line)
    except ValueError as error:
        raise ManifestError(f"line {number} is no JSON ({error}): {_shown(line)}; {wanted}") from error
    if not isinstance(named, dict) or not {"key"} <= named.keys() <= {"key", "version"}:
        raise ManifestError(f"line {number} names no object: {_shown(line)}; {wanted}")
    if not all(isinstance(value, str) and value for value in named.values()):
        raise ManifestError(f"line {number} has a value that is no text: {_shown(line)}; {wanted}")


def _shown(line: bytes) -> str:
    return repr(line[:100].decode(errors="replace").rstrip())


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text that comes in chunks, each with the newline that ends it.

    Raises:
        ManifestError: A line is so long that it is none.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)
        if len(rest) > LONGEST_LINE:
            raise ManifestError(f"a line begins with {_shown(rest)} and has no end within {LONGEST_LINE} bytes")
    if rest:
        yield rest


def route_of(key: str, prefix: str, *, queue: str, definition: str, tags: Mapping[str, str]) -> Route:
    """Where a manifest's jobs go, by its key.

    Args:
        key: The manifest's key.
        prefix: What keys begin with, with ``{name}`` for a folder that decides, such as ``{project}/manifests/``.
        queue: The queue's name, with those names in it.
        definition: The job definition's name, with those names in it.
        tags: The tags of the jobs, with those names in their values.

    Raises:
        ManifestError: The key begins otherwise.
    """
    names = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(prefix))
    match = re.match(names, key)
    if match is None:
        raise ManifestError(f"its key does not begin with {prefix}")
    found = match.groupdict()
    return Route(
        queue=queue.format(**found),
        definition=definition.format(**found),
        tags={name: value.format(**found) for name, value in tags.items()},
    )


def submit(
    batch: Any,  # noqa: ANN401 - boto3 makes the class at run time
    manifest: Mapping[str, str],
    route: Route,
    found: Sequence[Part],
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Submit a job for each part that none was submitted for.

    Args:
        batch: The client of AWS Batch.
        manifest: Its ``bucket``, ``key``, ``version`` and ``size``.
        route: Where the jobs go.
        found: The manifest's parts.
        pause: Waits for so many seconds.

    Returns:
        How many jobs were submitted.
    """
    stem = "manifest-" + hashlib.sha256(f"{manifest['key']}\0{manifest['version']}".encode()).hexdigest()[:32]
    pages = batch.get_paginator("list_jobs").paginate(
        jobQueue=route.queue, filters=[{"name": "JOB_NAME", "values": [f"{stem}-*"]}]
    )
    before = {job["jobName"] for page in pages for job in page["jobSummaryList"]}
    submitted = 0
    for number, part in enumerate(found):
        name = f"{stem}-{number}"
        if name in before:
            continue
        if submitted:
            pause(PAUSE_SECONDS)
        batch.submit_job(
            jobName=name,
            jobQueue=route.queue,
            jobDefinition=route.definition,
            parameters={**manifest, "lines": f"{part.first}-{part.last}"},
            tags=dict(route.tags),
            # AWS Batch takes an array of two and more.
            **({"arrayProperties": {"size": part.lines}} if part.lines > 1 else {}),
        )
        submitted += 1
    logger.info("%s (version %s): %d parts, %d submitted", manifest["key"], manifest["version"], len(found), submitted)
    return submitted


def handle(event: Mapping[str, Any], _context: object) -> None:
    """Make jobs of a manifest that has arrived.

    What comes of another error than a wrong manifest, Lambda tries again, and puts into the dead-letter queue after
    that.

    Args:
        event: The ``detail`` of S3's event: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
    """
    logging.getLogger().setLevel(logging.INFO)
    manifest = {
        "bucket": event["bucket"]["name"],
        "key": event["object"]["key"],
        "version": event["object"]["version-id"],
        "size": str(event["object"]["size"]),
    }
    if manifest["key"].endswith("/"):  # what the console makes of a folder
        return
    try:
        route = route_of(
            manifest["key"],
            os.environ["MANIFEST_PREFIX"],
            queue=os.environ["JOB_QUEUE"],
            definition=os.environ["JOB_DEFINITION"],
            tags=json.loads(os.environ["JOB_TAGS"]),
        )
        found = list(parts(_read(manifest)))
    except ManifestError as error:
        _refuse(manifest, str(error))
        return
    submit(boto3.client("batch", config=_RETRIES), manifest, route, found)


def _read(manifest: Mapping[str, str]) -> Iterator[bytes]:
    s3 = boto3.client("s3")
    try:
        found = s3.get_object(Bucket=manifest["bucket"], Key=manifest["key"], VersionId=manifest["version"])
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            raise ManifestError("that version of it is not there any more") from error
        raise
    yield from lines_of(found["Body"].iter_chunks(2**20))


def _refuse(manifest: Mapping[str, str], reason: str) -> None:
    message = {"problem": "a manifest made no jobs", "reason": reason, "parameters": dict(manifest)}
    boto3.client("sqs").send_message(QueueUrl=os.environ["DEAD_LETTER_QUEUE_URL"], MessageBody=json.dumps(message))
    logger.warning("%s (version %s) is refused: %s", manifest["key"], manifest["version"], reason)
