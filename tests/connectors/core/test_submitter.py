"""How a submission goes on after what may happen to it."""

import asyncio
from typing import Any

import pytest

from flytekit_aws_batch.core import waves
from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.core.definitions import Definitions
from flytekit_aws_batch.core.folder import Folder
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.storage import Storage
from flytekit_aws_batch.core.submitter import Submission, Submitter
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.fake_aws import client_error
from tests.connectors.core.job_requests import SETTINGS, planned, request

PLAN = planned(request())
REGISTERED = PLAN.model_copy(update={"registration": plan(request(), SETTINGS)[1]})
LEASE = 60.0


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld(lease_seconds=LEASE, patience_seconds=5)


def advance(world: KeptWorld, submission: Submission | None = None, seconds: float = 10) -> Submission:
    submission = submission or Submission(waves.first(PLAN))
    submitter = Submitter(world.aws, Storage(world.aws), Definitions(world.aws))
    world.run(submitter.advance(PLAN, submission, world.clock.time + seconds))
    return submission


def test_a_job_is_submitted_and_its_id_written_down(world: KeptWorld) -> None:
    submission = advance(world)
    there = world.run(Folder(Storage(world.aws), PLAN.output_prefix).wave(0))
    assert there is not None
    assert submission.wave.job == there[0].job == world.account.jobs[0].id
    assert world.calls("list_jobs") == 0, "who creates the object need not look"
    assert advance(world).wave.job == submission.wave.job
    assert (world.sample("submits_total", result="submitted"), world.sample("submits_total", result="found")) == (1, 1)


def test_throttling_is_waited_out(world: KeptWorld) -> None:
    world.fates["submit_job"] = ["TooManyRequestsException"] * 3
    submission = advance(world)
    assert submission.over
    assert (world.calls("submit_job"), len(world.account.jobs), world.calls("list_jobs")) == (4, 1, 0)
    assert world.sample("submits_total", result="throttled") == 3


def test_a_job_whose_answer_was_lost_is_found(world: KeptWorld) -> None:
    world.fates["submit_job"] = ["lost"]
    assert advance(world).wave.job == "job-0"
    assert world.calls("submit_job") == 1


def test_after_an_answer_that_says_nothing_the_list_gets_half_a_lease(world: KeptWorld) -> None:
    world.fates["submit_job"] = ["InternalError"]
    submission = advance(world, seconds=LEASE / 2 - 2)
    assert not submission.over
    assert "the answer was lost" in submission.note
    assert world.calls("submit_job") == 1
    assert advance(world, submission, seconds=LEASE / 2).over
    assert world.calls("submit_job") == 2


def test_who_waited_long_writes_the_object_anew_before_it_submits(world: KeptWorld) -> None:
    world.fates["submit_job"] = ["TooManyRequestsException"] * 2
    submission = advance(world, seconds=0.2)
    world.clock.time += LEASE
    puts = world.calls("put_object")
    world.fates["submit_job"] = ["TooManyRequestsException"]
    advance(world, submission, seconds=0.2)
    assert world.calls("put_object") == puts + 1
    advance(world, submission, seconds=0.2)
    assert submission.over


def test_what_another_one_is_submitting_is_left_alone_for_a_lease(world: KeptWorld) -> None:
    world.fates["submit_job"] = ["TooManyRequestsException"]
    lost = advance(world, seconds=0.2)
    assert not lost.over
    other = advance(world)
    assert other.note == "another process of the connector is submitting it"
    assert not world.account.jobs
    world.clock.time += LEASE
    assert advance(world, other).over
    assert world.sample("taken_over_total") == 1
    # The one that was thought to be gone comes back, and finds that it has lost.
    assert advance(world, lost).wave.job == other.wave.job
    assert len(world.account.jobs) == 1


def test_a_lease_of_another_one_is_over_by_the_seconds_of_s3_which_are_whole(world: KeptWorld) -> None:
    world.clock.time += 0.9
    world.fates["submit_job"] = ["TooManyRequestsException"]
    advance(world, seconds=0.2)
    world.clock.time += LEASE - 0.8
    other = advance(world, seconds=0.2)
    assert other.note == "another process of the connector is submitting it", "S3 says 60 s, and it was less"
    world.clock.time += 2
    assert advance(world, other).over


