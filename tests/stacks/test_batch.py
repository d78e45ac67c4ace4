import json
from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment
from tests.templates import ROOT, Statement, TemplateJson, only, properties, statements, text, trust, with_id

# AWS Batch's limit for what is submitted and registered.
LARGEST_JOB_DEFINITION = 24 * 1024


@pytest.fixture
def batch(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Batch"]


@pytest.fixture
def job(batch: TemplateJson) -> Mapping[str, Any]:
    return only(batch, "AWS::Batch::JobDefinition")


def queue(batch: TemplateJson, name: str) -> Mapping[str, Any]:
    (found,) = [one for one in properties(batch, "AWS::Batch::JobQueue").values() if one["JobQueueName"] == name]
    return found


def kinds(batch: TemplateJson, name: str) -> list[str]:
    """The kinds of capacity behind a queue, in the order in which it asks them."""
    environments = properties(batch, "AWS::Batch::ComputeEnvironment")
    order = sorted(queue(batch, name)["ComputeEnvironmentOrder"], key=lambda one: int(one["Order"]))
    return [environments[one["ComputeEnvironment"]["Fn::GetAtt"][0]]["ComputeResources"]["Type"] for one in order]


def test_jobs_ask_for_spot_first_and_take_on_demand_where_there_is_none(
    batch: TemplateJson, environment: Environment
) -> None:
    assert kinds(batch, f"aerodrome-{environment.name}-jobs") == ["SPOT", "EC2"]


def test_small_jobs_have_a_queue_that_waits_for_no_instance(batch: TemplateJson, environment: Environment) -> None:
    assert kinds(batch, f"aerodrome-{environment.name}-fargate") == ["FARGATE"]


def test_queues_are_plain_ones_as_flyte_names_no_share(batch: TemplateJson) -> None:
    assert all("SchedulingPolicyArn" not in one for one in properties(batch, "AWS::Batch::JobQueue").values())


def test_capacity_has_the_decided_ceilings(batch: TemplateJson, environment: Environment) -> None:
    ceilings = {
        one["ComputeResources"]["Type"]: one["ComputeResources"]["MaxvCpus"]
        for one in properties(batch, "AWS::Batch::ComputeEnvironment").values()
    }
    decided = environment.batch
    assert ceilings == {"SPOT": decided.spot_vcpus, "EC2": decided.on_demand_vcpus, "FARGATE": decided.fargate_vcpus}


def test_no_job_runs_in_a_public_subnet(batch: TemplateJson) -> None:
    for one in properties(batch, "AWS::Batch::ComputeEnvironment").values():
        subnets = [text(subnet) for subnet in one["ComputeResources"]["Subnets"]]
        assert len(subnets) == 3
        assert all("VpcNodesSubnet" in subnet for subnet in subnets)


def test_output_is_encrypted_and_kept_as_long_as_decided(batch: TemplateJson, environment: Environment) -> None:
    group = only(batch, "AWS::Logs::LogGroup")
    assert group["LogGroupName"] == f"/aerodrome/{environment.name}/batch"
    assert "keys:ExportsOutputFnGetAttLogs" in text(group["KmsKeyId"])
    assert group["RetentionInDays"] >= environment.retention.logs.days


def test_the_training_job_is_small_enough_to_register(job: Mapping[str, Any]) -> None:
    assert len(json.dumps(job)) < LARGEST_JOB_DEFINITION


def test_the_training_job_carries_the_script_that_stands_in_the_repository(job: Mapping[str, Any]) -> None:
    script = (ROOT / "workflows/aerodrome_workflows/train_classifier.py").read_text(encoding="utf-8")
    command = job["ContainerProperties"]["Command"]
    assert command[:3] == ["python", "-c", script]
    assert command[3:] == ["--input", "Ref::input", "--output", "Ref::output"]
    assert "Ref::" not in script, "Batch replaces parameters anywhere in a command"


def test_the_training_jobs_image_is_pinned(job: Mapping[str, Any]) -> None:
    _, _, tag = job["ContainerProperties"]["Image"].rpartition(":")
    assert tag
    assert not tag.startswith("latest")


def of_training_job(batch: TemplateJson) -> list[Statement]:
    found = statements(batch, "TrainingJobRoleDefaultPolicy")
    assert found
    return found


def test_the_training_job_writes_to_the_output_bucket_only(batch: TemplateJson) -> None:
    written = {
        resource
        for statement in of_training_job(batch)
        if any(action.startswith(("s3:Put", "s3:Delete", "s3:Abort")) for action in statement.actions)
        for resource in statement.resources
    }
    assert written
    assert all("BatchOutput" in resource for resource in written)


def test_the_training_job_reads_from_no_other_bucket_than_its_two(batch: TemplateJson) -> None:
    touched = {resource for one in of_training_job(batch) for resource in one.resources if "storage:" in resource}
    assert touched
    assert all("BatchInput" in resource or "BatchOutput" in resource for resource in touched)


def test_ecs_takes_the_training_jobs_role_for_this_account_only(batch: TemplateJson, environment: Environment) -> None:
    (statement,) = trust(with_id(batch, "AWS::IAM::Role", "TrainingJobRole"))
    assert statement.principals == ["ecs-tasks.amazonaws.com"]
    assert statement.conditions == {"StringEquals": {"aws:SourceAccount": environment.account}}
