"""What a client of AWS Batch uses of it, through boto3 and with real secrets, logs and tags."""

import json
import time
from typing import Any

import pytest

from aerodrome_local.job_templates import queue_resources
from aerodrome_local.testing import EmbeddedAws, Stack

Template = dict[str, Any]
Client = Any  # boto3 makes the class at run time

PREFIX = "traits"
WAIT_SECONDS = 20.0


@pytest.fixture
def batch(embedded_aws: EmbeddedAws) -> Client:
    return embedded_aws.client("batch")


@pytest.fixture
def queue(stack: Stack) -> str:
    """A queue of On-Demand Instances."""
    stack.deploy(queue_resources(vcpus=8))
    return stack.physical_id("Queue")


def container(script: str, **members: Any) -> Template:  # noqa: ANN401 - as AWS
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}]
    return {"image": "busybox", "command": ["sh", "-c", script], "resourceRequirements": requirements, **members}


def register(batch: Client, name: str, script: str, **members: Any) -> str:  # noqa: ANN401 - as AWS
    answer = batch.register_job_definition(
        jobDefinitionName=f"{PREFIX}-{name}", type="container", containerProperties=container(script, **members)
    )
    return str(answer["jobDefinitionArn"])


def ended(batch: Client, job_id: str) -> Template:
    """The job once it has ended."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        job: Template = batch.describe_jobs(jobs=[job_id])["jobs"][0]
        if job["status"] in {"SUCCEEDED", "FAILED"}:
            return job
        assert time.monotonic() < deadline, f"not ended within {WAIT_SECONDS:g} s: {job}"
        time.sleep(0.02)


def lines(embedded_aws: EmbeddedAws, stream: str) -> list[str]:
    events = embedded_aws.client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)["events"]
    return [event["message"] for event in events]


def test_a_secrets_arn_may_name_a_key_a_stage_and_a_version(
    embedded_aws: EmbeddedAws, batch: Client, queue: str
) -> None:
    secrets = embedded_aws.client("secretsmanager")
    first = secrets.create_secret(Name=f"{PREFIX}/login", SecretString=json.dumps({"user": "old", "port": 1}))
    secrets.put_secret_value(SecretId=first["ARN"], SecretString=json.dumps({"user": "new", "port": 2}))
    wanted = {
        "CURRENT": ":user::",
        "PREVIOUS": ":user:AWSPREVIOUS:",
        "VERSION": f":user::{first['VersionId']}",
        "NUMBER": ":port::",
    }
    definition = register(
        batch,
        "secrets",
        "echo $CURRENT $PREVIOUS $VERSION $NUMBER",
        secrets=[{"name": name, "valueFrom": first["ARN"] + suffix} for name, suffix in wanted.items()],
    )
    job = ended(batch, batch.submit_job(jobName="secrets", jobQueue=queue, jobDefinition=definition)["jobId"])
    assert job["status"] == "SUCCEEDED", job["container"].get("reason")
    assert lines(embedded_aws, job["container"]["logStreamName"]) == ["new old old 2"]
    absent = register(batch, "no-key", "true", secrets=[{"name": "A", "valueFrom": first["ARN"] + ":nobody::"}])
    job = ended(batch, batch.submit_job(jobName="no-key", jobQueue=queue, jobDefinition=absent)["jobId"])
    assert "ResourceInitializationError: unable to retrieve secret" in job["container"]["reason"]
    assert "no JSON key 'nobody'" in job["container"]["reason"]


def test_every_attempt_has_a_log_stream_of_its_own(embedded_aws: EmbeddedAws, batch: Client, queue: str) -> None:
    definition = register(batch, "attempts", "echo attempt $AWS_BATCH_JOB_ATTEMPT; exit 1")
    submitted = batch.submit_job(
        jobName="attempts", jobQueue=queue, jobDefinition=definition, retryStrategy={"attempts": 2}
    )
    job = ended(batch, submitted["jobId"])
    streams = [attempt["container"]["logStreamName"] for attempt in job["attempts"]]
    assert [lines(embedded_aws, stream) for stream in streams] == [["attempt 1"], ["attempt 2"]]


def test_jobs_and_definitions_are_found_by_name_and_tagged(batch: Client, queue: str) -> None:
    for script in ("true", "exit 0"):
        definition = register(batch, "found", script)
    active = batch.describe_job_definitions(jobDefinitionName=f"{PREFIX}-found", status="ACTIVE")["jobDefinitions"]
    assert [each["revision"] for each in active] == [2, 1]
    submitted = batch.submit_job(jobName="Found-one", jobQueue=queue, jobDefinition=definition, tags={"a": "1"})
    batch.submit_job(jobName="other", jobQueue=queue, jobDefinition=definition)
    for value in ("found-*", "FOUND-ONE", "Found*"):
        found = batch.list_jobs(jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [value]}])["jobSummaryList"]
        assert [each["jobId"] for each in found] == [submitted["jobId"]]
    batch.tag_resource(resourceArn=submitted["jobArn"], tags={"b": "2"})
    assert batch.list_tags_for_resource(resourceArn=submitted["jobArn"])["tags"] == {"a": "1", "b": "2"}
    (job,) = batch.describe_jobs(jobs=[submitted["jobArn"]])["jobs"]
    assert job["tags"] == {"a": "1", "b": "2"}


def test_a_multinode_job_through_boto3(embedded_aws: EmbeddedAws, batch: Client, queue: str) -> None:
    script = "echo $AWS_BATCH_JOB_NODE_INDEX of $AWS_BATCH_JOB_NUM_NODES; sleep 0.5"
    properties = {
        "numNodes": 2,
        "mainNode": 0,
        "nodeRangeProperties": [{"targetNodes": "0:", "container": container(script)}],
    }
    definition = batch.register_job_definition(
        jobDefinitionName=f"{PREFIX}-nodes", type="multinode", nodeProperties=properties
    )["jobDefinitionArn"]
    job_id = batch.submit_job(jobName="nodes", jobQueue=queue, jobDefinition=definition)["jobId"]
    job = ended(batch, job_id)
    assert job["status"] == "SUCCEEDED"
    assert job["nodeProperties"]["numNodes"] == 2
    ids = [f"{job_id}#0", f"{job_id}#1"]
    nodes = batch.describe_jobs(jobs=ids)["jobs"]
    assert [each["jobId"] for each in nodes] == ids
    written = [lines(embedded_aws, each["container"]["logStreamName"]) for each in nodes]
    assert written[0] == ["0 of 2"]
    listed = [
        each
        for status in ("SUCCEEDED", "FAILED")
        for each in batch.list_jobs(multiNodeJobId=job_id, jobStatus=status)["jobSummaryList"]
    ]
    assert {each["jobId"]: each["nodeProperties"]["isMainNode"] for each in listed} == {ids[0]: True, ids[1]: False}
    with pytest.raises(batch.exceptions.ClientException, match="does not exist"):
        batch.tag_resource(resourceArn=f"{job['jobArn']}#0", tags={"a": "1"})
