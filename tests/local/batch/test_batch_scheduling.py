"""Which job runs next, and on which compute environment."""

from pathlib import Path
from typing import Any

import pytest

Batch = Any  # conftest's class, which a test module cannot import
MakeBatch = Any

TOO_MANY_VCPUS = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU "
    "requirement of the job."
)


def environment_of(job: dict[str, Any]) -> str:
    """The name of the compute environment in the cluster's name: AWSBatch-NAME-UUID."""
    cluster: str = job["container"]["containerInstanceArn"].split("/")[1]
    return cluster.removeprefix("AWSBatch-")[:-37]


def test_jobs_go_to_spot_first_and_to_on_demand_when_spot_is_full(batch: Batch) -> None:
    batch.queue("queue", batch.environment("spot", 2, "SPOT"), batch.environment("on-demand", 2))
    batch.definition("definition", "sleep", "60")
    jobs = [batch.submit("definition") for _ in range(5)]
    for job_id in jobs[:4]:
        batch.until(job_id, "RUNNING")
    assert [environment_of(batch.job(job_id)) for job_id in jobs[:4]] == ["spot", "spot", "on-demand", "on-demand"]
    assert batch.status(jobs[4]) == "RUNNABLE"
    assert "statusReason" not in batch.job(jobs[4]), "waiting for room is nothing wrong"
    assert batch.environment_detail("spot")["computeResources"]["desiredvCpus"] == 2
    batch.call("TerminateJob", jobId=jobs[0], reason="make room")
    assert environment_of(batch.until(jobs[4], "RUNNING")) == "spot"


def test_a_job_is_told_its_compute_environment(batch: Batch) -> None:
    batch.queue("queue", batch.environment("spot", 1, "SPOT"), batch.environment("on-demand", 4))
    batch.definition("definition", "sh", "-c", "echo $AWS_BATCH_CE_NAME", vcpus="2")
    assert batch.log(batch.ended(batch.submit("definition"))) == ["on-demand"]


def test_a_queue_is_first_in_first_out(batch: Batch) -> None:
    batch.simple_queue(vcpus=2)
    batch.definition("small", "true", vcpus="1")
    batch.definition("large", "sleep", "0.3", vcpus="2")
    running, large, small = batch.submit("large"), batch.submit("large"), batch.submit("small")
    ends = [batch.ended(job_id) for job_id in (running, large, small)]
    assert ends[1]["startedAt"] >= ends[0]["stoppedAt"]
    assert ends[2]["startedAt"] >= ends[1]["stoppedAt"], "a small job does not overtake a large one"


def test_a_queue_of_higher_priority_goes_first(batch: Batch) -> None:
    shared = batch.environment("environment", 1)
    batch.queue("low", shared, priority=1)
    batch.queue("high", shared, priority=10)
    batch.definition("definition", "sleep", "0.2")
    first = batch.submit("definition", queue="low")
    batch.until(first, "RUNNING")
    low, high = batch.submit("definition", queue="low"), batch.submit("definition", queue="high")
    assert batch.ended(low)["startedAt"] >= batch.ended(high)["stoppedAt"]


def test_what_a_queue_of_higher_priority_waits_for_is_kept_from_others(batch: Batch, tmp_path: Path) -> None:
    shared = batch.environment("environment", 2)
    batch.queue("low", shared, priority=1)
    batch.queue("high", shared, priority=10)
    gate = tmp_path / "gate"
    batch.definition("holds", "sh", "-c", f"until test -e {gate}; do sleep 0.02; done")
    batch.definition("small", "true")
    batch.definition("large", "true", vcpus="2")
    batch.until(batch.submit("holds", queue="low"), "RUNNING")
    large = batch.submit("large", queue="high")
    # There is a vCPU free, but the large job needs it.
    small = batch.submit("small", queue="low")
    gate.touch()
    assert batch.ended(small)["startedAt"] >= batch.ended(large)["stoppedAt"]


