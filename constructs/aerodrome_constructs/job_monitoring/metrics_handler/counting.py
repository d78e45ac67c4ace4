"""Counts the events of a batch, each change of a job once."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_constructs.job_monitoring.metrics_handler.changes import Change, EndedAttempt, change_of, minute_of
from aerodrome_constructs.job_monitoring.metrics_handler.datums import Datums
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings

# AWS's reasons begin with a code, such as MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT, and go on with a sentence.
_CODE = re.compile(r"[A-Z_]+(:[A-Z_]+)?")
_ENDS = ("SUCCEEDED", "FAILED")


def count(events: Iterable[Mapping[str, Any]], settings: Settings) -> Datums:
    """Make data points of events.

    Raises:
        KeyError: One is no event of AWS Batch.
        ValueError: As above.
    """
    datums = Datums(settings.environment)
    changes: dict[tuple[str, str, int], Change] = {}
    blocked: set[object] = set()
    for event in events:
        if event["detail-type"] == names.BLOCKED:
            if event["id"] not in blocked:
                blocked.add(event["id"])
                _count_blocked(datums, event, settings)
        elif change := change_of(event, settings):
            changes[change.key] = change
    for change in changes.values():
        _count(datums, change, settings)
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


def _count_blocked(datums: Datums, event: Mapping[str, Any], settings: Settings) -> None:
    detail = event["detail"]
    queue = str(detail["jobQueue"]).rpartition("/")[2]
    if queue in settings.queues:
        code = _CODE.match(str(detail.get("statusReason", "")))
        reason = code[0] if code else "UNKNOWN"
        datums.add(names.QUEUE_BLOCKED, 1, minute_of(event), {})
        datums.add(names.QUEUE_BLOCKED, 1, minute_of(event), {names.QUEUE: queue, names.REASON: reason})
