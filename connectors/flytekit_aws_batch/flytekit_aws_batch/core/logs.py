"""What the containers of jobs wrote, from CloudWatch Logs."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.job_state import JobState

DEFAULT_GROUP: Final = "/aws/batch/job"
"""Where Batch logs what has no log configuration
(https://docs.aws.amazon.com/batch/latest/userguide/using_awslogs.html)."""

MOST_LINES: Final = 1000
"""Of a page."""

# What a process writes of itself as it ends, by which nobody learns why it failed. flytekit's loop tells each complaint
# of its tasks, and is stopped while s3fs closes its client (flytekit.utils.asyn.get_exc_handler,
# s3fs.core.S3FileSystem.close_session). In a job it writes JSON (flytekit.loggers.initialize_global_loggers), elsewhere
# rich folds it to 80 columns and indents what follows.
_OF_THE_LOOP: Final = re.compile(r"(\S+ +ERROR +)?(asyn\.py:\d+ - |\[flytekit\] )?Taskrunner for ")
_FOLDED: Final = re.compile(r"\s{20}")
_LOGGER: Final = "flytekit"
_CLOSING: Final = ("'Unclosed", "aiobotocore/")
# The same where the loop is asyncio's own (aiohttp.client.ClientSession.__del__, aiohttp.connector).
_OF_AIOHTTP: Final = (
    re.compile(r"(\[asyncio\] )?Unclosed (client session|connector|connection|response)$"),
    re.compile(r"client_session: <(aiohttp|aiobotocore)\."),
    re.compile(r"connections: \["),
    re.compile(r"connector: <(aiohttp|aiobotocore)\."),
    re.compile(r"client_connection: Connection<"),
    re.compile(r"client_response: <ClientResponse"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a log.

    Attributes:
        at: When it was written, in seconds since 1970.
        text: The line.
    """

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Lines of a log, the oldest first.

    Attributes:
        lines: The lines.
        token: What gives the page after it. The same as was asked with: there is nothing more, yet.
    """

    lines: tuple[LogLine, ...] = ()
    token: str = ""


def stream_of(job: JobState) -> tuple[str, str] | None:
    """The log group and the stream of a job's last container. None: it has none, yet."""
    stream = job.log_stream or next((each.log_stream for each in reversed(job.attempts) if each.log_stream), None)
    return (job.log_group or DEFAULT_GROUP, stream) if stream else None


async def last_lines(aws: Aws, group: str, stream: str, count: int = 20) -> tuple[str, ...]:
    """The last lines of a stream, the oldest first. None where it cannot be read: a log is never a reason to fail.

    Args:
        aws: The way to AWS.
        group: The log group.
        stream: The log stream.
        count: At most so many.
    """
    try:
        read = await aws.call(
            "logs",
            "get_log_events",
            patience_seconds=3,
            logGroupName=group,
            logStreamName=stream,
            limit=count,
            startFromHead=False,
        )
    except CallError:
        return ()
    return tuple(line.text for line in _lines(read))


async def page(aws: Aws, group: str, stream: str, token: str = "", count: int = MOST_LINES) -> LogPage:
    """The lines of a stream from its beginning, page by page.

    Args:
        aws: The way to AWS.
        group: The log group.
        stream: The log stream. What is not there yet has no lines.
        token: That of the page before. Default: the first page.
        count: At most so many lines.

    Raises:
        CallError: It cannot be read.
    """
    asked: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "limit": count, "startFromHead": True}
    if token:
        asked["nextToken"] = token
    try:
        read = await aws.call("logs", "get_log_events", **asked)
    except CallError as error:
        if error.kind == "not_found":
            return LogPage(token=token)
        raise
    return LogPage(lines=_lines(read), token=read.get("nextForwardToken", token))


def telling(lines: Iterable[str]) -> Iterator[str]:
    """The lines that may tell why code failed: neither empty ones, nor what flytekit and aiohttp write at their end."""
    for whole in _unfolded(line.rstrip() for line in lines if line.strip()):
        first, text = _message(whole[0]), "".join("".join(whole).split())
        if _OF_THE_LOOP.match(first) and any(word in text for word in _CLOSING):
            continue
        if not any(pattern.match(first) for pattern in _OF_AIOHTTP):
            yield from whole


def _message(line: str) -> str:
    """What flytekit's logger says in a line of JSON. Any other line, as authors log JSON, too: the line itself."""
    if not line.startswith("{"):
        return line
    try:
        read = json.loads(line)
    except ValueError:
        return line
    return str(read.get("message", "")) if read.get("name") == _LOGGER else line


def _unfolded(lines: Iterable[str]) -> Iterator[list[str]]:
    """Each line, that of a loop with what was folded of it."""
    whole: list[str] = []
    for line in lines:
        if whole and _OF_THE_LOOP.match(whole[0]) and _FOLDED.match(line):
            whole.append(line)
            continue
        if whole:
            yield whole
        whole = [line]
    if whole:
        yield whole


def _lines(read: dict[str, Any]) -> tuple[LogLine, ...]:
    return tuple(LogLine(at=event["timestamp"] / 1000, text=event["message"]) for event in read.get("events", ()))
