"""The records of the embedded Batch."""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from aerodrome_local.batch_service.node_ranges import container_of

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


def requirement(container: Json, kind: str) -> str | None:
    """The value of a container's resource requirement: ``VCPU``, ``MEMORY`` (MiB) or ``GPU``."""
    return next((each["value"] for each in container["resourceRequirements"] if each["type"] == kind), None)


@dataclass(slots=True)
class Job:
    """One job: a plain one, an array's parent or child, a multi-node job or one of its nodes.

    Times are milliseconds since 1970, as in the API.

    Attributes:
        container: The container properties after overrides and parameter substitution. Children share their parent's; a
            multi-node job has its main node's.
        order: Where the job stands in its queue: ascending over all submissions.
        array_size: How many children an array has: of its parent, and of its children, too.
        node_properties: Those of a multi-node job, after overrides and parameter substitution; its nodes share them.
        node_index: Which node this is. None for the multi-node job itself and for any other job.
        start_problem: Why the job will fail when it is to be started. None when nothing is known against it.
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
    node_properties: Json | None = None
    node_index: int | None = None
    start_problem: str | None = None
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
    def is_multinode(self) -> bool:
        """Whether this is a multi-node job, whose nodes run, and which itself has its main node's story."""
        return self.node_properties is not None and self.node_index is None

    @property
    def is_node(self) -> bool:
        """Whether this is a node of a multi-node job."""
        return self.node_index is not None

    @property
    def is_main_node(self) -> bool:
        """Whether this is the node by which Batch decides about its multi-node job."""
        return self.node_properties is not None and self.node_index == self.node_properties["mainNode"]

    @property
    def ended(self) -> bool:
        """Whether the job has succeeded or failed."""
        return self.status in ENDED

    @property
    def containers(self) -> list[Json]:
        """The containers that an attempt runs, each on an instance that must be large enough for it."""
        if self.node_properties is None or self.is_node:
            return [self.container]
        return [container_of(self.node_properties, index) for index in range(self.node_properties["numNodes"])]

    @property
    def vcpus(self) -> float:
        """How many vCPUs an attempt takes. A multi-node job takes those of all its nodes, and they take none."""
        return 0.0 if self.is_node else sum(float(requirement(each, "VCPU") or 1) for each in self.containers)

    def to_json(self) -> Json:
        """The job as it is saved. Shares its lists and dicts with the job."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_json(cls, saved: Json) -> "Job":
        """The job that :meth:`to_json` gave."""
        return cls(**{**saved, "status": JobStatus(saved["status"])})
