"""Every private name of MiniStack that events build on, in one place; see :mod:`aerodrome_local.ministack_private`."""

import json
from collections import deque
from collections.abc import Callable, Container
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import error_response_json, get_account_id, get_region, new_uuid
from ministack.services import eventbridge, lambda_svc, s3, sqs, stepfunctions

from aerodrome_local.events.delivery import Delivery, Target
from aerodrome_local.events.transformer import at, transformed
from aerodrome_local.ministack_private import request_scope

_version_id: ContextVar[str | None] = ContextVar("s3_event_version_id", default=None)

OnEventLoop = Callable[[Callable[[], None]], None]


def take_invocations(take: Callable[[Delivery], None], services: Container[str]) -> None:
    """Hand over what rules send to targets of these services; the built-in code goes on delivering to all others."""
    built_in = eventbridge._invoke_target  # noqa: SLF001 - see the module docstring

    def invoke(target: Target, event: Any, rule: Any, view: Any = None) -> None:  # noqa: ANN401 - MiniStack's own
        if target.get("Arn", "").split(":")[2:3] == [] or target["Arn"].split(":")[2] not in services:
            built_in(target, event, rule, view)
            return
        view = view or eventbridge._pattern_event_view(event)  # noqa: SLF001 - see the module docstring
        whole = json.dumps(view.event_with_detail())
        take(
            Delivery(
                rule_arn=rule["Arn"],
                target=target,
                event=whole,
                payload=_payload(target, rule, view, whole),
                account=get_account_id(),
                region=get_region(),
            )
        )

    eventbridge._invoke_target = invoke  # noqa: SLF001 - see the module docstring


