"""The targets that MiniStack itself calls, with their failures told instead of logged."""

from collections.abc import Mapping

from aerodrome_local.events import ministack_events
from aerodrome_local.events.delivery import ERROR_FROM_TARGET, NO_RESOURCE, Deliver, Delivery, TargetError, as_json
from aerodrome_local.runtime import Runtime


def built_in(runtime: Runtime) -> Mapping[str, Deliver]:
    """By service, what delivers to SQS, Lambda and Step Functions. Each touches MiniStack on the event loop."""

    def on_loop(deliver: Deliver) -> Deliver:
        return lambda delivery: runtime.on_event_loop(lambda: deliver(delivery))

    return {"sqs": on_loop(_to_queue), "lambda": on_loop(_to_function), "states": on_loop(_to_state_machine)}


def _to_queue(delivery: Delivery) -> None:
    arn = delivery.target["Arn"]
    if not ministack_events.queue_exists(arn):
        raise TargetError(NO_RESOURCE, f"the queue {arn} does not exist")
    ministack_events.put_in_queue(arn, delivery.payload, delivery.target.get("SqsParameters") or {})


def _to_function(delivery: Delivery) -> None:
    arn = delivery.target["Arn"]
    # What the function does with the event is its own affair, as on AWS: its retries, its destination for failures.
    if not ministack_events.invoke_function(arn, as_json(delivery)):
        raise TargetError(NO_RESOURCE, f"the function {arn} does not exist")


def _to_state_machine(delivery: Delivery) -> None:
    arn = delivery.target["Arn"]
    if not ministack_events.state_machine_exists(arn):
        raise TargetError(NO_RESOURCE, f"the state machine {arn} does not exist")
    as_json(delivery)
    refused = ministack_events.start_execution(arn, delivery.payload)
    if refused is not None:
        raise TargetError(ERROR_FROM_TARGET, refused)
