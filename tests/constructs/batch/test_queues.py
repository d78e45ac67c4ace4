from typing import Any

import pytest

from aerodrome_constructs.batch import (
    BatchCompute,
    BatchComputeProps,
    Ceilings,
    FairShareProps,
    HostMetrics,
    QueueProps,
    fair_share,
    job_queue,
)
from tests.constructs.surroundings import NODE_SUBNETS, vpc_in
from tests.templates import TemplateJson, new_stack, only, synthesized, text, with_id


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    compute = BatchCompute(
        stack,
        "Compute",
        BatchComputeProps(
            vpc=vpc_in(stack),
            subnets=NODE_SUBNETS,
            metrics=HostMetrics(namespace="Tests/Hosts", dimensions={}),
            x86=Ceilings(spot=64, on_demand=32),
            fargate=Ceilings(spot=16, on_demand=8),
        ),
    )
    shares = fair_share(
        stack,
        "Shares",
        FairShareProps(weights={"alpha": 1, "beta": 4, "gamma": 3, "delta": 100}, reserved_percent=20),
    )
    behind = [compute.environments["Spot"], compute.environments["OnDemand"]]
    job_queue(stack, "Shared", QueueProps(name="shared", priority=300, environments=behind, scheduling_policy=shares))
    job_queue(stack, "Plain", QueueProps(name="plain", priority=100, environments=behind[1:]))
    return synthesized(stack)


def queue(template: TemplateJson, name: str) -> Any:  # noqa: ANN401 - any JSON value
    return with_id(template, "AWS::Batch::JobQueue", name)


def test_jobs_are_offered_to_compute_environments_in_the_order_given(template: TemplateJson) -> None:
    order = [
        (one["Order"], text(one["ComputeEnvironment"])[:-9])
        for one in queue(template, "Shared")["ComputeEnvironmentOrder"]
    ]
    assert order == [(1, "${ComputeSpot"), (2, "${ComputeOnDemand")]
    assert (queue(template, "Shared")["JobQueueName"], queue(template, "Shared")["Priority"]) == ("shared", 300)


def test_a_share_gets_as_much_as_its_weight_says(template: TemplateJson) -> None:
    policy = only(template, "AWS::Batch::SchedulingPolicy")["FairsharePolicy"]
    factors = {one["ShareIdentifier"]: one["WeightFactor"] for one in policy["ShareDistribution"]}
    # Batch's factor is the other way round, and has four decimals.
    assert factors == {"alpha": 1, "beta": 0.25, "gamma": 0.3333, "delta": 0.01}
    assert policy["ComputeReservation"] == 20


def test_what_a_share_used_is_remembered_for_longer_than_batch_does_by_itself(template: TemplateJson) -> None:
    policy = only(template, "AWS::Batch::SchedulingPolicy")["FairsharePolicy"]
    assert 600 < policy["ShareDecaySeconds"] <= 604_800


def test_only_a_queue_with_shares_asks_jobs_for_theirs(template: TemplateJson) -> None:
    assert text(queue(template, "Shared")["SchedulingPolicyArn"]).startswith("${Shares")
    assert "SchedulingPolicyArn" not in queue(template, "Plain")


@pytest.mark.parametrize("name", ["Shared", "Plain"])
def test_a_job_that_waits_in_vain_is_cancelled_and_one_that_waits_for_capacity_is_not(
    template: TemplateJson, name: str
) -> None:
    actions = queue(template, name)["JobStateTimeLimitActions"]
    assert {one["Reason"] for one in actions} == {
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    }
    assert {(one["State"], one["Action"], one["MaxTimeSeconds"]) for one in actions} == {("RUNNABLE", "CANCEL", 600)}
