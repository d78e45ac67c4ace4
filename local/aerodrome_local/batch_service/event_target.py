"""A job queue as the target of an EventBridge rule."""

import json

from aerodrome_local.batch_service import pascal_case
from aerodrome_local.batch_service.errors import ClientException, ServerException
from aerodrome_local.batch_service.model import Json, Scope
from aerodrome_local.batch_service.service import BatchService
from aerodrome_local.events.delivery import ERROR_FROM_TARGET, Delivery, TargetError, as_json

_FROM_INPUT = ("Parameters", "ContainerOverrides")
"""What the target's input may say of the job; all else in it is ignored, as the members of an untransformed event are.

So a share identifier cannot come from an event, and a fair-share queue refuses what EventBridge submits.
https://docs.aws.amazon.com/batch/latest/userguide/batch-cwe-target.html
"""


def submit(service: BatchService, delivery: Delivery) -> None:
    """Submit the job that an event asks for.

    Raises:
        TargetError: Batch refuses it. An error of Batch's own may pass; the request's would not.
    """
    try:
        request = pascal_case.request_of("SubmitJob", _request(delivery.target, as_json(delivery)))
        service.call("SubmitJob", request, Scope(delivery.account, delivery.region))
    except ClientException as error:
        raise TargetError(ERROR_FROM_TARGET, str(error)) from error
    except ServerException as error:
        raise TargetError(ERROR_FROM_TARGET, str(error), retriable=True) from error


def _request(target: Json, given: object) -> Json:
    parameters = target["BatchParameters"]
    request: Json = {
        "JobName": parameters["JobName"],
        "JobQueue": target["Arn"],
        "JobDefinition": parameters["JobDefinition"],
    }
    size = (parameters.get("ArrayProperties") or {}).get("Size")
    if size is not None:
        request["ArrayProperties"] = {"Size": int(size)}
    attempts = (parameters.get("RetryStrategy") or {}).get("Attempts")
    if attempts is not None:
        request["RetryStrategy"] = {"Attempts": int(attempts)}
    if not isinstance(given, dict):
        raise ClientException(f"the target's input must be a JSON object, not {json.dumps(given)}")
    request.update({name: given[name] for name in _FROM_INPUT if name in given})
    return request
