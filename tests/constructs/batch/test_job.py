from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import aws_cdk as cdk
import pytest

from aerodrome_constructs.batch import (
    Architecture,
    Container,
    ContainerJob,
    ContainerJobProps,
    ElasticMount,
    HostMount,
    Platform,
)
from tests.templates import REGION, TemplateJson, new_stack, only, synthesized

SCORE = ContainerJobProps(
    name="score",
    container=Container(
        image="public.ecr.aws/docker/library/python:3.13.1",
        command=["python", "score.py", "Ref::input"],
        parameters={"input": "s3://bucket/data.csv"},
        vcpus=2,
        memory_mib=4096,
        timeout=timedelta(minutes=90),
    ),
    job_role_arn="arn:aws:iam::111122223333:role/of-the-code",
    execution_role_arn="arn:aws:iam::111122223333:role/of-ecs",
    log_group_name="/jobs/team",
    log_stream_prefix="score-data",
)
ON_FARGATE = replace(
    SCORE, container=replace(SCORE.container, platform=Platform.FARGATE, vcpus=0.5, memory_mib=1024, ephemeral_gib=50)
)


def made(props: ContainerJobProps) -> TemplateJson:
    stack = new_stack()
    ContainerJob(stack, "Score", props)
    return synthesized(stack)


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    return made(SCORE)


@pytest.fixture(scope="module")
def fargate() -> TemplateJson:
    return made(ON_FARGATE)


def test_a_word_of_the_command_may_stand_elsewhere_in_the_template() -> None:
    script = "import sys\nprint(sys.argv)\n"
    stack = new_stack()
    scripts = cdk.CfnMapping(stack, "Scripts", mapping={"score": {"Text": script}})
    command = ["python", "-c", script, "Ref::input"]
    ContainerJob(
        stack,
        "Score",
        replace(
            SCORE,
            container=replace(SCORE.container, command=command),
            references={script: scripts.find_in_map("score", "Text"), "of another job": "not used"},
        ),
    )
    found = container(synthesized(stack))["Command"]
    assert found == ["python", "-c", {"Fn::FindInMap": ["Scripts", "score", "Text"]}, "Ref::input"]


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


FAILED = [
    ({"status_reason": "Essential container in task exited", "exit_code": "1"}, "EXIT"),
    # What a spot reclaim sends the process, too: the container's own exit is no reclaim.
    ({"status_reason": "Essential container in task exited", "exit_code": "143"}, "EXIT"),
    ({"reason": "OutOfMemoryError: Container killed due to memory usage", "exit_code": "137"}, "EXIT"),
    ({"reason": "CannotPullContainerError: timeout", "status_reason": "Task failed to start"}, "RETRY"),
    ({"reason": "ResourceInitializationError: no secret", "status_reason": "Task failed to start"}, "RETRY"),
]


@pytest.mark.parametrize(
    ("attempt", "action"),
    # What Batch reports when EC2 takes a spot instance back.
    [*FAILED, ({"status_reason": "Host EC2 (instance i-0123456789abcdef0) terminated."}, "RETRY")],
)
def test_a_job_is_tried_again_when_its_host_is_taken_away_and_not_when_it_fails(
    template: TemplateJson, attempt: Mapping[str, str], action: str
) -> None:
    assert what_batch_does(job(template)["RetryStrategy"], **attempt) == action


@pytest.mark.parametrize(
    ("attempt", "action"),
    [
        *FAILED,
        ({"status_reason": "Your Spot Task was interrupted."}, "RETRY"),
        ({"status_reason": "CannotPullContainerError: pull image manifest has been retried 5 time(s)"}, "RETRY"),
        ({"status_reason": "ResourceInitializationError: unable to pull secrets or registry auth"}, "RETRY"),
    ],
)
def test_a_job_on_fargate_is_tried_again_when_its_task_is_taken_away_and_not_when_it_fails(
    fargate: TemplateJson, attempt: Mapping[str, str], action: str
) -> None:
    assert what_batch_does(job(fargate)["RetryStrategy"], **attempt) == action


