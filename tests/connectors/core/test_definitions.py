import asyncio
import copy
import json
import random
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.core.call_errors import call_error
from flytekit_aws_batch.core.definitions import Definitions, definition_name, is_unknown
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.spec import EfsMount, JobSpec, Resources, SecretVariable
from tests.connectors.core.fake_aws import World, client_error
from tests.connectors.core.job_requests import (
    ACCOUNT,
    JOB_ROLE,
    REQUEST,
    SETTINGS,
    array,
    definition_arn,
    objections,
    request,
)

LOST = ReadTimeoutError(endpoint_url="https://batch.example")


def definition(asked: JobRequest = REQUEST, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    return plan(asked, SETTINGS.model_copy(update=settings))[1]


def shuffled(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same JSON, whose objects were written down in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        random.Random(1).shuffle(items)  # noqa: S311 - an order, the same in every run
        return {name: shuffled(each) for name, each in items}
    return [shuffled(each) for each in value] if isinstance(value, list) else value


class Batch(World):
    """An AWS that keeps job definitions, a page each, and fails as often as it is told."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - any setting
        super().__init__(chance=1.0, **settings)
        self.kept: list[dict[str, Any]] = []
        self.lost_answers = 0
        self.hidden = False
        self.refusals: list[Exception] = []
        self.answers["describe_job_definitions"] = self._describe
        self.answers["register_job_definition"] = self._register
        self.definitions = Definitions(self.aws)

    def _describe(self, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
        if self.hidden:
            return {"jobDefinitions": []}
        if "jobDefinitions" in asked:
            return {
                "jobDefinitions": [each for each in self.kept if each["jobDefinitionArn"] in asked["jobDefinitions"]]
            }
        wanted = (asked["jobDefinitionName"], asked["status"])
        found = [each for each in self.kept if (each["jobDefinitionName"], each["status"]) == wanted]
        place = int(asked.get("nextToken", "0"))
        more = {"nextToken": str(place + 1)} if place + 1 < len(found) else {}
        return {"jobDefinitions": found[place : place + 1], **more}

    def _register(self, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
        assert objections("RegisterJobDefinition", parameters) == []
        if self.refusals:
            raise self.refusals.pop(0)
        name = parameters["jobDefinitionName"]
        revision = 1 + sum(each["jobDefinitionName"] == name for each in self.kept)
        self.kept.append(
            {
                "jobDefinitionName": name,
                "jobDefinitionArn": definition_arn(parameters, revision),
                "revision": revision,
                "status": "ACTIVE",
            }
        )
        if self.lost_answers:
            self.lost_answers -= 1
            raise LOST
        return self.kept[-1]

    def ensure(self, *requests: dict[str, Any]) -> list[str]:
        async def all_at_once() -> list[str]:
            return await asyncio.gather(*(self.definitions.ensure(each) for each in requests))

        return self.run(all_at_once())


def test_a_name_says_whose_it_is_and_is_one_that_batch_takes() -> None:
    assert definition()["jobDefinitionName"].startswith("aerodrome-dev-flyte-fraud-development-")
    name = definition_name({"jobDefinitionName": "__Über uns." * 30, "type": "container"})
    assert len(name) == 128
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    assert name[0].isalnum()
    assert definition_name({"jobDefinitionName": "??"}).startswith("job-")


def test_the_name_does_not_depend_on_the_order_of_anything_that_has_none() -> None:
    made = definition(request(JobSpec(queue="fargate", tags={"a": "b"}, secrets={"A": SecretVariable(secret="db")})))
    content = {**made, "jobDefinitionName": "x"}
    other = shuffled(content)
    assert json.dumps(other) != json.dumps(content)
    assert definition_name(other) == definition_name(content)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, each in items for leaf in leaves(each, (*path, key))]
    return [path]


def test_each_part_of_a_definition_counts_towards_its_name() -> None:
    spec = JobSpec(mounts=(EfsMount(path="/a", file_system="shared"),), secrets={"A": SecretVariable(secret="db")})
    made = {**definition(request(spec)), "jobDefinitionName": "x"}
    paths = [path for path in leaves(made) if path != ("jobDefinitionName",)]
    assert len(paths) > 15
    names = {definition_name(made)}
    for path in paths:
        changed = copy.deepcopy(made)
        place = changed
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = "changed"
        names.add(definition_name(changed))
    assert len(names) == len(paths) + 1


@pytest.mark.parametrize(
    "asked",
    [
        request(execution="other", node="n9", attempt=3, output_prefix="s3://elsewhere"),
        request(command=("other",), environment={"OTHER": "1"}),
        request(retries=5, timeout_seconds=60),
        request(interruptible=False),
        request(array=array(500)),
        request(JobSpec(reclaims=1, priority=9, share="risk", tags={"team": "risk"})),
    ],
)
def test_what_differs_from_run_to_run_makes_no_definition(asked: JobRequest) -> None:
    assert definition(asked) == definition()


@pytest.mark.parametrize(
    "asked",
    [
        request(image="other:2"),
        request(resources=Resources(vcpus=4, memory_mib=4096)),
        request(resources=Resources(vcpus=2, memory_mib=8192)),
        request(job_role=f"arn:aws:iam::{ACCOUNT}:role/other"),
        request(project="other"),
        request(domain="training"),
        request(JobSpec(execution_role=JOB_ROLE)),
        request(JobSpec(shared_memory_mib=128)),
        request(JobSpec(nodes=2)),
        request(JobSpec(queue="fargate")),
        request(JobSpec(secrets={"A": SecretVariable(secret="db")})),
        request(JobSpec(mounts=(EfsMount(path="/a", file_system="shared"),))),
    ],
)
def test_another_shape_is_another_definition(asked: JobRequest) -> None:
    assert definition(asked)["jobDefinitionName"] != definition()["jobDefinitionName"]


def test_a_definition_is_registered_once_however_many_ask_for_it() -> None:
    batch = Batch()
    one, other = definition(), definition(request(image="other:2"))
    arns = batch.ensure(*[one, other] * 50)
    assert set(arns) == {definition_arn(one), definition_arn(other)}
    assert len(batch.kept) == 2
    calls = len(batch.client.calls)
    batch.ensure(one, other)
    assert len(batch.client.calls) == calls


def test_after_a_restart_it_is_found_again() -> None:
    batch = Batch()
    batch.ensure(definition())
    batch.definitions = Definitions(batch.aws)
    assert batch.ensure(definition()) == [definition_arn(definition())]
    assert len(batch.client.of("register_job_definition")) == 1


def test_of_two_revisions_all_take_the_first_that_is_active() -> None:
    batch = Batch()
    for _ in range(3):
        batch.answers["register_job_definition"](**definition())
    batch.kept[0]["status"] = "INACTIVE"
    batch.kept.reverse()
    assert batch.ensure(definition()) == [definition_arn(definition(), 2)]


def test_a_registration_whose_answer_is_lost_is_not_made_twice() -> None:
    batch = Batch()
    batch.lost_answers = 1
    assert batch.ensure(definition()) == [definition_arn(definition())]
    assert len(batch.kept) == 1


def test_throttling_is_waited_out() -> None:
    batch = Batch()
    batch.refusals = [client_error("TooManyRequestsException", 429)] * 3
    assert batch.ensure(definition()) == [definition_arn(definition())]
    assert batch.clock.now() > 1003


def test_what_batch_refuses_is_said_to_all_and_tried_again_by_the_next() -> None:
    batch = Batch()
    batch.refusals = [client_error("ClientException", 400)]

    async def both() -> list[str | BaseException]:
        asked = (batch.definitions.ensure(definition()) for _ in range(2))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [type(each) for each in batch.run(both())] == [CallError, CallError]
    assert batch.ensure(definition()) == [definition_arn(definition())]


def test_what_lasts_longer_than_the_patience_is_said() -> None:
    batch = Batch(patience_seconds=10)
    batch.refusals = [client_error("TooManyRequestsException", 429)] * 100
    with pytest.raises(CallError, match="TooManyRequests"):
        batch.ensure(definition())
    assert batch.clock.now() <= 1010


def test_one_that_was_deregistered_is_made_anew_once_for_all() -> None:
    batch = Batch()
    (first,) = batch.ensure(definition())
    batch.kept[0]["status"] = "INACTIVE"
    assert batch.ensure(definition()) == [first]
    for _ in range(2):
        assert batch.run(batch.definitions.renewed(definition(), first))
    assert batch.ensure(definition()) == [definition_arn(definition(), 2)]
    assert len(batch.kept) == 2


def test_one_that_was_just_registered_is_not_registered_again_because_batch_does_not_list_it_yet() -> None:
    batch = Batch()
    (first,) = batch.ensure(definition())
    batch.hidden = True
    assert not batch.run(batch.definitions.renewed(definition(), first))
    assert len(batch.kept) == 1
    batch.clock.time += 301
    assert batch.run(batch.definitions.renewed(definition(), first)), "by then it would be listed if it were there"
    assert len(batch.kept) == 2


def test_one_that_was_found_is_looked_for_once_more() -> None:
    batch = Batch()
    (first,) = batch.ensure(definition())
    batch.definitions = Definitions(batch.aws)
    assert batch.ensure(definition()) == [first]
    assert not batch.run(batch.definitions.renewed(definition(), first))
    assert len(batch.kept) == 1


@pytest.mark.parametrize(
    ("message", "status", "unknown"),
    [
        ("JobDefinition arn:aws:batch:eu-west-1:1:job-definition/a:1 not found.", 400, True),
        ("JobDefinition name a does not exist or is not in ACTIVE status", 400, True),
        ("said AWS", 404, True),
        ("JobQueue arn:aws:batch:eu-west-1:1:job-queue/a not found.", 404, False),
        ("a job definition of type multinode takes no containerOverrides", 400, False),
        ("said AWS", 400, False),
    ],
)
def test_what_batch_says_of_a_definition_that_it_does_not_know(message: str, status: int, *, unknown: bool) -> None:
    error = call_error("SubmitJob", client_error("ClientException", status, message=message))
    assert error is not None
    assert is_unknown(error) is unknown


def test_the_prefix_is_that_of_the_settings() -> None:
    assert definition(definition_prefix=Settings().definition_prefix)["jobDefinitionName"].startswith("flyte-fraud-")
