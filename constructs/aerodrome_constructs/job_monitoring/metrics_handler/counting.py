"""Counts the events of a batch, each change of a job once."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_constructs.job_monitoring.metrics_handler.changes import Change, EndedAttempt, change_of, minute_of
from aerodrome_constructs.job_monitoring.metrics_handler.datums import Datums
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings

# AWS's reasons begin with a code, such as MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT, and go on with a sentence.
_CODE = re.compile(r"[A-Z_]+(:[A-Z_]+)?")
_ENDS = ("SUCCEEDED", "FAILED")


@dataclass(frozen=True, slots=True)
class Blocked:
    """A queue whose first job cannot be placed.

    Attributes:
        key: The event's ID.
        time: When, to the minute.
        queue: The queue's name.
        reason: AWS's code for why.
    """

    key: str
    time: datetime
    queue: str
    reason: str


def read(event: Mapping[str, Any], settings: Settings) -> Change | Blocked | None:
    """Read an event.

    Returns:
        What it says. None: nothing that is counted.

    Raises:
        KeyError: It is no event of AWS Batch.
        ValueError: As above.
    """
    if event["detail-type"] == names.BLOCKED:
        return _blocked(event, settings)
    return change_of(event, settings)


def count(found: Iterable[Change | Blocked], settings: Settings) -> Datums:
    """Make data points of what events say, of doubles once.

    Args:
        found: What they say.
        settings: What is watched.
    """
    datums = Datums(settings.environment)
    for one in {one.key: one for one in found}.values():
        if isinstance(one, Blocked):
            datums.add(names.QUEUE_BLOCKED, 1, one.time, {})
            datums.add(names.QUEUE_BLOCKED, 1, one.time, {names.QUEUE: one.queue, names.REASON: one.reason})
        else:
            _count(datums, one, settings)
    return datums


def _count(datums: Datums, change: Change, settings: Settings) -> None:
    for dimensions in ({}, {names.QUEUE: change.queue}, {names.PROJECT: change.project}):
        datums.add(names.JOBS, 1, change.time, {**dimensions, names.STATE: change.state})
        if change.state in _ENDS:
            # The other end as 0: CloudWatch makes no rate of two metrics one of which has no value.
            for end in _ENDS:
                datums.add(names.JOBS, 0, change.time, {**dimensions, names.STATE: end})
        if change.waited is not None:
            datums.observe(names.WAIT_SECONDS, change.waited, change.time, dimensions)
        if change.ended:
            _count_attempt(datums, change, change.ended, dimensions, settings)


def _count_attempt(
    datums: Datums, change: Change, ended: EndedAttempt, dimensions: Mapping[str, str], settings: Settings
) -> None:
    datums.add(names.ATTEMPTS, 1, change.time, dimensions)
    datums.add(names.SPOT_RECLAIMS, int(ended.reclaimed), change.time, dimensions)
    if ended.seconds is not None:
        hourly = settings.queues[change.queue].usd_per_vcpu_hour
        datums.observe(names.RUN_SECONDS, ended.seconds, change.time, dimensions)
        datums.add(names.VCPU_SECONDS, ended.seconds * change.vcpus, change.time, dimensions)
        datums.add(names.ESTIMATED_USD, ended.seconds / 3600 * change.paid_vcpus * hourly, change.time, dimensions)


def _blocked(event: Mapping[str, Any], settings: Settings) -> Blocked | None:
    detail = event["detail"]
    queue = str(detail["jobQueue"]).rpartition("/")[2]
    if queue not in settings.queues:
        return None
    code = _CODE.match(str(detail.get("statusReason", "")))
    return Blocked(str(event["id"]), minute_of(event), queue, code[0] if code else "UNKNOWN")