def test_no_more_jobs_run_at_once_than_the_machine_has_slots(make_batch: MakeBatch) -> None:
    batch = make_batch(slots=2)
    batch.simple_queue(vcpus=100)
    batch.definition("definition", "sleep", "0.1")
    assert batch.most_at_once([batch.submit("definition") for _ in range(6)]) == 2


def test_a_job_that_can_never_fit_says_so_and_blocks_the_queue(batch: Batch) -> None:
    batch.simple_queue(vcpus=2)
    batch.definition("large", "true", vcpus="4")
    batch.definition("small", "true")
    large = batch.submit("large")
    assert batch.reason(large) == TOO_MANY_VCPUS
    small = batch.submit("small")
    snapshot = batch.call("GetJobQueueSnapshot", jobQueue="queue")["frontOfQueue"]["jobs"]
    assert [each["jobArn"].rpartition("/")[2] for each in snapshot] == [large, small]
    assert batch.status(small) == "RUNNABLE"
    batch.call("UpdateComputeEnvironment", computeEnvironment="environment", computeResources={"maxvCpus": 4})
    assert batch.ended(large)["status"] == batch.ended(small)["status"] == "SUCCEEDED"
    batch.service.stop()
    blocked = [event for event in batch.backend.events if event[0] == "Batch Job Queue Blocked"]
    ((_, detail, resources),) = blocked
    assert detail["statusReason"] == TOO_MANY_VCPUS
    assert [arn.split(":")[5].split("/")[0] for arn in resources] == ["job", "job-queue"]


@pytest.mark.parametrize(
    ("instance_types", "requirement"),
    [
        (["c6i.large", "c6i.xlarge"], {"type": "VCPU", "value": "4"}),
        (["c6i.4xlarge"], {"type": "VCPU", "value": "16"}),
        (["c6i"], {"type": "VCPU", "value": "64"}),
        (["c6i", "g5.2xlarge"], {"type": "GPU", "value": "1"}),
    ],
)
def test_a_job_runs_where_an_instance_type_is_large_enough(
    batch: Batch, instance_types: list[str], requirement: dict[str, str]
) -> None:
    batch.queue("queue", batch.environment("environment", 64, instanceTypes=instance_types))
    batch.definition("definition", "true")
    job_id = batch.submit("definition", containerOverrides={"resourceRequirements": [requirement]})
    assert batch.ended(job_id)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("requirement", [{"type": "VCPU", "value": "5"}, {"type": "GPU", "value": "1"}])
def test_a_job_waits_where_no_instance_type_is_large_enough(batch: Batch, requirement: dict[str, str]) -> None:
    batch.queue("queue", batch.environment("environment", 64, instanceTypes=["c6i.large", "c6i.xlarge"]))
    batch.definition("definition", "true")
    job_id = batch.submit("definition", containerOverrides={"resourceRequirements": [requirement]})
    reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU)"
    assert batch.reason(job_id).startswith(reason)
    assert batch.status(job_id) == "RUNNABLE"


def test_a_time_limit_cancels_a_job_that_is_stuck_for_its_reason(batch: Batch) -> None:
    def limit(reason: str) -> dict[str, Any]:
        return {"reason": reason, "state": "RUNNABLE", "maxTimeSeconds": 600, "action": "CANCEL"}

    environment = batch.environment("environment", 2)
    batch.queue("queue", environment, jobStateTimeLimitActions=[limit("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")])
    batch.definition("large", "true", vcpus="4")
    batch.definition("small", "true")
    large, small = batch.submit("large"), batch.submit("small")
    assert batch.reason(large) == TOO_MANY_VCPUS
    actions = [limit("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE")]
    batch.call("UpdateJobQueue", jobQueue="queue", jobStateTimeLimitActions=actions)
    job = batch.ended(large)
    assert job["status"] == "FAILED"
    assert job["statusReason"] == (
        "Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
    )
    assert job["stoppedAt"] - job["createdAt"] >= 600, "600 seconds are 0.6 here"
    assert batch.ended(small)["status"] == "SUCCEEDED", "the queue goes on"


