"""Delivering events to targets: retries, dead-letter queues, and every n-th event twice."""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

Target = dict[str, Any]
"""A rule's target, as PutTargets takes it."""

_log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
_DEFAULT_ATTEMPTS = 185
_DEFAULT_AGE_SECONDS = 86_400
_LONGEST_PAUSE_SECONDS = 60.0

_LONGEST_MESSAGE = 1024
"""Characters of an error's text that go into a dead letter, so that its attributes stay far below SQS's 1 MiB."""

NO_RESOURCE = "NO_RESOURCE"
INVALID_JSON = "INVALID_JSON"
ERROR_FROM_TARGET = "ERROR_FROM_TARGET"
INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one target.

    Attributes:
        rule_arn: The rule that matched.
        target: The rule's target.
        event: The event as it came, as JSON; a dead letter's body.
        payload: What the target is given.
        account: The account of the rule.
        region: Its region.
    """

    rule_arn: str
    target: Target
    event: str
    payload: str
    account: str
    region: str


class TargetError(Exception):
    """A target did not take an event.

    Args:
        code: The ``ERROR_CODE`` of a dead letter.
        message: Its ``ERROR_MESSAGE``.
        retriable: Whether it may take it later: it was throttled, or had an error of its own.
    """

    def __init__(self, code: str, message: str, *, retriable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retriable = retriable


Deliver = Callable[[Delivery], None]
"""Gives an event to a target. Runs on a worker thread in the rule's account and region, and raises TargetError."""

DeadLetter = Callable[[str, Delivery, Mapping[str, str]], None]
"""Puts a dead letter with these attributes into the queue with this ARN."""


class Deliverer:
    """Delivers events on threads of its own.

    Args:
        targets: By the service in a target's ARN, what delivers to it.
        dead_letter: Where undelivered events go.
        scope: ``(account, region)``, within which targets and dead letters are called.
        first_pause: Seconds before the first retry; each further one waits twice as long, at most a minute.

    Attributes:
        duplicate_every: Every so many events of a rule, counted for each of its targets, one is delivered twice.
            0 for never.
    """

    def __init__(
        self,
        targets: Mapping[str, Deliver],
        dead_letter: DeadLetter,
        scope: Callable[[str, str], AbstractContextManager[None]],
        first_pause: float = 1.0,
    ) -> None:
        self._targets = targets
        self._scope = scope
        self._dead_letter = dead_letter
        self._first_pause = first_pause
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="event-delivery")
        self._seen: Counter[tuple[str, str]] = Counter()
        self._duplicate_every = 0

    @property
    def services(self) -> frozenset[str]:
        """The services, as in ARNs, to whose targets this delivers."""
        return frozenset(self._targets)

    @property
    def duplicate_every(self) -> int:
        """See the class."""
        return self._duplicate_every

    @duplicate_every.setter
    def duplicate_every(self, every: int) -> None:
        self._duplicate_every = every
        self._seen.clear()

    def put(self, delivery: Delivery) -> None:
        """Deliver soon. For the event loop's thread."""
        place = (delivery.rule_arn, delivery.target["Id"])
        self._seen[place] += 1
        twice = bool(self._duplicate_every) and self._seen[place] % self._duplicate_every == 0
        for _ in range(2 if twice else 1):
            self._pool.submit(self._attempt, delivery, time.monotonic(), 0)

    def stop(self) -> None:
        """Deliver nothing more but what is being delivered."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _attempt(self, delivery: Delivery, since: float, retries: int) -> None:
        try:
            with self._scope(delivery.account, delivery.region):
                self._targets[delivery.target["Arn"].split(":")[2]](delivery)
        except TargetError as error:
            self._failed(delivery, error, since, retries)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event must not be lost without a word
            _log.exception("an event of %s could not be delivered to %s", delivery.rule_arn, delivery.target["Arn"])
            self._failed(delivery, TargetError(INTERNAL_ERROR, str(error)), since, retries)

    def _failed(self, delivery: Delivery, error: TargetError, since: float, retries: int) -> None:
        policy = delivery.target.get("RetryPolicy") or {}
        exhausted = None
        if error.retriable:
            pause = min(self._first_pause * 2**retries, _LONGEST_PAUSE_SECONDS)
            age = time.monotonic() - since + pause
            if retries >= int(policy.get("MaximumRetryAttempts", _DEFAULT_ATTEMPTS)):
                exhausted = "MaximumRetryAttempts"
            elif age > int(policy.get("MaximumEventAgeInSeconds", _DEFAULT_AGE_SECONDS)):
                exhausted = "MaximumEventAgeInSeconds"
            else:
                self._later(pause, delivery, since, retries + 1)
                return
        queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue is None:
            _log.warning("an event of %s is lost: %s: %s", delivery.rule_arn, delivery.target["Arn"], error)
            return
        attributes = {
            "RULE_ARN": delivery.rule_arn,
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_CODE": error.code,
            "ERROR_MESSAGE": str(error)[:_LONGEST_MESSAGE] or error.code,
            "RETRY_ATTEMPTS": str(retries),
            **({} if exhausted is None else {"EXHAUSTED_RETRY_CONDITION": exhausted}),
        }
        try:
            with self._scope(delivery.account, delivery.region):
                self._dead_letter(queue, delivery, attributes)
        except Exception:  # noqa: BLE001 - nobody is left to tell but the log
            _log.exception("an event of %s is lost: its dead-letter queue %s failed", delivery.rule_arn, queue)

    def _later(self, pause: float, delivery: Delivery, since: float, retries: int) -> None:
        timer = threading.Timer(pause, self._attempt, (delivery, since, retries))
        timer.daemon = True
        timer.start()


def send_to_queue(client: Callable[[str], Any], arn: str, delivery: Delivery, attributes: Mapping[str, str]) -> None:
    """Send a dead letter: the event as it came, with what happened to it as message attributes."""
    sqs = client("sqs")
    *_, account, name = arn.split(":")
    url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    sqs.send_message(
        QueueUrl=url,
        MessageBody=delivery.event,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )


def as_json(delivery: Delivery) -> Any:  # noqa: ANN401 - any JSON value
    """What the target is given, as JSON.

    Raises:
        TargetError: It is no JSON, as an input template gives it whose text has a quotation mark put into it.
    """
    try:
        return json.loads(delivery.payload)
    except ValueError as error:
        raise TargetError(INVALID_JSON, f"the target's input is not JSON ({error}): {delivery.payload}") from error
