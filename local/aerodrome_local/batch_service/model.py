"""The records of the embedded Batch."""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
"""A structure of the Batch API, with the API's own member names."""


class JobStatus(StrEnum):
    """The statuses of a job, in the order in which it passes through them."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


ENDED = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED})
ON_HOST = frozenset({JobStatus.STARTING, JobStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class Scope:
    """The account and region that a request works in."""

    account: str
    region: str

    def arn(self, resource: str) -> str:
        """The ARN of a Batch resource, for example of ``job-queue/NAME``."""
        return f"arn:aws:batch:{self.region}:{self.account}:{resource}"

    @classmethod
    def of_arn(cls, arn: str) -> "Scope":
        """The account and region in an ARN."""
        _, _, _, region, account, _ = arn.split(":", 5)
        return cls(account, region)


@dataclass(slots=True)
class Job:
    """One job: a plain one, an array's parent or an array's child.

    Times are milliseconds since 1970, as in the API.

    Attributes:
        container: The container properties after overrides and parameter substitution. Children share their parent's.
        order: Where the job stands in its queue: ascending over all submissions.
        waits_for: The jobs that must succeed before this one may run.
        host: What the current or last attempt was given: ``containerInstanceArn``, ``taskArn``, ``logStreamName``,
            and once it ended ``exitCode`` and ``reason``.
        process: The process of the current attempt, by which an orphan is found after a crash of the server.
        runnable_since: When the job last became RUNNABLE.
    """

    id: str
    name: str
    arn: str
    order: int
    queue_arn: str
    definition_arn: str
    created_at: int
    container: Json
    platform: str
    retry: Json
    timeout_seconds: int | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    depends_on: list[Json] = field(default_factory=list)
    waits_for: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    propagate_tags: bool = False
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    array_size: int | None = None
    array_index: int | None = None
    parent_id: str | None = None
    status: JobStatus = JobStatus.SUBMITTED
    status_reason: str | None = None
    attempts: list[Json] = field(default_factory=list)
    compute_environment: str | None = None
    host: Json = field(default_factory=dict)
    process: Json | None = None
    runnable_since: int | None = None
    started_at: int | None = None
    stopped_at: int | None = None
    cancelled: bool = False
    terminated: bool = False

    @property
    def is_parent(self) -> bool:
        """Whether this is an array's parent, which itself never runs."""
        return self.array_size is not None and self.array_index is None

    @property
    def ended(self) -> bool:
        """Whether the job has succeeded or failed."""
        return self.status in ENDED

    @property
    def vcpus(self) -> float:
        """How many vCPUs an attempt takes."""
        return float(self.requirement("VCPU") or 1)

    def requirement(self, kind: str) -> str | None:
        """The value of a resource requirement: ``VCPU``, ``MEMORY`` (MiB) or ``GPU``."""
        return next((each["value"] for each in self.container["resourceRequirements"] if each["type"] == kind), None)

    def to_json(self) -> Json:
        """The job as it is saved. Shares its lists and dicts with the job."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_json(cls, saved: Json) -> "Job":
        """The job that :meth:`to_json` gave."""
        return cls(**{**saved, "status": JobStatus(saved["status"])})