@pytest.mark.parametrize("props", [SCORE, ON_FARGATE], ids=["instances", "fargate"])
def test_patterns_are_of_the_form_that_batch_takes(props: ContainerJobProps) -> None:
    # At most five conditions; a pattern is at most 512 letters, digits, periods, colons and spaces, with an asterisk at
    # its end only.
    conditions = job(made(props))["RetryStrategy"]["EvaluateOnExit"]
    assert 0 < len(conditions) <= 5
    for condition in conditions:
        patterns = [pattern for part, pattern in condition.items() if part != "Action"]
        assert patterns, "a condition without a pattern is refused"
        for pattern in patterns:
            assert len(pattern) <= 512
            assert all(character.isalnum() or character in ".: " for character in pattern.removesuffix("*"))
    assert conditions[-1] == {"Action": "EXIT", "OnReason": "*"}, "what matches nothing is tried again"


def test_a_job_has_as_many_attempts_as_it_says(template: TemplateJson) -> None:
    assert job(template)["RetryStrategy"]["Attempts"] == 5
    once = replace(SCORE, container=replace(SCORE.container, attempts=1))
    assert job(made(once))["RetryStrategy"]["Attempts"] == 1


def test_an_attempt_ends_in_the_given_time(template: TemplateJson) -> None:
    assert job(template)["Timeout"] == {"AttemptDurationSeconds": 90 * 60}


def test_the_container_gets_what_was_asked(template: TemplateJson) -> None:
    wanted = {one["Type"]: one["Value"] for one in container(template)["ResourceRequirements"]}
    assert wanted == {"VCPU": "2", "MEMORY": "4096"}


def test_a_job_with_gpus_gets_them_to_itself() -> None:
    wanted = container(made(replace(SCORE, container=replace(SCORE.container, gpus=2))))["ResourceRequirements"]
    assert {"Type": "GPU", "Value": "2"} in wanted


def test_a_submission_can_give_other_parameters(template: TemplateJson) -> None:
    assert container(template)["Command"] == ["python", "score.py", "Ref::input"]
    assert job(template)["Parameters"] == {"input": "s3://bucket/data.csv"}


def test_the_job_runs_on_instances_under_its_own_name(template: TemplateJson) -> None:
    assert (job(template)["JobDefinitionName"], job(template)["PlatformCapabilities"]) == ("score", ["EC2"])
    assert not {"NetworkConfiguration", "RuntimePlatform", "EphemeralStorage"} & container(template).keys()


def test_a_job_on_fargate_has_what_only_fargate_takes_and_nothing_that_it_refuses(fargate: TemplateJson) -> None:
    found = container(fargate)
    assert job(fargate)["PlatformCapabilities"] == ["FARGATE"]
    assert found["ResourceRequirements"] == [{"Type": "VCPU", "Value": "0.5"}, {"Type": "MEMORY", "Value": "1024"}]
    assert found["NetworkConfiguration"] == {"AssignPublicIp": "DISABLED"}
    assert found["RuntimePlatform"] == {"CpuArchitecture": "X86_64", "OperatingSystemFamily": "LINUX"}
    assert found["EphemeralStorage"] == {"SizeInGiB": 50}
    assert "Privileged" not in found


def test_a_job_on_fargate_runs_on_the_architecture_of_its_image() -> None:
    arm = replace(ON_FARGATE, container=replace(ON_FARGATE.container, architecture=Architecture.ARM64))
    assert container(made(arm))["RuntimePlatform"]["CpuArchitecture"] == "ARM64"


def test_the_code_has_the_jobs_role_and_ecs_another(template: TemplateJson) -> None:
    found = container(template)
    assert (found["JobRoleArn"], found["ExecutionRoleArn"]) == (SCORE.job_role_arn, SCORE.execution_role_arn)


def test_output_goes_to_the_given_log_group_below_the_jobs_name(template: TemplateJson) -> None:
    assert container(template)["LogConfiguration"] == {
        "LogDriver": "awslogs",
        "Options": {
            "awslogs-group": "/jobs/team",
            "awslogs-region": REGION,
            "awslogs-stream-prefix": "score-data",
        },
    }


