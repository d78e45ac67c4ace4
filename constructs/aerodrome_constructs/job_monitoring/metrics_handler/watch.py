"""The function that looks at what AWS sends no event for: its entry point.

A run makes one call for all queues, one for all compute environments, one for each queue, and one or two to
CloudWatch: with the 27 queues of three domains and all kinds of capacity 30 calls every 5 minutes, 260,000 a month.
Calls of Batch cost nothing, those of CloudWatch 9 cents a month.
"""

import functools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3

from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_constructs.job_monitoring.metrics_handler.datums import Datums
from aerodrome_constructs.job_monitoring.metrics_handler.handler import cloudwatch
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings

logger = logging.getLogger(__name__)

# How the Batch stack calls them, as it has them by type: Spot, ArmOnDemand, FargateSpot.
_TITLES = {"EC2": "OnDemand", "SPOT": "Spot", "FARGATE": "Fargate", "FARGATE_SPOT": "FargateSpot"}


def handle(_event: object, _context: object) -> None:
    """Look at all queues and compute environments once."""
    logging.getLogger().setLevel(logging.INFO)
    look(Settings.of(os.environ), batch(), datetime.now(UTC)).put(cloudwatch())


def look(settings: Settings, client: Any, now: datetime) -> Datums:  # noqa: ANN401 - boto3 makes the class at run time
    """See how long jobs have waited, and which compute environments start nothing.

    Args:
        settings: What is watched.
        client: AWS Batch.
        now: The time of the data points.
    """
    datums = Datums(settings.environment)
    _look_at_queues(datums, settings, client, now)
    _look_at_compute_environments(datums, settings, client, now)
    return datums


def _look_at_queues(datums: Datums, settings: Settings, client: Any, now: datetime) -> None:  # noqa: ANN401 - as above
    oldest = 0.0
    for queue in settings.queues:
        jobs = client.get_job_queue_snapshot(jobQueue=queue).get("frontOfQueue", {}).get("jobs", [])
        # createdAt would be the age of the job, and would fire while a long queue moves as it should. What stands in
        # one place is stuck: the first, or in a fair-share queue one that others overtake.
        since = [job["earliestTimeAtPosition"] for job in jobs if "earliestTimeAtPosition" in job]
        age = max(now.timestamp() - min(since) / 1000, 0.0) if since else 0.0
        oldest = max(oldest, age)
        datums.add(names.RUNNABLE_AGE, age, now, {names.QUEUE: queue})
        datums.add(names.WAITING_JOBS, len(jobs), now, {names.QUEUE: queue})
    datums.add(names.RUNNABLE_AGE, oldest, now, {})


def _look_at_compute_environments(datums: Datums, settings: Settings, client: Any, now: datetime) -> None:  # noqa: ANN401 - as above
    # They are looked for by way of their queues: a compute environment that is replaced gets another name.
    hardware = _hardware_by_arn(_pages(client, "describe_job_queues", "jobQueues", settings.queues), settings)
    invalid = 0
    found = _pages(client, "describe_compute_environments", "computeEnvironments", hardware)
    for one in found:
        resources = one.get("computeResources", {})
        title = _TITLES.get(resources.get("type", ""), "Other")
        by_name = {names.COMPUTE_ENVIRONMENT: f"{hardware[one['computeEnvironmentArn']]}{title}"}
        is_invalid = one["status"] == "INVALID"
        if is_invalid:
            invalid += 1
            logger.warning(
                "%s is INVALID: %s", one["computeEnvironmentName"], one.get("statusReason", "no reason given")
            )
        datums.add(names.INVALID_COMPUTE_ENVIRONMENTS, int(is_invalid), now, by_name)
        if "desiredvCpus" in resources:
            datums.add(names.DESIRED_VCPUS, resources["desiredvCpus"], now, by_name)
    datums.add(names.INVALID_COMPUTE_ENVIRONMENTS, invalid, now, {})


def _hardware_by_arn(queues: Iterable[Mapping[str, Any]], settings: Settings) -> dict[str, str]:
    return {
        entry["computeEnvironment"]: settings.queues[queue["jobQueueName"]].hardware
        for queue in queues
        for entry in queue["computeEnvironmentOrder"]
    }


def _pages(client: Any, operation: str, key: str, wanted: Iterable[str]) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - as above
    names_or_arns = list(wanted)
    if names_or_arns:  # Batch takes none for all
        for page in client.get_paginator(operation).paginate(**{key: names_or_arns}):
            yield from page[key]


@functools.cache
def batch() -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    """The client, made once for all runs that a function's instance sees."""
    return boto3.client("batch")
