"""What a connector whose AWS is simulated answers to a create: in time, and with what a later question needs."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import pytest
from flyteidl.core import literals_pb2
from flyteidl.core.execution_pb2 import TaskExecution
from flytekit import task
from flytekit.extend.backend.base_connector import Resource
from flytekit.models.literals import Literal, LiteralMap
from flytekit.models.task import TaskTemplate
from flytekit.tools.translator import get_serializable

from flytekit_aws_batch import AWSBatch, map_task
from flytekit_aws_batch.connector import AWSBatchConnector, BatchJob
from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.request import job_request
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.job_requests import SETTINGS
from tests.connectors.flytekit import batch_tasks
from tests.connectors.flytekit.propeller import SETTINGS as REGISTERED
from tests.connectors.flytekit.propeller import metadata_of

PREFIX = "s3://metadata/f3a9c1/n0/data/0"
RAW = "s3://raw/{project}/{domain}"


@dataclass
class Score:
    """Its type, with a schema, is large."""

    fold: int
    rate: float
    name: str


@task(task_config=AWSBatch(), container_image=batch_tasks.IMAGE)
def score(fold: int) -> Score:
    return Score(fold, 0.5, "a")


scores = map_task(score)


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld(queues=SETTINGS.queues, raw_output_prefix=RAW)


@pytest.fixture
def connector(world: KeptWorld, monkeypatch: pytest.MonkeyPatch) -> AWSBatchConnector:
    monkeypatch.setattr("flytekit_aws_batch.service.Aws", lambda _: world.aws)
    return AWSBatchConnector(world.settings)


def template(made: object, outputs: str = "") -> TaskTemplate:
    """A task as it comes to the connector.

    Args:
        made: The task.
        outputs: What propeller has put in place of the raw output data prefix.
    """
    found: TaskTemplate = get_serializable(OrderedDict(), REGISTERED, made).template
    assert found.container is not None
    found.container._args = [  # noqa: SLF001 - as flytekit's translator does
        each.replace("{{.rawOutputDataPrefix}}", outputs) for each in found.container.args
    ]
    return TaskTemplate.from_flyte_idl(found.to_flyte_idl())


def listed(size: int) -> Literal:
    elements = [literals_pb2.Literal() for _ in range(size)]
    return Literal.from_flyte_idl(literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=elements)))


class Asked:
    """Asks a connector as propeller does.

    Args:
        world: Its AWS.
        connector: The connector.
    """

    def __init__(self, world: KeptWorld, connector: AWSBatchConnector) -> None:
        self._world = world
        self._connector = connector

    def create(self, made: TaskTemplate, inputs: LiteralMap | None = None, *, local: bool = False) -> BatchJob:
        metadata = None if local else metadata_of(made, "f3a9c1")
        job = self._world.run(self._connector.create(made, PREFIX, inputs, metadata))
        return BatchJob.decode(job.encode())

    def get(self, job: BatchJob) -> Resource:
        found: Resource = self._world.run(self._connector.get(job))
        return found


@pytest.fixture
def asked(world: KeptWorld, connector: AWSBatchConnector) -> Asked:
    return Asked(world, connector)


@pytest.mark.parametrize("said", [{}, {"PYTHONUNBUFFERED": ""}])
def test_what_a_job_prints_is_written_at_once_unless_its_author_says_otherwise(said: dict[str, str]) -> None:
    @task(task_config=AWSBatch(), container_image=batch_tasks.IMAGE, environment=said)
    def made(fold: int) -> int:
        return fold

    request = job_request(template(made), PREFIX, None, None)
    assert request.environment["PYTHONUNBUFFERED"] == said.get("PYTHONUNBUFFERED", "1")


def test_an_empty_list_gives_an_empty_list_however_large_its_type_is(asked: Asked) -> None:
    job = asked.create(template(scores), LiteralMap({"fold": listed(0)}))
    given = asked.get(job)
    assert given.phase == TaskExecution.SUCCEEDED
    assert given.outputs == LiteralMap({"o0": listed(0)})


def hang(world: KeptWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no call come back in a minute."""

    async def call(*_: object, **__: object) -> dict[str, Any]:
        await world.clock.pause(60)
        raise AssertionError

    monkeypatch.setattr(world.aws, "call", call)