def _payload(target: Target, rule: Any, view: Any, whole: str) -> str:  # noqa: ANN401 - MiniStack's own
    """What the target is given: the event, a part of it, what is made from it, or a text of the rule's own."""
    event = view.event_with_detail()
    if target.get("InputTransformer"):
        # Not MiniStack's, which escapes what it puts in, and so hides what a key can do to a template.
        own = {
            "aws.events.rule-arn": rule["Arn"],
            "aws.events.rule-name": rule["Name"],
            "aws.events.event": view.envelope(),
            "aws.events.event.json": event,
            "aws.events.event.ingestion-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return transformed(target["InputTransformer"], event, own)
    if target.get("Input"):
        return str(target["Input"])
    value = at(event, target.get("InputPath", "$"))
    return whole if value is None else json.dumps(value)


def dispatch_on_event_loop(on_event_loop: OnEventLoop) -> None:
    """Match events with rules on the event loop alone: S3 does it on threads, while deploys change the rules."""
    built_in = eventbridge._dispatch_event  # noqa: SLF001 - see the module docstring

    def dispatch(event: Any, view: Any = None) -> None:  # noqa: ANN401 - MiniStack's own
        version_id = _version_id.get()
        if event.get("Source") == "aws.s3":
            event = _as_s3_sends_it(event, version_id)
        on_event_loop(lambda: built_in(event, view))

    eventbridge._dispatch_event = dispatch  # noqa: SLF001 - see the module docstring


def keep_no_events() -> None:
    """Forget events once they are delivered: nothing reads the list of them, which grows without end."""
    eventbridge._events_log_list = lambda: deque(maxlen=0)  # noqa: SLF001 - see the module docstring


def complete_s3_events() -> None:
    """Keep the version of the object that an event of S3 is about, which MiniStack leaves out."""
    built_in = s3._fire_s3_event  # noqa: SLF001 - see the module docstring

    def fire(*arguments: Any, version_id: str | None = None, **named: Any) -> None:  # noqa: ANN401 - passed on
        token = _version_id.set(version_id)
        try:
            built_in(*arguments, version_id=version_id, **named)
        finally:
            _version_id.reset(token)

    s3._fire_s3_event = fire  # noqa: SLF001 - see the module docstring


def _as_s3_sends_it(event: dict[str, Any], version_id: str | None) -> dict[str, Any]:
    """An event in S3's own shape: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html."""
    detail = json.loads(event["Detail"])
    detail.pop("event-version", None)
    if version_id is not None:
        detail["object"]["version-id"] = version_id
    # EventBridge gives times in whole seconds.
    return {**event, "EventId": new_uuid(), "Detail": json.dumps(detail), "Time": event["Time"][:19] + "Z"}


def refuse_targets(problem: Callable[[list[Target], int], str | None]) -> None:
    """Refuse a PutTargets whose targets AWS would refuse. The function is given how many the rule has besides them."""
    built_in = eventbridge._put_targets  # noqa: SLF001 - see the module docstring

    def put_targets(data: dict[str, Any]) -> Any:  # noqa: ANN401 - MiniStack's own
        key = eventbridge._rule_key(data.get("Rule"), data.get("EventBusName", "default"))  # noqa: SLF001 - see above
        given = data.get("Targets", [])
        ids = {each.get("Id") for each in given}
        others = [each for each in eventbridge._targets.get(key, []) if each["Id"] not in ids]  # noqa: SLF001 - as above
        found = problem(given, len(others))
        return built_in(data) if found is None else error_response_json("ValidationException", found, 400)

    eventbridge._put_targets = put_targets  # noqa: SLF001 - see the module docstring


def pattern_problem(pattern: str) -> str | None:
    """Why EventBridge refuses an event pattern, or None."""
    problem: str | None = eventbridge._event_pattern_error(pattern)  # noqa: SLF001 - see the module docstring
    return problem


def run_scheduled_rule(arn: str) -> None:
    """Call a scheduled rule's targets as if its time had come. Needs the event loop's thread.

    Raises:
        ValueError: There is no such rule, or it has no schedule.
    """
    for (account, region, key), rule in eventbridge._rules._data.items():  # noqa: SLF001 - every account's
        if rule["Arn"] != arn:
            continue
        if not rule.get("ScheduleExpression"):
            raise ValueError(f"the rule {arn} has no schedule; put an event that its pattern matches instead")
        with request_scope(account, region):
            event = {
                "EventId": new_uuid(),
                "Source": "aws.events",
                "DetailType": "Scheduled Event",
                "Detail": "{}",
                "EventBusName": rule.get("EventBusName", "default"),
                "Time": int(eventbridge._now_ts()),  # noqa: SLF001 - see the module docstring
                "Resources": [arn],
                "Account": account,
                "Region": region,
            }
            for target in eventbridge._targets.get(key, []):  # noqa: SLF001 - see the module docstring
                eventbridge._invoke_target(target, event, rule)  # noqa: SLF001 - see the module docstring
        return
    raise ValueError(f"there is no rule {arn}")


def queue_exists(arn: str) -> bool:
    """Whether SQS has this queue. Like all below, needs the event loop's thread and the account in context."""
    return sqs._queue_by_arn(arn) is not None  # noqa: SLF001 - see the module docstring


def put_in_queue(arn: str, payload: str, parameters: dict[str, Any]) -> None:
    """Send a message to a queue that exists."""
    eventbridge._dispatch_to_sqs(parse_arn(arn), payload, parameters)  # noqa: SLF001 - see the module docstring


def invoke_function(arn: str, event: object) -> bool:
    """Invoke a Lambda function as an event, with retries and destinations of its own. False when there is none."""
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)  # noqa: SLF001 - see the module docstring
    if not function or not config:
        return False
    lambda_svc.invoke_async_with_retry(
        lambda_svc._execution_record_for_config(function, config),  # noqa: SLF001 - see the module docstring
        event,
    )
    return True


def state_machine_exists(arn: str) -> bool:
    """Whether Step Functions has this state machine, version or alias."""
    try:
        return stepfunctions._resolve_state_machine_arn(arn) is not None  # noqa: SLF001 - see the module docstring
    except ArnParseError:
        return False


def start_execution(arn: str, payload: str) -> str | None:
    """Start an execution of a state machine that exists. Why it was refused, or None."""
    status, _, body = stepfunctions._start_execution(  # noqa: SLF001 - see the module docstring
        {"stateMachineArn": arn, "input": payload}
    )
    return None if status < 400 else str(json.loads(body).get("message", body))  # noqa: PLR2004 - HTTP's own limit
