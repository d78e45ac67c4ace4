"""The function that counts: its entry point."""

import functools
import json
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import boto3

from aerodrome_constructs.job_monitoring.metrics_handler.counting import count, read
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Settings

logger = logging.getLogger(__name__)


def handle(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Count a batch of messages of SQS, each of which holds an event.

    Returns:
        The messages that are no event of AWS Batch: SQS brings those again, and no others, and then sets them aside.
    """
    logging.getLogger().setLevel(logging.INFO)
    return count_messages(event["Records"], Settings.of(os.environ), cloudwatch())


def count_messages(records: Sequence[Mapping[str, Any]], settings: Settings, client: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3 makes the class at run time
    """Count the messages of a batch, and put what comes of it into CloudWatch.

    Args:
        records: The messages, as Lambda gives them.
        settings: What is watched.
        client: CloudWatch.
    """
    found, failed = [], []
    for record in records:
        try:
            said = read(json.loads(record["body"]), settings)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            logger.error("message %s is no event of AWS Batch: %r", record["messageId"], error)  # noqa: TRY400 - its text says it
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            found += [said] if said else []
    count(found, settings).put(client)
    logger.info("%d messages counted, %d not", len(records) - len(failed), len(failed))
    return {"batchItemFailures": failed}


@functools.cache
def cloudwatch() -> Any:  # noqa: ANN401 - as above
    """The client, made once for all runs that a function's instance sees."""
    return boto3.client("cloudwatch")
