from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from aerodrome_constructs.batch import ContainerJob, ContainerJobProps
from tests.templates import TemplateJson, new_stack, only, statements, synthesized, text


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    ContainerJob(
        stack,
        "Score",
        ContainerJobProps(
            name="score",
            image="public.ecr.aws/docker/library/python:3.11",
            command=["python", "score.py", "Ref::input"],
            parameters={"input": "s3://bucket/data.csv"},
            vcpus=2,
            memory_mib=4096,
            timeout=timedelta(minutes=90),
            job_role=iam.Role(stack, "JobRole", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com")),
            log_group=logs.LogGroup(stack, "Logs"),
        ),
    )
    return synthesized(stack)


def job(template: TemplateJson) -> Mapping[str, Any]:
    return only(template, "AWS::Batch::JobDefinition")


def container(template: TemplateJson) -> Mapping[str, Any]:
    found: Mapping[str, Any] = job(template)["ContainerProperties"]
    return found


def what_batch_does(retry: Mapping[str, Any], *, reason: str = "", status_reason: str = "", exit_code: str = "") -> str:
    """What AWS Batch does after an attempt: the action of the first condition of which every part matches."""
    seen = {"OnReason": reason, "OnStatusReason": status_reason, "OnExitCode": exit_code}
    for condition in retry["EvaluateOnExit"]:
        if all(fnmatchcase(seen[part], pattern) for part, pattern in condition.items() if part != "Action"):
            return str(condition["Action"])
    return "RETRY"


@pytest.mark.parametrize(
    ("attempt", "action"),
    [
        # What Batch reports when EC2 takes a spot instance back.
        ({"status_reason": "Host EC2 (instance i-0123456789abcdef0) terminated."}, "RETRY"),
        ({"status_reason": "Essential container in task exited", "exit_code": "1"}, "EXIT"),
        ({"reason": "OutOfMemoryError: Container killed due to memory usage", "exit_code": "137"}, "EXIT"),
        ({"reason": "CannotPullContainerError: manifest unknown", "status_reason": "Task failed to start"}, "EXIT"),
    ],
    ids=["reclaimed", "failed", "out of memory", "no such image"],
)
def test_a_job_is_retried_when_its_host_is_taken_away_and_not_when_it_fails(
    template: TemplateJson, attempt: Mapping[str, str], action: str
) -> None:
    assert what_batch_does(job(template)["RetryStrategy"], **attempt) == action


def test_patterns_are_of_the_form_that_batch_takes(template: TemplateJson) -> None:
    # At most five conditions; a pattern is at most 512 characters, with an asterisk at its end only.
    conditions = job(template)["RetryStrategy"]["EvaluateOnExit"]
    assert 0 < len(conditions) <= 5
    for condition in conditions:
        patterns = [pattern for part, pattern in condition.items() if part != "Action"]
        assert patterns, "a condition without a pattern is refused"
        assert all(len(pattern) <= 512 and "*" not in pattern[:-1] for pattern in patterns)


def test_a_job_has_several_attempts_within_what_batch_allows(template: TemplateJson) -> None:
    assert 1 < job(template)["RetryStrategy"]["Attempts"] <= 10


def test_an_attempt_ends_in_the_given_time(template: TemplateJson) -> None:
    assert job(template)["Timeout"] == {"AttemptDurationSeconds": 90 * 60}


def test_the_container_gets_what_was_asked(template: TemplateJson) -> None:
    wanted = {one["Type"]: one["Value"] for one in container(template)["ResourceRequirements"]}
    assert wanted == {"VCPU": "2", "MEMORY": "4096"}


def test_a_submission_can_give_other_parameters(template: TemplateJson) -> None:
    assert container(template)["Command"] == ["python", "score.py", "Ref::input"]
    assert job(template)["Parameters"] == {"input": "s3://bucket/data.csv"}


def test_the_job_runs_on_instances_under_its_own_name(template: TemplateJson) -> None:
    assert (job(template)["JobDefinitionName"], job(template)["PlatformCapabilities"]) == ("score", ["EC2"])


def test_the_code_has_the_jobs_role_and_the_agent_another(template: TemplateJson) -> None:
    found = container(template)
    assert text(found["JobRoleArn"]).startswith("${JobRole")
    assert "ExecutionRole" in text(found["ExecutionRoleArn"])


def test_the_agent_may_write_the_jobs_log_and_nothing_else(template: TemplateJson) -> None:
    (statement,) = statements(template, "ExecutionRoleDefaultPolicy")
    assert statement.actions == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert all(resource.startswith("${Logs") for resource in statement.resources)


def test_output_goes_to_the_given_log_group_below_the_jobs_name(template: TemplateJson) -> None:
    options = container(template)["LogConfiguration"]["Options"]
    assert text(options["awslogs-group"]).startswith("${Logs")
    assert options["awslogs-stream-prefix"] == "score"


def test_costs_of_a_run_are_found_by_the_jobs_tags(template: TemplateJson) -> None:
    assert job(template)["PropagateTags"] is True


def test_the_container_has_no_more_rights_on_its_host_than_others(template: TemplateJson) -> None:
    assert not container(template).get("Privileged", False)