@pytest.mark.parametrize("made", [batch_tasks.greet, scores], ids=["a function", "a list with a large type"])
def test_an_answer_is_there_within_the_patience_whatever_hangs(
    world: KeptWorld, asked: Asked, monkeypatch: pytest.MonkeyPatch, made: object
) -> None:
    hang(world, monkeypatch)
    began = world.clock.now()
    job = asked.create(template(made), LiteralMap({"fold": listed(3)}))
    assert world.clock.now() - began == pytest.approx(world.settings.patience_seconds)
    assert job.handle.plan is not None
    assert job.expected.types


def test_a_list_that_s3_does_not_give_in_time_is_the_one_error(
    world: KeptWorld, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = literals_pb2.Literal(offloaded_metadata=literals_pb2.LiteralOffloadedMetadata(uri="s3://raw/large"))
    inputs = LiteralMap({"fold": Literal.from_flyte_idl(away)})
    hang(world, monkeypatch)
    began = world.clock.now()
    with pytest.raises(CallError, match="nobody knows how many jobs it is; run it again") as raised:
        asked.create(template(scores), inputs)
    assert raised.value.passes
    assert world.clock.now() - began == pytest.approx(5)


@pytest.mark.parametrize(
    ("outputs", "local", "refused"),
    [
        ("s3://raw/fraud/development/a7/f3a9c1-n0-0", False, False),
        ("s3://raw/fraud/development", False, False),
        ("s3://raw/churn/production/scores", False, True),
        # Nor is what only begins so the project's own.
        ("s3://raw/fraud/development-2/a7", False, True),
        ("s3://raw/", False, True),
        ("s3://raw/churn/production/scores", True, False),
    ],
)
def test_outputs_are_to_be_where_the_project_s_jobs_may_write(
    asked: Asked, outputs: str, *, local: bool, refused: bool
) -> None:
    job = asked.create(template(batch_tasks.count, outputs), local=local)
    said = (
        f"its outputs are to be in {outputs}, and the connector's settings have those of its project and domain below "
        "s3://raw/fraud/development/; leave the raw output data prefix of the execution out, or name one that is "
        "below it"
    )
    assert job.handle.refused == (said if refused else None)
    assert job.expected.below == ("" if local else "s3://raw/fraud/development/")


def test_what_has_begun_goes_on_though_its_outputs_would_be_refused_now(
    world: KeptWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flytekit_aws_batch.service.Aws", lambda _: world.aws)

    def connector(place: str | None) -> AWSBatchConnector:
        return AWSBatchConnector(world.settings.model_copy(update={"raw_output_prefix": place}))

    made = template(batch_tasks.count, "s3://elsewhere/a7")
    Asked(world, connector(None)).create(made)
    again = Asked(world, connector(RAW))
    job = again.create(made)
    assert (job.handle.refused, len(world.account.jobs)) == (None, 1)
    world.set_status("RUNNING")
    assert again.get(job).phase == TaskExecution.RUNNING
    # What it gives is taken from no other place for that.
    world.set_status("SUCCEEDED")
    world.clock.time += 60
    ended = again.get(job)
    assert ended.phase == TaskExecution.FAILED
    assert "its outputs are to be in s3://elsewhere/a7, and the connector's settings" in (ended.message or "")


def test_links_are_shown_while_a_task_waits(world: KeptWorld, asked: Asked) -> None:
    job = asked.create(template(batch_tasks.greet))
    world.set_status("RUNNABLE")
    links = asked.get(job).log_links
    assert links
    assert all(link.ShowWhilePending for link in links)