def test_costs_of_a_run_are_found_by_the_jobs_tags(template: TemplateJson) -> None:
    assert job(template)["PropagateTags"] is True
    assert job(made(replace(SCORE, tags={"team": "fraud"})))["Tags"] == {"team": "fraud"}


def test_a_definition_goes_to_queues_with_and_without_a_fair_share(template: TemplateJson) -> None:
    assert "SchedulingPriority" not in job(template)


def test_the_container_has_no_more_rights_on_its_host_than_others(template: TemplateJson) -> None:
    assert container(template)["Privileged"] is False


def test_a_program_that_is_not_made_for_it_hears_of_a_reclaim(template: TemplateJson) -> None:
    assert container(template)["LinuxParameters"] == {"InitProcessEnabled": True}


def test_a_container_can_be_read_only_but_for_a_tmp_in_memory() -> None:
    closed = replace(SCORE.container, read_only_root=True, tmp_mib=256, user="1000")
    found = container(made(replace(SCORE, container=closed)))
    assert (found["ReadonlyRootFilesystem"], found["User"]) == (True, "1000")
    assert found["LinuxParameters"]["Tmpfs"] == [{"ContainerPath": "/tmp", "Size": 256}]  # noqa: S108 - the container's


def test_variables_are_in_the_open_and_secrets_by_name_only() -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/database:password::"
    named = replace(SCORE.container, environment={"LOG_LEVEL": "debug"})
    found = container(made(replace(SCORE, container=named, secrets={"DATABASE_PASSWORD": arn})))
    assert found["Environment"] == [{"Name": "LOG_LEVEL", "Value": "debug"}]
    assert found["Secrets"] == [{"Name": "DATABASE_PASSWORD", "ValueFrom": arn}]


def test_a_directory_of_efs_is_reached_through_its_access_point_with_the_jobs_role_over_tls() -> None:
    mount = ElasticMount(path="/mnt/efs", file_system_id="fs-1", access_point_id="fsap-1")
    found = container(made(replace(SCORE, mounts=[mount])))
    (volume,) = found["Volumes"]
    assert found["MountPoints"] == [{"ContainerPath": "/mnt/efs", "SourceVolume": volume["Name"]}]
    assert volume["EfsVolumeConfiguration"] == {
        "FileSystemId": "fs-1",
        "TransitEncryption": "ENABLED",
        "AuthorizationConfig": {"AccessPointId": "fsap-1", "Iam": "ENABLED"},
    }


def test_a_directory_of_the_instance_is_where_the_instance_has_it() -> None:
    found = container(made(replace(SCORE, mounts=[HostMount(path="/mnt/lustre")])))
    (volume,) = found["Volumes"]
    assert volume == {"Name": "mnt-lustre", "Host": {"SourcePath": "/mnt/lustre"}}
    assert found["MountPoints"] == [{"ContainerPath": "/mnt/lustre", "SourceVolume": "mnt-lustre"}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "with a space"}, "up to 128 letters, digits, hyphens and underscores"),
        ({"name": "a" * 129}, "up to 128 letters"),
        ({"container": replace(SCORE.container, attempts=11)}, "job score: attempts=11"),
        (
            {"container": replace(SCORE.container, environment={"KEY": "1"}), "secrets": {"KEY": "arn"}},
            "'KEY' is a variable of environment and of secrets",
        ),
        ({"container": ON_FARGATE.container, "mounts": [HostMount(path="/mnt/lustre")]}, "Fargate has none"),
    ],
)
def test_a_job_that_could_not_run_fails_the_synth(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"^job ") as refused:
        ContainerJob(new_stack(), "Score", replace(SCORE, **changes))
    assert said in str(refused.value)


def test_everything_that_is_wrong_with_a_job_is_said_at_once() -> None:
    wrong = replace(SCORE, name="", container=replace(SCORE.container, attempts=11, memory_mib=1))
    with pytest.raises(ValueError, match=r"^job ") as refused:
        ContainerJob(new_stack(), "Score", wrong)
    assert len(str(refused.value).splitlines()) == 3
