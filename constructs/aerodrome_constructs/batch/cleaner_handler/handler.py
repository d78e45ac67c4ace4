"""The function's entry point."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aerodrome_constructs.batch.cleaner_handler.order import Order
from aerodrome_constructs.batch.cleaner_handler.revisions import made_by_propeller, superseded

logger = logging.getLogger(__name__)

# Of the time that Lambda gives the function: for the call that is under way, and to say how far it came.
_MARGIN_SECONDS = 30.0
_NOT_ENDED = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
_MOST_FAILURES_TOLD = 3


class CleaningError(Exception):
    """Some revisions could not be deregistered."""


class Context(Protocol):
    """What Lambda tells of the invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


class Batch:
    """AWS Batch, asked no faster than is allowed.

    Args:
        client: A boto3 client of it.
        calls_per_second: How many calls there are in a second, at most.
        sleep: What waits, in seconds.
    """

    def __init__(self, client: Any, calls_per_second: float, sleep: Callable[[float], None] = time.sleep) -> None:  # noqa: ANN401 - boto3 makes the class at run time
        self._client = client
        self._pause = 1 / calls_per_second
        self._sleep = sleep

    def definitions(self) -> Iterator[Mapping[str, Any]]:
        """All active job definitions of the account and region."""
        return self._all("describe_job_definitions", "jobDefinitions", status="ACTIVE")

    def in_use(self, queues: Sequence[str]) -> set[str]:
        """The ARNs of the definitions of all jobs in some queues that have not ended. An array counts as one job."""
        return {
            str(job["jobDefinition"])
            for queue in queues
            for status in _NOT_ENDED
            for job in self._all("list_jobs", "jobSummaryList", jobQueue=queue, jobStatus=status)
        }

    def deregister(self, arn: str) -> None:
        """Deregister a revision. That of one that is not registered any more does nothing."""
        self._sleep(self._pause)
        self._client.deregister_job_definition(jobDefinition=arn)

    def _all(self, operation: str, member: str, **arguments: str) -> Iterator[Mapping[str, Any]]:
        for page in self._client.get_paginator(operation).paginate(**arguments):
            self._sleep(self._pause)
            yield from page[member]


def handle(event: Mapping[str, Any], context: Context) -> dict[str, int]:
    """Deregister what is left behind, and return how much there was.

    What is not done in time is done the next time: nothing is remembered but in AWS Batch itself.

    Raises:
        CleaningError: Some revisions could not be deregistered. All others were.
        ValueError: The event is not one of the schedule's.
    """
    logging.getLogger().setLevel(logging.INFO)
    order = Order.of(event)
    # AWS Batch answers who asks too fast with an error; boto3 waits longer each time.
    client = boto3.client("batch", config=Config(retries={"mode": "standard", "total_max_attempts": 8}))
    return clean(Batch(client, order.calls_per_second), order, context)


def clean(batch: Batch, order: Order, context: Context) -> dict[str, int]:
    """Deregister the revisions that nothing needs any more.

    Raises:
        CleaningError: Some could not be deregistered. All others were.
    """
    made = [definition for definition in batch.definitions() if made_by_propeller(definition, order.job_roles)]
    old = superseded(made, order.keep)
    # Asked after it is known what is old: who submits now, submits what is new.
    used = batch.in_use(order.job_queues) if old else set[str]()
    unused = [arn for arn in old if arn not in used]
    done = 0
    failures: list[str] = []
    for arn in unused:
        if context.get_remaining_time_in_millis() / 1000 < _MARGIN_SECONDS:
            break
        try:
            batch.deregister(arn)
        except (BotoCoreError, ClientError) as error:
            failures.append(f"{arn}: {error}")
        else:
            done += 1
            logger.info("deregistered %s", arn)
    report = {
        "found": len(made),
        "inUse": len(old) - len(unused),
        "deregistered": done,
        "failed": len(failures),
        "leftForNextTime": len(unused) - done - len(failures),
    }
    logger.info("%s", report)
    if failures:
        some = "; ".join(failures[:_MOST_FAILURES_TOLD])
        raise CleaningError(f"{len(failures)} of {len(unused)} revisions could not be deregistered: {some}")
    return report
