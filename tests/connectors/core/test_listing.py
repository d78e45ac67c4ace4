"""Jobs found by their names, and children of arrays, in lists as Batch gives them."""

import dataclasses
from typing import Any

import pytest

from flytekit_aws_batch.core import listing, waves
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.plan import Plan
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.fake_aws import detail
from tests.connectors.core.job_requests import planned, request

PLAN = planned(request())
NAME = PLAN.job_name(0)


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld()


def submit(world: KeptWorld, *names: str) -> None:
    """Jobs of these names, a minute between each and the next."""
    for name in names:
        world.clock.time += 60
        world.client.submit_job(jobName=name)


def found(world: KeptWorld, plan: Plan = PLAN) -> str | None:
    return world.run(listing.find(world.aws, plan, waves.first(plan)))


def test_of_two_jobs_of_a_name_the_first_is_everybody_s(world: KeptWorld) -> None:
    assert found(world) is None
    submit(world, NAME, NAME)
    assert found(world) == "job-0"


def test_a_name_in_other_letters_is_another_job_s(world: KeptWorld) -> None:
    submit(world, NAME.upper())
    assert found(world) is None
    submit(world, NAME)
    assert found(world) == "job-1"


def test_jobs_whose_names_begin_so_are_found_the_first_one_first(world: KeptWorld) -> None:
    submit(world, "one-1-0", "one-0-0", "ONE-0-0", "other", "one-0-1")
    named = world.run(listing.named(world.aws, PLAN.queue, "one-*"))
    assert [each.name for each in named] == ["one-1-0", "one-0-0", "one-0-1"]
    asked = world.client.of("list_jobs")[-1]
    assert asked["filters"] == [{"name": "JOB_NAME", "values": ["one-*"]}]
    # With a filter Batch gives no more at once.
    assert (asked["jobQueue"], asked["maxResults"]) == (PLAN.queue, 100)


def test_a_job_of_which_batch_does_not_say_yet_when_it_came_is_the_last(world: KeptWorld) -> None:
    jobs = [{"jobId": "new", "jobName": NAME}, {"jobId": "old", "jobName": NAME, "createdAt": 5}]
    world.answers["list_jobs"] = lambda **_: {"jobSummaryList": jobs}
    assert found(world) == "old"


def test_the_last_queue_is_looked_at_for_a_wave_that_went_there(world: KeptWorld) -> None:
    plan = PLAN.model_copy(update={"last_queue": "arn:aws:batch:eu-west-1:1:job-queue/on-demand"})
    wave = waves.first(plan)
    for each in (wave, wave.model_copy(update={"last": True})):
        world.run(listing.find(world.aws, plan, each))
    assert [asked["jobQueue"] for asked in world.client.of("list_jobs")] == [plan.queue, plan.last_queue]


def test_every_page_is_read(world: KeptWorld) -> None:
    pages: dict[str | None, dict[str, Any]] = {
        None: {"jobSummaryList": [{"jobId": "a:0", "arrayProperties": {"index": 0}}], "nextToken": "more"},
        "more": {"jobSummaryList": [{"jobId": "a:7", "arrayProperties": {"index": 7}}]},
    }
    world.answers["list_jobs"] = lambda nextToken=None, **_: pages[nextToken]  # noqa: N803 - as boto names it
    array = JobState.of(detail("a", "FAILED", arrayProperties={"size": 9}))
    assert world.run(listing.failed_children(world.aws, array)).keys() == {0, 7}
    assert world.run(listing.succeeded_children(world.aws, array)) == {0, 7}
    asked = [(each["arrayJobId"], each["jobStatus"], each["maxResults"]) for each in world.client.of("list_jobs")]
    assert asked == [("a", "FAILED", 1000)] * 2 + [("a", "SUCCEEDED", 1000)] * 2


def test_a_child_is_told_by_how_it_ended_itself(world: KeptWorld) -> None:
    summary = {"FAILED": 1, "SUCCEEDED": 1}
    array = JobState.of(detail("a", "FAILED", arrayProperties={"size": 2, "statusSummary": summary}, isTerminated=True))
    child = {
        "jobId": "a:1",
        "arrayProperties": {"index": 1},
        "statusReason": "Essential container in task exited",
        "container": {"exitCode": 137, "reason": "OutOfMemoryError"},
        "isCancelled": True,
    }
    world.answers["list_jobs"] = lambda **_: {"jobSummaryList": [child]}
    expected = dataclasses.replace(
        array,
        id="a:1",
        status_reason="Essential container in task exited",
        exit_code=137,
        reason="OutOfMemoryError",
        size=0,
        summary={},
        is_cancelled=True,
        is_terminated=False,
    )
    assert world.run(listing.failed_children(world.aws, array)) == {1: expected}
