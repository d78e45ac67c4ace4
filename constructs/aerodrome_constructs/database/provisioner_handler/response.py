"""CloudFormation's answer: a PUT to the address that came with the request."""

import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from aerodrome_constructs.database.provisioner_handler.deadline import Deadline
from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError

logger = logging.getLogger(__name__)

# CloudFormation takes answers of up to 4096 bytes and shows about 1000 characters of a reason.
LONGEST_REASON = 1000

_RETRY_SECONDS = 1.0


def send(event: Mapping[str, Any], *, reason: str | None, data: Mapping[str, str], deadline: Deadline) -> None:
    """Tell CloudFormation how the request ended. Retries until the deadline; without an answer the stack waits.

    Args:
        event: The request.
        reason: Why it failed; None if it did not.
        data: The resource's attributes.
        deadline: When to give up.

    Raises:
        OSError: The answer could not be delivered in time.
    """
    answer = {
        "Status": "SUCCESS" if reason is None else "FAILED",
        "Reason": (reason or "see the function's log")[:LONGEST_REASON],
        # Kept over updates: a changed id would make CloudFormation delete what it takes for the old resource.
        "PhysicalResourceId": event.get("PhysicalResourceId") or f"{event['LogicalResourceId']}-databases",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": dict(data),
    }
    url = str(event["ResponseURL"])
    if not url.startswith(("https://", "http://")):
        raise ValueError("the request's ResponseURL is no web address")
    request = urllib.request.Request(  # noqa: S310 - checked above; plain http is the embedded AWS's
        url,
        data=json.dumps(answer).encode(),
        method="PUT",
        headers={"Content-Type": ""},  # the address was signed for no content type
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=deadline.remaining()):  # noqa: S310 - checked above
                return
        except OSError as error:
            # The address is a credential: it is in no log.
            logger.warning("CloudFormation did not take the answer: %s", _describe(error))
            try:
                time.sleep(min(_RETRY_SECONDS, deadline.remaining()))
                deadline.remaining()
            except DatabaseTaskError:
                raise error from None


def _describe(error: OSError) -> str:
    return f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
