"""Amazon EventBridge: events reach their targets at least once, and what cannot be delivered its dead-letter queue.

MiniStack matches events with rules. What follows is here: targets that it does not call (AWS Batch), failures that it
only logs, rules of CloudFormation that it does not check, and what S3's events lack.
"""

from typing import Any

from aerodrome_local.events import ministack_events, targets
from aerodrome_local.events.delivery import Deliverer, send_to_queue
from aerodrome_local.events.validation import rule_problem, targets_problem
from aerodrome_local.ministack_private import request_scope
from aerodrome_local.runtime import Properties, Runtime


def install(runtime: Runtime) -> None:
    """Take over what EventBridge delivers, check what a rule says, and mend the events of S3."""
    deliverer = Deliverer(
        {**targets.built_in(runtime), **runtime.event_targets},
        dead_letter=lambda arn, delivery, attributes: send_to_queue(runtime.client, arn, delivery, attributes),
        scope=request_scope,
    )
    ministack_events.take_invocations(deliverer.put, deliverer.services)
    ministack_events.dispatch_on_event_loop(runtime.on_event_loop)
    ministack_events.refuse_targets(targets_problem)
    ministack_events.complete_s3_events()
    ministack_events.keep_no_events()

    def check(_name: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        problem = rule_problem(properties, ministack_events.pattern_problem)
        if problem is not None:
            raise ValueError(problem)

    runtime.on_create("AWS::Events::Rule", check)
    runtime.action("events", lambda request: _control(deliverer, request))
    runtime.on_stop(deliverer.stop)


def _control(deliverer: Deliverer, request: dict[str, Any]) -> object:
    """What AWS cannot be told: ``duplicateEvery`` and ``runRule``, one or both.

    ``duplicateEvery`` (0 for never) delivers every n-th event of each rule twice from now on, as at-least-once delivery
    may. ``runRule``, a rule's ARN, runs a scheduled rule at once.

    Raises:
        ValueError: The request is something else.
    """
    unknown = request.keys() - {"duplicateEvery", "runRule"}
    if unknown or not request:
        raise ValueError(f"give duplicateEvery (a number) or runRule (a rule's ARN), not {sorted(unknown)}")
    if "duplicateEvery" in request:
        every = request["duplicateEvery"]
        if not isinstance(every, int) or isinstance(every, bool) or every < 0:
            raise ValueError(f"duplicateEvery={every!r}: a whole number is needed; 0 for never")
        deliverer.duplicate_every = every
    if "runRule" in request:
        ministack_events.run_scheduled_rule(str(request["runRule"]))
    return {"duplicateEvery": deliverer.duplicate_every}
