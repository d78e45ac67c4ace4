"""Delivering events: retries, dead letters, events that are delivered twice, and jobs that an event submits."""

import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import pytest

from aerodrome_local.batch_service import event_target
from aerodrome_local.batch_service.errors import ServerException
from aerodrome_local.events.delivery import Deliverer, Delivery, Target, TargetError

Batch = Any  # conftest's class, which a test module cannot import

ACCOUNT = "111122223333"
QUEUE = f"arn:aws:batch:us-east-1:{ACCOUNT}:job-queue/queue"
LETTERS = f"arn:aws:sqs:us-east-1:{ACCOUNT}:letters"


def delivery(payload: str = "{}", **target: object) -> Delivery:
    given: Target = {
        "Id": "job",
        "Arn": QUEUE,
        "DeadLetterConfig": {"Arn": LETTERS},
        "BatchParameters": {"JobName": "job", "JobDefinition": "definition"},
        **target,
    }
    return Delivery(
        rule_arn=f"arn:aws:events:us-east-1:{ACCOUNT}:rule/rule",
        target=given,
        event='{"id": "1"}',
        payload=payload,
        account=ACCOUNT,
        region="us-east-1",
    )


class Letters:
    """A dead-letter queue, and a deliverer that uses it."""

    def __init__(self, deliver: Callable[[Delivery], None]) -> None:
        self.attempts = 0
        self.letters: list[tuple[str, str, Mapping[str, str]]] = []
        self.arrived = threading.Event()
        self._deliver = deliver
        self.deliverer = Deliverer(
            {"batch": self._count}, self._letter, lambda _account, _region: nullcontext(), first_pause=0.001
        )

    def _count(self, given: Delivery) -> None:
        self.attempts += 1
        self._deliver(given)

    def _letter(self, arn: str, given: Delivery, attributes: Mapping[str, str]) -> None:
        self.letters.append((arn, given.event, attributes))
        self.arrived.set()

    def after(self, given: Delivery) -> Mapping[str, str]:
        """The attributes of the dead letter that comes of a delivery."""
        self.deliverer.put(given)
        assert self.arrived.wait(10)
        (letter,) = self.letters
        assert letter[:2] == (LETTERS, '{"id": "1"}')
        return letter[2]


@pytest.fixture
def make_letters() -> Iterator[Callable[[Callable[[Delivery], None]], Letters]]:
    """Makes deliverers that call a function, and stops them at the end."""
    made: list[Letters] = []

    def make(deliver: Callable[[Delivery], None]) -> Letters:
        made.append(Letters(deliver))
        return made[-1]

    yield make
    for each in made:
        each.deliverer.stop()


MakeLetters = Callable[[Callable[[Delivery], None]], Letters]


def throttled(_: Delivery) -> None:
    raise TargetError("ERROR_FROM_TARGET", "too many requests", retriable=True)


def test_what_may_pass_is_tried_again_as_often_as_the_target_says(make_letters: MakeLetters) -> None:
    letters = make_letters(throttled)
    attributes = letters.after(delivery(RetryPolicy={"MaximumRetryAttempts": 3}))
    assert letters.attempts == 4
    assert attributes == {
        "RULE_ARN": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/rule",
        "TARGET_ARN": QUEUE,
        "ERROR_CODE": "ERROR_FROM_TARGET",
        "ERROR_MESSAGE": "too many requests",
        "RETRY_ATTEMPTS": "3",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    }


def test_an_event_that_is_too_old_is_tried_no_more(make_letters: MakeLetters) -> None:
    letters = make_letters(throttled)
    attributes = letters.after(delivery(RetryPolicy={"MaximumEventAgeInSeconds": 0}))
    assert letters.attempts == 1
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"


def test_a_target_that_recovers_gets_the_event(make_letters: MakeLetters) -> None:
    taken = threading.Event()

    def recovers(_: Delivery) -> None:
        if letters.attempts < 3:
            throttled(_)
        taken.set()

    letters = make_letters(recovers)
    letters.deliverer.put(delivery())
    assert taken.wait(10)
    assert letters.letters == []


def test_an_error_of_ours_is_a_dead_letter_too(make_letters: MakeLetters) -> None:
    def broken(_: Delivery) -> None:
        raise ZeroDivisionError("broken")

    attributes = make_letters(broken).after(delivery())
    assert (attributes["ERROR_CODE"], attributes["ERROR_MESSAGE"]) == ("INTERNAL_ERROR", "broken")
    assert attributes["RETRY_ATTEMPTS"] == "0"


def test_targets_are_counted_apart(make_letters: MakeLetters) -> None:
    taken: list[str] = []
    done = threading.Semaphore(0)

    def take(given: Delivery) -> None:
        taken.append(given.target["Id"])
        done.release()

    deliverer = make_letters(take).deliverer
    deliverer.duplicate_every = 2
    for _ in range(2):
        for name in ("one", "two"):
            deliverer.put(delivery(Id=name))
    for _ in range(6):
        assert done.acquire(timeout=10)
    assert sorted(taken) == ["one"] * 3 + ["two"] * 3


def test_an_event_says_parameters_and_overrides_and_nothing_else(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "echo", "Ref::key", parameters={"key": "none"})
    payload = {
        "Parameters": {"key": "in.txt"},
        "ContainerOverrides": {
            "Environment": [{"Name": "A", "Value": "1"}],
            "ResourceRequirements": [{"Type": "VCPU", "Value": "2"}],
        },
        "ShareIdentifier": "ignored",
        "detail": {"also": "ignored"},
    }
    event_target.submit(batch.service, delivery(json.dumps(payload)))
    (summary,) = batch.eventually(
        lambda: batch.call("ListJobs", jobQueue="queue", jobStatus="SUCCEEDED")["jobSummaryList"]
    )
    job = batch.job(summary["jobId"])
    assert job["parameters"] == {"key": "in.txt"}
    assert job["container"]["environment"] == [{"name": "A", "value": "1"}]
    assert {"type": "VCPU", "value": "2"} in job["container"]["resourceRequirements"]
    assert batch.log(job) == ["in.txt"]


@pytest.mark.parametrize(
    ("payload", "code", "message"),
    [
        ("[]", "ERROR_FROM_TARGET", "must be a JSON object"),
        ("{", "INVALID_JSON", "is not JSON"),
        ('{"ContainerOverrides": {"Nonsense": 1}}', "ERROR_FROM_TARGET", "has no member Nonsense"),
        ('{"ContainerOverrides": {"Environment": "A=1"}}', "ERROR_FROM_TARGET", "must be a list"),
        ("{}", "ERROR_FROM_TARGET", "job-queue/queue does not exist"),
    ],
    ids=["list", "text", "member", "type", "queue"],
)
def test_what_batch_refuses_is_not_tried_again(
    batch: Batch, make_letters: MakeLetters, payload: str, code: str, message: str
) -> None:
    letters = make_letters(functools.partial(event_target.submit, batch.service))
    attributes = letters.after(delivery(payload))
    assert letters.attempts == 1
    assert attributes["ERROR_CODE"] == code
    assert message in attributes["ERROR_MESSAGE"]


def test_an_error_of_batch_itself_is_tried_again(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*_: object) -> None:
        raise ServerException("later")

    monkeypatch.setattr(batch.service, "call", call)
    with pytest.raises(TargetError, match="later") as failed:
        event_target.submit(batch.service, delivery())
    assert failed.value.retriable
