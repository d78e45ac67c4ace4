"""What a job's event says, in the terms of what is measured.

Every event is read by itself: they come at least once and in any order, and nothing is remembered between them. The
detail is a ``JobDetail``, as DescribeJobs gives it
(https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aerodrome_constructs.job_monitoring.metrics_handler.names import OTHER_PROJECT, STATES
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings

_PROJECT_TAG = "aerodrome:project"
_GIB_A_VCPU = 4.0
# The job and its last attempt stop at the same time where the attempt's end ended the job. A job that is cancelled
# while it waits for its next attempt stops later, and its last attempt was told of when it became RUNNABLE again.
_SAME_TIME_MS = 5_000

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An attempt of which an event brings the news.

    Attributes:
        seconds: How long its container ran. None: it never started.
        reclaimed: Whether its host was taken back.
    """

    seconds: float | None
    reclaimed: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A job that came into a state.

    Attributes:
        key: What two events of the same change have in common: the job, the state, and how many attempts had ended.
        time: When, to the minute.
        queue: The queue's name.
        project: The project's name, or ``other``.
        state: The state.
        waited: For how many seconds the attempt that now runs could have run before. None: no attempt starts here, or
            the job waited for other jobs, too, and the event does not tell when they were done.
        ended: The attempt that ended with this. None: none did.
        vcpus: The vCPUs that the job asks for.
        paid_vcpus: The vCPUs that it takes from others, which is more where it asks for more than 4 GiB a vCPU.
    """

    key: tuple[str, str, int]
    time: datetime
    queue: str
    project: str
    state: str
    waited: float | None
    ended: EndedAttempt | None
    vcpus: float
    paid_vcpus: float


def change_of(event: Json, settings: Settings) -> Change | None:
    """Read an event of EventBridge.

    Returns:
        The change. None: it is of no queue of ours, of a state that is not counted, or of an array as a whole, whose
        children have events of their own.

    Raises:
        KeyError: It is no event of a job.
        ValueError: As above.
    """
    detail: Json = event["detail"]
    queue, state = str(detail["jobQueue"]).rpartition("/")[2], str(detail["status"])
    array: Json = detail.get("arrayProperties") or {}
    is_whole_array = bool(array.get("size")) and "index" not in array
    if queue not in settings.queues or state not in STATES or is_whole_array:
        return None
    attempts: Sequence[Json] = detail.get("attempts") or []
    vcpus, gib = _asked_for(detail)
    return Change(
        key=(str(detail["jobId"]), state, len(attempts)),
        time=minute_of(event),
        queue=queue,
        project=_project(detail, settings),
        state=state,
        waited=_waited(detail, attempts) if state == "RUNNING" else None,
        ended=_ended(detail, attempts, state, settings),
        vcpus=vcpus,
        paid_vcpus=max(vcpus, gib / _GIB_A_VCPU),
    )


def minute_of(event: Json) -> datetime:
    """When it happened, to the minute: CloudWatch keeps no more, and less of it makes for fewer data points."""
    return datetime.fromisoformat(event["time"]).replace(second=0, microsecond=0)


def _waited(detail: Json, attempts: Sequence[Json]) -> float | None:
    # Without dependencies a job is RUNNABLE as soon as it is accepted, and again as soon as an attempt has ended.
    first = None if detail.get("dependsOn") else detail.get("createdAt")
    since = attempts[-1].get("stoppedAt") if attempts else first
    started = detail.get("startedAt")
    return None if since is None or started is None else max(started - since, 0) / 1000


def _ended(detail: Json, attempts: Sequence[Json], state: str, settings: Settings) -> EndedAttempt | None:
    """The last attempt, if its end is what brought the job into its state: RUNNABLE once more, or the end."""
    if not attempts or state not in {"RUNNABLE", "SUCCEEDED", "FAILED"}:
        return None
    last = attempts[-1]
    started, stopped = last.get("startedAt"), last.get("stoppedAt")
    job_stopped = detail.get("stoppedAt")
    if state == "FAILED" and stopped and job_stopped and job_stopped - stopped > _SAME_TIME_MS:
        return None
    return EndedAttempt(
        seconds=None if started is None or stopped is None else max(stopped - started, 0) / 1000,
        reclaimed=any(_matches(pattern, str(last.get("statusReason", ""))) for pattern in settings.reclaims),
    )


def _matches(pattern: str, text: str) -> bool:
    """As Batch compares ``onStatusReason``: regardless of case, and up to an asterisk at the end."""
    pattern, text = pattern.lower(), text.lower()
    return text.startswith(pattern.removesuffix("*")) if pattern.endswith("*") else text == pattern


def _asked_for(detail: Json) -> tuple[float, float]:
    """The vCPUs and the GiB of memory of all containers of a job."""
    vcpus = mib = 0.0
    for container in _containers(detail):
        asked = {one["type"]: float(one["value"]) for one in container.get("resourceRequirements") or []}
        vcpus += asked.get("VCPU", float(container.get("vcpus") or 0))
        mib += asked.get("MEMORY", float(container.get("memory") or 0))
    return vcpus, mib / 1024


def _containers(detail: Json) -> Iterator[Json]:
    if detail.get("container"):
        yield detail["container"]
    for task in (detail.get("ecsProperties") or {}).get("taskProperties") or []:
        yield from task.get("containers") or []


def _project(detail: Json, settings: Settings) -> str:
    """The project by the job's tag, else by its share, else by the name of its role."""
    names = set(settings.projects.values())
    tagged = (detail.get("tags") or {}).get(_PROJECT_TAG)
    shared = settings.projects.get(detail.get("shareIdentifier") or "")
    roles = [(detail.get("container") or {}).get("jobRoleArn") or ""]
    roles += [task.get("taskRoleArn") or "" for task in (detail.get("ecsProperties") or {}).get("taskProperties") or []]
    for candidate in (tagged, shared, *(_of_role(role, names, settings.role_prefix) for role in roles)):
        if candidate in names:
            return str(candidate)
    return OTHER_PROJECT


def _of_role(arn: str, names: set[str], prefix: str) -> str | None:
    rest = arn.rpartition("/")[2].removeprefix(prefix)
    # The longest first: "fraud" is no match for the role of "fraud-detection".
    return next((name for name in sorted(names, key=len, reverse=True) if rest.startswith(f"{name}-")), None)
