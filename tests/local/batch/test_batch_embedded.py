"""AWS Batch as a user meets it: over boto3, CloudFormation and EventBridge of a running embedded AWS."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, run_command

Template = dict[str, Any]

WAIT_SECONDS = 20.0

NETWORK: Template = {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.77.0.0/16"}},
    "Subnet": {
        "Type": "AWS::EC2::Subnet",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.77.1.0/24"},
    },
}

# Reads an object whose bucket and key are the command's arguments, and writes it back in capitals.
SHOUT = """
import boto3, os, sys
s3 = boto3.client("s3")
bucket, key = sys.argv[1:]
text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
print("read", key, "on", os.environ["AWS_BATCH_CE_NAME"])
s3.put_object(Bucket=bucket, Key=f"out/{key}", Body=text.upper(), Metadata={"job": os.environ["AWS_BATCH_JOB_ID"]})
"""


def compute_environment(kind: str = "EC2", **resources: Any) -> Template:  # noqa: ANN401 - as CloudFormation
    given = {
        "Type": kind,
        "MaxvCpus": 4,
        "Subnets": [{"Ref": "Subnet"}],
        "InstanceRole": "ecsInstanceRole",
        "InstanceTypes": ["c6i"],
        "AllocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED" if kind == "SPOT" else "BEST_FIT_PROGRESSIVE",
        **resources,
    }
    return {"Type": "AWS::Batch::ComputeEnvironment", "Properties": {"Type": "MANAGED", "ComputeResources": given}}


def job_queue(*environments: str, **properties: Any) -> Template:  # noqa: ANN401 - as CloudFormation
    order = [{"Order": order, "ComputeEnvironment": {"Ref": each}} for order, each in enumerate(environments)]
    given = {"Priority": 1, "ComputeEnvironmentOrder": order, **properties}
    return {"Type": "AWS::Batch::JobQueue", "Properties": given}


def job_definition(*command: str, container: Template | None = None, **properties: Any) -> Template:  # noqa: ANN401 - as CloudFormation
    given = {
        "Image": "busybox",
        "Command": list(command),
        "ResourceRequirements": [{"Type": "VCPU", "Value": "1"}, {"Type": "MEMORY", "Value": "2048"}],
        **(container or {}),
    }
    return {
        "Type": "AWS::Batch::JobDefinition",
        "Properties": {"Type": "container", "ContainerProperties": given, **properties},
    }


def eventually(condition: Callable[[], Any], what: str) -> Any:  # noqa: ANN401 - whatever the condition gives
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:g} s: {what}"
        time.sleep(0.02)
    return found


def deploy(stack: Stack, **resources: Template) -> dict[str, str]:
    """Create or update a stack with a network and these resources. Returns their physical IDs, which Ref gives."""
    stack.deploy({**NETWORK, **resources})
    return {name: stack.physical_id(name) for name in resources}


@pytest.fixture
def batch(embedded_aws: EmbeddedAws) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    return embedded_aws.client("batch")


def ended(batch: Any, job_id: str) -> dict[str, Any]:  # noqa: ANN401 - a boto3 client
    def job() -> dict[str, Any] | None:
        (found,) = batch.describe_jobs(jobs=[job_id])["jobs"]
        return found if found["status"] in {"SUCCEEDED", "FAILED"} else None

    found: dict[str, Any] = eventually(job, f"{job_id} has ended")
    return found


def test_a_job_reads_from_s3_and_writes_to_s3(embedded_aws: EmbeddedAws, batch: Any, stack: Stack) -> None:  # noqa: ANN401 - a boto3 client
    s3, logs = embedded_aws.client("s3"), embedded_aws.client("logs")
    log_configuration = {"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Logs"}}}
    ids = deploy(
        stack,
        Spot=compute_environment("SPOT", MaxvCpus=1),
        OnDemand=compute_environment(MaxvCpus=4),
        Queue=job_queue("Spot", "OnDemand"),
        Bucket={"Type": "AWS::S3::Bucket"},
        Logs={"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/test/shout"}},
        Shout=job_definition(
            "python", "-c", SHOUT, "Ref::bucket", "Ref::key", container={"LogConfiguration": log_configuration}
        ),
    )
    s3.put_object(Bucket=ids["Bucket"], Key="greeting", Body=b"hello")
    submitted = batch.submit_job(
        jobName="shout",
        jobQueue=ids["Queue"],
        jobDefinition=ids["Shout"],
        parameters={"bucket": ids["Bucket"], "key": "greeting"},
    )
    job = ended(batch, submitted["jobId"])
    assert job["status"] == "SUCCEEDED", job["container"].get("reason")
    output = s3.get_object(Bucket=ids["Bucket"], Key="out/greeting")
    assert output["Body"].read() == b"HELLO"
    assert output["Metadata"] == {"job": job["jobId"]}
    stream = job["container"]["logStreamName"]
    events = logs.get_log_events(logGroupName="/test/shout", logStreamName=stream)["events"]
    spot = ids["Spot"].rpartition("/")[2]
    assert [event["message"] for event in events] == [f"read greeting on {spot}"]
    for key in ("greeting", "out/greeting"):
        s3.delete_object(Bucket=ids["Bucket"], Key=key)


def test_secrets_and_parameters_reach_the_job(embedded_aws: EmbeddedAws, batch: Any, stack: Stack) -> None:  # noqa: ANN401 - a boto3 client
    embedded_aws.client("ssm").put_parameter(Name="/test/region", Value="north", Type="SecureString")
    secrets = [
        {"Name": "PASSWORD", "ValueFrom": {"Fn::Sub": "${Secret.Id}:password::"}},
        {"Name": "WHOLE", "ValueFrom": {"Fn::GetAtt": ["Secret", "Id"]}},
        {"Name": "PLACE", "ValueFrom": "/test/region"},
    ]
    secret = json.dumps({"password": "hunter2"})
    ids = deploy(
        stack,
        Environment=compute_environment(),
        Queue=job_queue("Environment"),
        Secret={"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": secret}},
        Show=job_definition("sh", "-c", "echo $PASSWORD $PLACE $WHOLE", container={"Secrets": secrets}),
    )
    submitted = batch.submit_job(jobName="show", jobQueue=ids["Queue"], jobDefinition=ids["Show"])
    job = ended(batch, submitted["jobId"])
    assert job["status"] == "SUCCEEDED", job["container"].get("reason")
    (event,) = embedded_aws.client("logs").get_log_events(
        logGroupName="/aws/batch/job", logStreamName=job["container"]["logStreamName"]
    )["events"]
    assert event["message"] == f"hunter2 north {secret}"


def test_state_changes_reach_a_rule(embedded_aws: EmbeddedAws, batch: Any, stack: Stack) -> None:  # noqa: ANN401 - a boto3 client
    pattern = {"source": ["aws.batch"], "detail-type": ["Batch Job State Change"], "detail": {"status": ["FAILED"]}}
    target = {"Arn": {"Fn::GetAtt": ["Events", "Arn"]}, "Id": "events"}
    ids = deploy(
        stack,
        Environment=compute_environment(),
        Queue=job_queue("Environment"),
        Fail=job_definition("sh", "-c", "exit 3", RetryStrategy={"Attempts": 2}),
        Events={"Type": "AWS::SQS::Queue"},
        Rule={"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern, "Targets": [target]}},
    )
    submitted = batch.submit_job(jobName="fail", jobQueue=ids["Queue"], jobDefinition=ids["Fail"])
    sqs = embedded_aws.client("sqs")
    messages = eventually(lambda: sqs.receive_message(QueueUrl=ids["Events"]).get("Messages"), "an event has arrived")
    event = json.loads(messages[0]["Body"])
    assert event["source"] == "aws.batch"
    assert event["detail-type"] == "Batch Job State Change"
    assert event["resources"] == [submitted["jobArn"]]
    assert event["detail"]["status"] == "FAILED"
    assert [attempt["container"]["exitCode"] for attempt in event["detail"]["attempts"]] == [3, 3]
    assert event["detail"]["jobQueue"] == ids["Queue"]


def test_a_compute_environment_changes_in_place_or_is_replaced_before_the_old_one_goes(
    batch: Any,  # noqa: ANN401 - a boto3 client
    stack: Stack,
) -> None:
    def environments() -> dict[str, Any]:
        found = batch.describe_compute_environments()["computeEnvironments"]
        return {each["computeEnvironmentArn"]: each for each in found if stack.name in each["computeEnvironmentName"]}

    first = deploy(stack, Environment=compute_environment(), Queue=job_queue("Environment"))
    arn = first["Environment"]
    in_place = deploy(stack, Environment=compute_environment(MaxvCpus=16), Queue=job_queue("Environment", Priority=7))
    assert in_place["Environment"] == arn
    assert environments()[arn]["computeResources"]["maxvCpus"] == 16
    (queue,) = batch.describe_job_queues(jobQueues=[first["Queue"]])["jobQueues"]
    assert queue["priority"] == 7

    replaced = deploy(
        stack,
        Environment=compute_environment(MaxvCpus=16, InstanceTypes=["m6i"]),
        Queue=job_queue("Environment", Priority=7),
    )
    assert replaced["Environment"] != arn
    assert replaced["Queue"] == first["Queue"]
    (queue,) = batch.describe_job_queues(jobQueues=[first["Queue"]])["jobQueues"]
    assert queue["computeEnvironmentOrder"] == [{"order": 0, "computeEnvironment": replaced["Environment"]}]
    assert list(environments()) == [replaced["Environment"]]

    kept = compute_environment(MaxvCpus=16, InstanceTypes=["r6i"])
    kept["Properties"]["ReplaceComputeEnvironment"] = False
    assert deploy(stack, Environment=kept, Queue=job_queue("Environment", Priority=7)) == replaced
    assert environments()[replaced["Environment"]]["computeResources"]["instanceTypes"] == ["r6i"]


def test_a_job_definition_gets_a_revision_for_each_change(batch: Any, stack: Stack) -> None:  # noqa: ANN401 - a boto3 client
    def statuses() -> dict[str, str]:
        found = batch.describe_job_definitions(jobDefinitionName="revised")["jobDefinitions"]
        return {each["jobDefinitionArn"].rpartition(":")[2]: each["status"] for each in found}

    deploy(stack, Definition=job_definition("true", JobDefinitionName="revised", Tags={"team": "a"}))
    tagged = deploy(stack, Definition=job_definition("true", JobDefinitionName="revised", Tags={"team": "b"}))
    assert batch.list_tags_for_resource(resourceArn=tagged["Definition"])["tags"]["team"] == "b"
    assert statuses() == {"1": "ACTIVE"}
    changed = deploy(stack, Definition=job_definition("false", JobDefinitionName="revised"))
    assert changed["Definition"].endswith(":job-definition/revised:2")
    assert statuses() == {"1": "INACTIVE", "2": "ACTIVE"}
    retention = {"SkipDeregisterOnUpdate": True}
    kept = job_definition("true", "--", JobDefinitionName="revised", ResourceRetentionPolicy=retention)
    deploy(stack, Definition=kept)
    assert statuses() == {"1": "INACTIVE", "2": "ACTIVE", "3": "ACTIVE"}
    stack.delete()
    assert statuses() == {"1": "INACTIVE", "2": "ACTIVE", "3": "INACTIVE"}


def test_a_fair_share_queue_and_its_policy(batch: Any, stack: Stack) -> None:  # noqa: ANN401 - a boto3 client
    def policy(weight: float) -> Template:
        shares = [{"ShareIdentifier": "research", "WeightFactor": weight}]
        properties = {"FairsharePolicy": {"ShareDecaySeconds": 600, "ShareDistribution": shares}}
        return {"Type": "AWS::Batch::SchedulingPolicy", "Properties": properties}

    queue = job_queue("Environment", SchedulingPolicyArn={"Fn::GetAtt": ["Policy", "Arn"]})
    first = deploy(stack, Environment=compute_environment(), Policy=policy(1), Queue=queue)
    second = deploy(stack, Environment=compute_environment(), Policy=policy(0.5), Queue=queue)
    assert first == second
    (found,) = batch.describe_scheduling_policies(arns=[first["Policy"]])["schedulingPolicies"]
    assert found["fairsharePolicy"]["shareDistribution"] == [{"shareIdentifier": "research", "weightFactor": 0.5}]
    (described,) = batch.describe_job_queues(jobQueues=[first["Queue"]])["jobQueues"]
    assert described["schedulingPolicyArn"] == first["Policy"]


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (compute_environment(MaxVcpus=4), "unknown property MaxVcpus"),
        (compute_environment(Subnets=["subnet-00000000000000000"]), "went INVALID with error: CLIENT_ERROR"),
        (job_definition("true", Timeout={"AttemptDurationSeconds": 5}), "must be at least 60"),
    ],
    ids=["misspelt", "no-subnet", "too-short"],
)
def test_a_stack_that_aws_would_refuse_fails_with_the_reason(stack: Stack, resource: Template, reason: str) -> None:
    with pytest.raises(DeployError, match=reason):
        deploy(stack, Resource=resource)


def test_a_job_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    aws = EmbeddedAws.start(tmp_path)
    try:
        stack = aws.stack("survivor")
        script = "test $AWS_BATCH_JOB_ATTEMPT = 2 || sleep 600"
        retry = {"Attempts": 2, "EvaluateOnExit": [{"OnStatusReason": "Host EC2*", "Action": "RETRY"}]}
        ids = deploy(
            stack,
            Environment=compute_environment(),
            Queue=job_queue("Environment"),
            Survive=job_definition("sh", "-c", script, RetryStrategy=retry),
        )
        batch = aws.client("batch")
        job_id = batch.submit_job(jobName="job", jobQueue=ids["Queue"], jobDefinition=ids["Survive"])["jobId"]
        eventually(lambda: batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] == "RUNNING", "the job runs")
        os.kill(json.loads(run_command("status", "--json", state_dir=tmp_path).stdout)["pid"], signal.SIGKILL)
        aws = EmbeddedAws.start(tmp_path)
        job = ended(aws.client("batch"), job_id)
        assert job["status"] == "SUCCEEDED"
        assert job["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")
    finally:
        aws.stop()
