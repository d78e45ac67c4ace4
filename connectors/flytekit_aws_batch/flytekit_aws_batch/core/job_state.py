"""What the connector keeps of a job: what it needs to tell of it, and not the whole of what DescribeJobs says."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, Self

STATUSES: Final = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
"""In the order in which a job has them (https://docs.aws.amazon.com/batch/latest/userguide/job_states.html)."""

PREFIX_VARIABLE: Final = "FLYTE_AWS_BATCH_PREFIX"
"""The environment variable of a job that says where its run's outputs go."""

WaitsFor = Literal["", "queue", "capacity", "misconfiguration", "other"]

_ENDED = frozenset({"SUCCEEDED", "FAILED"})
# Reasons are sentences; what is longer is somebody's stack trace.
_MOST_OF_A_REASON = 1000
_NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of Batch's that has ended.

    Attributes:
        exit_code: The container's. None: it had none, as its host went away or it never started.
        reason: What ECS says of the container. Empty: nothing.
        status_reason: What Batch says of the attempt.
        log_stream: Its log stream in CloudWatch. None: it wrote none.
        started_at: When it began to run, in seconds since 1970. None: it did not.
        stopped_at: When it ended.
    """

    exit_code: int | None = None
    reason: str = ""
    status_reason: str = ""
    log_stream: str | None = None
    started_at: float | None = None
    stopped_at: float | None = None

    @classmethod
    def of(cls, detail: Mapping[str, Any]) -> Self:
        """From an entry of ``attempts`` in a JobDetail."""
        container = detail.get("container") or {}
        return cls(
            exit_code=container.get("exitCode"),
            reason=_text(container.get("reason")),
            status_reason=_text(detail.get("statusReason")),
            log_stream=container.get("logStreamName"),
            started_at=_seconds(detail.get("startedAt")),
            stopped_at=_seconds(detail.get("stoppedAt")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """A job as Batch last told of it. Of a multi-node parallel job, it is the main node's container.

    Attributes:
        id: Its ID.
        name: Its name.
        queue: Its queue's ARN.
        status: One of :data:`STATUSES`.
        status_reason: What Batch says of the status. Empty: nothing.
        created_at: When it was submitted, in seconds since 1970.
        started_at: When its last attempt began to run. None: it did not.
        stopped_at: When it ended. None: it has not.
        attempts: Those that have ended, the first one first.
        most_attempts: How many there may be.
        exit_code: That of the last container. None: there is none.
        reason: What ECS says of the last container. Empty: nothing.
        log_group: The CloudWatch log group of its containers. None: Batch's own, or not CloudWatch.
        log_stream: The last container's log stream. None: there is none yet.
        image: The container's image.
        memory_mib: The memory that the container has at most, in MiB. None: unknown.
        timeout_seconds: The longest that an attempt may take. None: no limit.
        prefix: Where its run's outputs go. None: it is no job of this connector.
        size: The number of its children, 0 if it is no array.
        summary: How many children have which status.
        nodes: The instances of a multi-node parallel job, else 1.
        is_cancelled: Whether somebody cancelled it while it waited.
        is_terminated: Whether somebody terminated it.
    """

    id: str
    name: str
    queue: str
    status: str
    status_reason: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    stopped_at: float | None = None
    attempts: tuple[Attempt, ...] = ()
    most_attempts: int = 1
    exit_code: int | None = None
    reason: str = ""
    log_group: str | None = None
    log_stream: str | None = None
    image: str = ""
    memory_mib: int | None = None
    timeout_seconds: int | None = None
    prefix: str | None = None
    size: int = 0
    summary: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    nodes: int = 1
    is_cancelled: bool = False
    is_terminated: bool = False

    @property
    def ended(self) -> bool:
        """Whether it will change no more."""
        return self.status in _ENDED

    @property
    def waits_for(self) -> WaitsFor:
        """What a RUNNABLE job waits for, as far as Batch says; ``queue`` where it says nothing. Else nothing."""
        if self.status != "RUNNABLE":
            return ""
        code = self.status_reason.partition(":")[0]
        if code == "CAPACITY":
            return "capacity"
        if code == "MISCONFIGURATION":
            return "misconfiguration"
        return "other" if self.status_reason else "queue"

    @property
    def rank(self) -> tuple[bool, int, int]:
        """How far it is: of two accounts of a job, the one with the higher rank is the later one."""
        return self.ended, len(self.attempts), STATUSES.index(self.status) if self.status in STATUSES else 0

    def counts(self) -> Mapping[str, int]:
        """How many jobs it comes to, by status: an array's children, or itself."""
        return self.summary if self.size and any(self.summary.values()) else {self.status: self.size or 1}

    @classmethod
    def of(cls, detail: Mapping[str, Any]) -> Self:
        """From a JobDetail, as DescribeJobs and Batch's events have it."""
        container = detail.get("container") or {}
        nodes = detail.get("nodeProperties") or {}
        if not container:
            container = _main_node(nodes)
        array = detail.get("arrayProperties") or {}
        options = (container.get("logConfiguration") or {}).get("options") or {}
        return cls(
            id=detail["jobId"],
            name=detail["jobName"],
            queue=sys.intern(detail["jobQueue"]),
            status=sys.intern(detail["status"]),
            status_reason=_text(detail.get("statusReason")),
            created_at=_seconds(detail.get("createdAt")) or 0.0,
            started_at=_seconds(detail.get("startedAt")),
            stopped_at=_seconds(detail.get("stoppedAt")),
            attempts=tuple(Attempt.of(each) for each in detail.get("attempts") or ()),
            most_attempts=(detail.get("retryStrategy") or {}).get("attempts") or 1,
            exit_code=container.get("exitCode"),
            reason=_text(container.get("reason")),
            log_group=_shared(options.get("awslogs-group")),
            log_stream=container.get("logStreamName"),
            image=sys.intern(container.get("image") or ""),
            memory_mib=_memory(container),
            timeout_seconds=(detail.get("timeout") or {}).get("attemptDurationSeconds"),
            prefix=_prefix(container.get("environment") or ()),
            size=array.get("size") or 0,
            summary={sys.intern(status): count for status, count in (array.get("statusSummary") or {}).items() if count}
            or _NOTHING,
            nodes=nodes.get("numNodes") or 1,
            is_cancelled=bool(detail.get("isCancelled")),
            is_terminated=bool(detail.get("isTerminated")),
        )


def _main_node(nodes: Mapping[str, Any]) -> Mapping[str, Any]:
    ranges = nodes.get("nodeRangeProperties") or ()
    main = nodes.get("mainNode") or 0
    for each in ranges:
        first, colon, last = str(each.get("targetNodes", "")).partition(":")
        if int(first or 0) <= main <= (int(last) if last else 1_000_000 if colon else int(first or 0)):
            container: Mapping[str, Any] = each.get("container") or {}
            return container
    return {}


def _memory(container: Mapping[str, Any]) -> int | None:
    for requirement in container.get("resourceRequirements") or ():
        if requirement.get("type") == "MEMORY":
            return int(requirement["value"])
    return container.get("memory") or None


def _prefix(environment: Iterable[Mapping[str, str]]) -> str | None:
    return next((each.get("value") for each in environment if each.get("name") == PREFIX_VARIABLE), None)


def _text(value: str | None) -> str:
    return (value or "")[:_MOST_OF_A_REASON]


def _shared(value: str | None) -> str | None:
    return sys.intern(value) if value else None


def _seconds(milliseconds: int | None) -> float | None:
    return milliseconds / 1000 if milliseconds else None