def test_a_disabled_compute_environment_takes_no_jobs_and_a_disabled_queue_lets_its_jobs_finish(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "true")
    batch.call("UpdateComputeEnvironment", computeEnvironment="environment", state="DISABLED")
    job_id = batch.submit("definition")
    assert batch.reason(job_id).startswith("ACTION_REQUIRED")
    batch.call("UpdateJobQueue", jobQueue="queue", state="DISABLED")
    batch.call("UpdateComputeEnvironment", computeEnvironment="environment", state="ENABLED")
    assert batch.ended(job_id)["status"] == "SUCCEEDED"


def fair_share_queue(batch: Batch, **policy: Any) -> None:  # noqa: ANN401 - as AWS
    arn = batch.call("CreateSchedulingPolicy", name="policy", fairsharePolicy=policy)["arn"]
    batch.queue("queue", batch.environment("environment", 4), schedulingPolicyArn=arn)


def started_shares(batch: Batch, jobs: list[str]) -> list[str]:
    """The shares of the jobs in the order in which they started."""
    ended = [batch.ended(job_id) for job_id in jobs]
    order = {job_id: number for number, job_id in enumerate(started_order(batch))}
    return [job["shareIdentifier"] for job in sorted(ended, key=lambda job: order[job["jobId"]])]


def started_order(batch: Batch) -> list[str]:
    with batch.backend.lock:
        return [detail["jobId"] for _, detail, _ in batch.backend.events if detail["status"] == "STARTING"]


def test_shares_take_turns_by_what_they_use_and_weigh(make_batch: MakeBatch, tmp_path: Path) -> None:
    # One job at a time, so that the order of starting shows the order of claims.
    batch = make_batch(slots=1, time_scale=1.0)
    weights = [{"shareIdentifier": "A", "weightFactor": 1.0}, {"shareIdentifier": "B*", "weightFactor": 0.25}]
    fair_share_queue(batch, shareDecaySeconds=3600, shareDistribution=weights)
    gate = tmp_path / "gate"
    batch.definition("gate", "sh", "-c", f"until test -e {gate}; do sleep 0.01; done", schedulingPriority=0)
    batch.definition("definition", "sleep", "0.05", schedulingPriority=0)
    first = batch.submit("gate", shareIdentifier="Z")
    jobs = [batch.submit("definition", shareIdentifier="A") for _ in range(5)]
    jobs += [batch.submit("definition", shareIdentifier="B1") for _ in range(5)]
    gate.touch()
    assert batch.ended(first)["status"] == "SUCCEEDED"
    # Both shares have used nothing: the older job goes first. Then B may use four times what A has used.
    order = started_shares(batch, jobs)
    assert order[:2] == ["A", "B1"]
    assert order[:6].count("B1") >= 4


def test_within_a_share_priority_decides(make_batch: MakeBatch) -> None:
    batch = make_batch(slots=1)
    fair_share_queue(batch)
    batch.definition("definition", "sleep", "0.1", schedulingPriority=1)
    first, low = (batch.submit("definition", shareIdentifier="A") for _ in range(2))
    batch.until(first, "RUNNING")
    high = batch.submit("definition", shareIdentifier="A", schedulingPriorityOverride=9)
    assert batch.ended(low)["startedAt"] >= batch.ended(high)["stoppedAt"]
    assert batch.job(high)["schedulingPriority"] == 9


def test_a_reservation_keeps_room_for_shares_that_have_no_job_yet(batch: Batch) -> None:
    fair_share_queue(batch, computeReservation=50)
    batch.definition("definition", "sleep", "0.1", schedulingPriority=0)
    # 50 % of 4 vCPUs are kept while one share is active.
    assert batch.most_at_once([batch.submit("definition", shareIdentifier="A") for _ in range(4)]) == 2
    # 25 % (50 % of 50 %) while two are.
    shares = ("A", "B") * 4
    assert batch.most_at_once([batch.submit("definition", shareIdentifier=share) for share in shares]) == 3
