"""What the cleaner of job definitions takes for Flyte's, what it keeps, and what it does when something goes wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from aerodrome_constructs.batch.cleaner_handler import revisions
from aerodrome_constructs.batch.cleaner_handler.handler import Batch, CleaningError, clean
from aerodrome_constructs.batch.cleaner_handler.order import Order

ROLE = "aerodrome-dev-fraud-detection-development"
EVENT = {"jobQueues": ["flyte-spot"], "jobRoles": [ROLE], "keep": 2, "callsPerSecond": 4}
STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")


def arn(revision: int, name: str = "trainer") -> str:
    return f"arn:aws:batch:us-east-1:111122223333:job-definition/{name}:{revision}"


def definition(revision: int, *, image: str = "trainer:1.0", role: str = ROLE, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - members of a definition
    """One that propeller made, as DescribeJobDefinitions gives it: AWS fills in what nobody set."""
    return {
        "jobDefinitionName": "trainer",
        "jobDefinitionArn": arn(revision),
        "revision": revision,
        "status": "ACTIVE",
        "type": "container",
        "parameters": {},
        "tags": {},
        "platformCapabilities": ["EC2"],
        "containerOrchestrationType": "ECS",
        "containerProperties": {
            "image": image,
            "jobRoleArn": f"arn:aws:iam::111122223333:role/{role}",
            "vcpus": 1,
            "memory": 100,
            "command": [],
            "environment": [],
            "mountPoints": [],
            "resourceRequirements": [],
            "secrets": [],
            "ulimits": [],
            "volumes": [],
        },
        **others,
    }


def of_container(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - members of container properties
    made = definition(1)
    return {**made, "containerProperties": {**made["containerProperties"], **members}}


def test_what_propeller_made_is_known_in_either_form_that_batch_may_give() -> None:
    assert revisions.made_by_propeller(definition(1), {ROLE})
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "100"}]
    assert revisions.made_by_propeller(of_container(vcpus=0, memory=0, resourceRequirements=requirements), {ROLE})


@pytest.mark.parametrize(
    "other",
    [
        definition(1, role="aerodrome-dev-eu-fraud-detection-development"),
        definition(1, jobDefinitionName="aerodrome-dev-fraud-detection-development-train"),
        # The connector's, should one ever have nothing but an image and a role.
        definition(1, jobDefinitionName="aerodrome-dev-flyte_fraud-detection-development-0a1b2c3d4e5f6071"),
        definition(1, type="multinode"),
        definition(1, tags={"owner": "somebody"}),
        definition(1, timeout={"attemptDurationSeconds": 60}),
        definition(1, retryStrategy={"attempts": 2}),
        definition(1, parameters={"input": "s3://in"}),
        of_container(jobRoleArn=None),
        of_container(command=["python"]),
        of_container(memory=2048),
        of_container(resourceRequirements=[{"type": "GPU", "value": "1"}]),
        of_container(logConfiguration={"logDriver": "awslogs"}),
        {**definition(1), "containerProperties": None, "eksProperties": {"podProperties": {}}},
    ],
)
def test_what_somebody_else_made_is_not_propellers(other: dict[str, Any]) -> None:
    assert not revisions.made_by_propeller(other, {ROLE})


def test_the_newest_of_each_image_role_and_platform_stay() -> None:
    # A name is shared by all versions of an image. Propeller knows each version by a revision of its own, however old.
    old = [definition(number, image="trainer:1.0") for number in (1, 3, 4)]
    new = [definition(number, image="trainer:2.0") for number in (2, 9, 10)]
    others = [definition(5, role="theirs"), definition(6, platformCapabilities=["FARGATE"])]
    assert revisions.superseded([*new, *old, *others], 2) == [arn(1), arn(2)]
    assert revisions.superseded([*new, *old, *others], 3) == []


@dataclass
class Clock:
    """What Lambda tells of the time that is left, and the pauses that were made.

    Attributes:
        left: Milliseconds, one entry for each time that somebody asks.
        pauses: In seconds.
    """

    left: list[int] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def get_remaining_time_in_millis(self) -> int:
        return self.left.pop(0) if self.left else 900_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def batch(clock: Clock) -> Iterator[tuple[Batch, Stubber]]:
    """AWS Batch with botocore's own models, and what it is to answer. Every answer must be asked for."""
    client = boto3.client("batch", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        yield Batch(client, Order.of(EVENT).calls_per_second, clock.pauses.append), stubber
        stubber.assert_no_pending_responses()


def answers(stubber: Stubber, made: Sequence[dict[str, Any]], used: Sequence[str]) -> None:
    half = len(made) // 2
    pages = ({"jobDefinitions": made[:half], "nextToken": "more"}, {"jobDefinitions": made[half:]})
    stubber.add_response("describe_job_definitions", pages[0], {"status": "ACTIVE"})
    stubber.add_response("describe_job_definitions", pages[1], {"status": "ACTIVE", "nextToken": "more"})
    for state in STATES:
        jobs = [{"jobId": "job", "jobName": "task", "jobDefinition": one} for one in used if state == "RUNNABLE"]
        stubber.add_response("list_jobs", {"jobSummaryList": jobs}, {"jobQueue": "flyte-spot", "jobStatus": state})


def test_what_is_left_behind_and_not_in_use_goes(batch: tuple[Batch, Stubber], clock: Clock) -> None:
    cleaner, stubber = batch
    answers(stubber, [definition(number) for number in range(1, 7)], used=[arn(2)])
    for number in (1, 3, 4):
        stubber.add_response("deregister_job_definition", {}, {"jobDefinition": arn(number)})
    assert clean(cleaner, Order.of(EVENT), clock) == {
        "found": 6,
        "inUse": 1,
        "deregistered": 3,
        "failed": 0,
        "leftForNextTime": 0,
    }
    # One for each call.
    assert clock.pauses == [0.25] * (2 + len(STATES) + 3)


def test_where_there_is_nothing_to_do_no_job_is_asked_for(batch: tuple[Batch, Stubber], clock: Clock) -> None:
    cleaner, stubber = batch
    stubber.add_response("describe_job_definitions", {"jobDefinitions": [definition(1), definition(2)]})
    assert clean(cleaner, Order.of(EVENT), clock)["deregistered"] == 0


def test_what_there_is_no_time_for_is_left_for_the_next_night(batch: tuple[Batch, Stubber], clock: Clock) -> None:
    cleaner, stubber = batch
    answers(stubber, [definition(number) for number in range(1, 7)], used=[])
    stubber.add_response("deregister_job_definition", {}, {"jobDefinition": arn(1)})
    clock.left = [30_000, 29_999]
    report = clean(cleaner, Order.of(EVENT), clock)
    assert (report["deregistered"], report["leftForNextTime"]) == (1, 3)


def test_what_fails_stops_nothing_else_and_is_told_at_the_end(batch: tuple[Batch, Stubber], clock: Clock) -> None:
    cleaner, stubber = batch
    answers(stubber, [definition(number) for number in range(1, 7)], used=[])
    stubber.add_client_error("deregister_job_definition", "TooManyRequestsException", "slow down")
    for number in (2, 3, 4):
        stubber.add_response("deregister_job_definition", {}, {"jobDefinition": arn(number)})
    with pytest.raises(CleaningError, match=r"1 of 4 revisions could not .*trainer:1: .*slow down"):
        clean(cleaner, Order.of(EVENT), clock)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"jobQueues": None}, "jobQueues is None; it must be a list of at least one name"),
        ({"jobQueues": []}, r"jobQueues is \[\]; it must be"),
        ({"jobRoles": [f"arn:aws:iam::111122223333:role/{ROLE}"]}, "not of ARNs"),
        ({"keep": 0}, "keep is 0; it must be a whole number of at least 1"),
        ({"keep": True}, "keep is True"),
        ({"callsPerSecond": 0}, "callsPerSecond is 0; it must be a number above 0"),
        ({"surprise": 1}, "the event has .*'surprise'.*; it must have"),
    ],
)
def test_an_event_that_cannot_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Order.of({**EVENT, **wrong})