def test_a_job_that_is_submitted_as_the_lease_is_taken_over_is_found(world: KeptWorld) -> None:
    world.fates["submit_job"] = ["TooManyRequestsException"]
    advance(world, seconds=0.2)
    world.clock.time += LEASE + 2
    put = world.answers["put_object"]

    def late(**request: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
        if "IfMatch" in request and not world.account.jobs:
            world.account.carry_out("submit_job", {"jobName": PLAN.job_name(0)})
        return put(**request)

    world.answers["put_object"] = late
    other = advance(world)
    assert world.sample("taken_over_total") == 1
    assert other.wave.job == "job-0"
    assert (len(world.account.jobs), world.calls("submit_job")) == (1, 1)


def test_of_two_jobs_the_one_that_is_not_written_down_is_ended(world: KeptWorld) -> None:
    submit = world.answers["submit_job"]

    def overtaken(**sent: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
        # It took longer than it may: somebody else has taken it over, submitted it and written that down.
        answer = submit(**sent)
        (key,) = (key for key in world.account.objects if key.endswith("wave-0.json"))
        theirs = waves.first(PLAN).model_copy(update={"claim": "theirs", "job": "job-of-theirs"})
        world.account.carry_out("put_object", {"Key": key, "Body": theirs.model_dump_json().encode()})
        return answer

    world.answers["submit_job"] = overtaken
    submission = advance(world)
    assert submission.wave.job == "job-of-theirs"
    assert world.client.of("terminate_job") == [{"jobId": "job-0", "reason": "it was submitted twice"}]
    assert world.account.jobs[0].terminated


def test_a_request_that_its_thread_comes_to_too_late_is_not_sent(world: KeptWorld) -> None:
    exists = world.answers["head_object"]

    def slow(**request: str) -> dict[str, Any]:
        world.clock.time += LEASE / 2
        return exists(**request)

    world.answers["head_object"] = slow
    submission = advance(world, seconds=0.2)
    assert (world.calls("submit_job"), submission.over) == (0, False)
    world.answers["head_object"] = exists
    assert advance(world, submission).over


def test_what_was_stopped_is_not_submitted(world: KeptWorld) -> None:
    world.run(Folder(Storage(world.aws), PLAN.output_prefix).stop("no more"))
    submission = advance(world)
    assert submission.stopped
    assert not world.account.jobs


def test_a_refusal_is_said(world: KeptWorld) -> None:
    world.fates["submit_job"] = ["ClientException"]
    with pytest.raises(CallError, match="ClientException"):
        advance(world)
    assert world.sample("submits_total", result="refused") == 1


class Registering(KeptWorld):
    """A world that keeps job definitions, which submissions see after some time only."""

    def __init__(self, hidden_seconds: float) -> None:
        super().__init__(lease_seconds=LEASE, patience_seconds=5)
        self.definitions = Definitions(self.aws)
        self.registered: list[float] = []
        self.answers["register_job_definition"] = self._register
        self.answers["describe_job_definitions"] = lambda **_: {"jobDefinitions": []}
        submit, self._hidden_seconds = self.answers["submit_job"], hidden_seconds
        self.answers["submit_job"] = lambda **sent: submit(**sent) if self._seen(**sent) else self._unknown(**sent)

    def _register(self, **_: object) -> dict[str, Any]:
        self.registered.append(self.clock.time)
        return {"jobDefinitionArn": f"arn:definition:{len(self.registered)}"}

    def _seen(self, jobDefinition: str, **_: object) -> bool:  # noqa: N803 - Batch's own
        registered = self.registered[int(jobDefinition.rpartition(":")[2]) - 1]
        return self.clock.time >= registered + self._hidden_seconds

    def _unknown(self, jobDefinition: str, **_: object) -> dict[str, Any]:  # noqa: N803 - Batch's own
        message = f"JobDefinition {jobDefinition} not found."
        raise client_error("ClientException", 404, "SubmitJob", message=message)


def test_a_definition_that_was_just_registered_is_waited_for() -> None:
    world = Registering(hidden_seconds=200)
    submission, submitter = Submission(waves.first(PLAN)), Submitter(world.aws, Storage(world.aws), world.definitions)
    world.run(submitter.advance(REGISTERED, submission, world.clock.time + 100))
    assert "does not know its job definition yet: SubmitJob: ClientException: JobDefinition" in submission.note
    world.run(submitter.advance(REGISTERED, submission, world.clock.time + 150))
    assert submission.over
    assert (len(world.account.jobs), len(world.registered)) == (1, 1)
    assert world.sample("submits_total", result="undefined") > 3


def test_a_definition_that_batch_never_knows_is_said_in_the_end() -> None:
    world = Registering(hidden_seconds=float("inf"))
    submission, submitter = Submission(waves.first(PLAN)), Submitter(world.aws, Storage(world.aws), world.definitions)
    began = world.clock.time
    with pytest.raises(CallError, match="not found"):
        world.run(submitter.advance(REGISTERED, submission, began + 3600))
    assert 300 <= world.clock.time - began < 320
    assert len(world.registered) == 2, "after five minutes it is not even listed: that may have been its fault"
    assert (submission.flight, submission.doubt_since) == (None, None), "nothing was submitted"


def test_a_job_that_was_submitted_as_the_question_was_cancelled_is_not_submitted_again(world: KeptWorld) -> None:
    submission = Submission(waves.first(PLAN))
    submitter = Submitter(world.aws, Storage(world.aws), Definitions(world.aws))
    put = world.answers["put_object"]

    async def cancelled_as_it_is_noted() -> None:
        task = asyncio.ensure_future(submitter.advance(PLAN, submission, world.clock.time + 10))

        def noted(**request: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
            if world.account.jobs:
                task.cancel()
                world.answers["put_object"] = put
            return put(**request)

        world.answers["put_object"] = noted
        with pytest.raises(asyncio.CancelledError):
            await task

    world.run(cancelled_as_it_is_noted())
    assert submission.wave.job == "job-0"
    advance(world, submission)
    assert world.calls("submit_job") == len(world.account.jobs) == 1
