"""Amazon EventBridge: events of S3, jobs and other targets, dead letters, and delivery at least once."""

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError, make_client
from aerodrome_local.job_templates import job_definition, queue_resources
from aerodrome_local.testing import ACCOUNT, EmbeddedAws, Stack, Template
from tests.local.waiting import eventually

ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
BUCKET: Template = {
    "Type": "AWS::S3::Bucket",
    "Properties": {
        "VersioningConfiguration": {"Status": "Enabled"},
        "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
    },
}
CREATED: Template = {
    "source": ["aws.s3"],
    "detail-type": ["Object Created"],
    "detail": {"bucket": {"name": [{"Ref": "Bucket"}]}},
}
QUEUE: Template = {"Type": "AWS::SQS::Queue"}


def rule(*targets: Template, pattern: Template = CREATED) -> Template:
    return {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": pattern, "Targets": list(targets)}}


def target(resource: str, **properties: object) -> Template:
    return {"Arn": {"Fn::GetAtt": [resource, "Arn"]}, "Id": resource, **properties}


def job_target(template: str | None = None, **properties: object) -> Template:
    """A target that submits ``Definition`` to ``Queue``, with an object's key and version as parameters."""
    given = '{"Parameters": {"key": <key>, "version": <version>}}'
    return {
        "Arn": {"Ref": "Queue"},
        "Id": "job",
        "RoleArn": ROLE,
        "BatchParameters": {"JobDefinition": {"Ref": "Definition"}, "JobName": "from-an-event"},
        "InputTransformer": {
            "InputPathsMap": {"key": "$.detail.object.key", "version": "$.detail.object.version-id"},
            "InputTemplate": given if template is None else template,
        },
        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}},
        **properties,
    }


def outputs(*names: str) -> Template:
    return {name: {"Ref": name} for name in names}


def messages(aws: EmbeddedAws, queue: str, count: int = 1) -> list[Any]:
    """Wait for so many messages of a queue, and take them."""
    sqs, found = aws.client("sqs"), []

    def received() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        for message in answer.get("Messages", []):
            found.append(message)
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    eventually(received, f"{count} messages in {queue}; there were {found}")
    return found


@pytest.fixture
def emptied(embedded_aws: EmbeddedAws) -> Iterator[list[str]]:
    """Buckets named in this list are emptied, so that their stack can be deleted."""
    buckets: list[str] = []
    yield buckets
    s3 = embedded_aws.client("s3")
    for bucket in buckets:
        listed = s3.list_object_versions(Bucket=bucket)
        for each in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
            s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


def test_objects_of_a_bucket_become_events(embedded_aws: EmbeddedAws, stack: Stack, emptied: list[str]) -> None:
    ids = stack.deploy({"Bucket": BUCKET, "Events": QUEUE, "Rule": rule(target("Events"))}, outputs("Bucket", "Events"))
    bucket, s3 = ids["Bucket"], embedded_aws.client("s3")
    emptied.append(bucket)
    put = s3.put_object(Bucket=bucket, Key="in/a b+ü.txt", Body=b"four")
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "in/a b+ü.txt"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"whole")
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    completed = s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts)
    received = {}
    for message in messages(embedded_aws, ids["Events"], 3):
        event = json.loads(message["Body"])
        received[event["detail"]["reason"]] = event
    event = received["PutObject"]
    envelope = "version id detail-type source account time region resources detail"
    assert event.keys() == set(envelope.split())
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert (event["account"], event["region"]) == (ACCOUNT, "us-east-1")
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert len(event["time"]) == len("2026-11-22T01:02:03Z")
    detail = event["detail"]
    assert detail.keys() == {"version", "bucket", "object", "request-id", "requester", "source-ip-address", "reason"}
    assert detail["bucket"] == {"name": bucket}
    sequencer = detail["object"].pop("sequencer")
    assert int(sequencer, 16) < int(received["CopyObject"]["detail"]["object"]["sequencer"], 16)
    assert detail["object"] == {
        "key": "in/a b+ü.txt",
        "size": 4,
        "etag": put["ETag"].strip('"'),
        "version-id": put["VersionId"],
    }
    assert received["CopyObject"]["detail"]["object"]["version-id"] == copied["VersionId"]
    whole = received["CompleteMultipartUpload"]["detail"]["object"]
    assert (whole["size"], whole["version-id"]) == (5, completed["VersionId"])


def test_an_object_becomes_a_job(embedded_aws: EmbeddedAws, stack: Stack, emptied: list[str]) -> None:
    template = (
        '{"Parameters": {"key": <key>, "version": "<version>"},'
        ' "ContainerOverrides": {"Environment": [{"Name": "KEY", "Value": <key>}]}}'
    )
    resources = {
        **queue_resources(),
        "Definition": job_definition("sh", "-c", "test Ref::key = $KEY", Parameters={"key": "none"}),
        "Bucket": BUCKET,
        "DeadLetters": QUEUE,
        "Rule": rule(job_target(template)),
    }
    ids = stack.deploy(resources, outputs("Bucket", "Queue", "Definition"))
    emptied.append(ids["Bucket"])
    version = embedded_aws.client("s3").put_object(Bucket=ids["Bucket"], Key="in.txt", Body=b"")["VersionId"]
    batch = embedded_aws.client("batch")
    by_name = [{"name": "JOB_NAME", "values": ["from-an-event"]}]
    (summary,) = eventually(
        lambda: [
            each
            for each in batch.list_jobs(jobQueue=ids["Queue"], filters=by_name)["jobSummaryList"]
            if each["status"] in {"SUCCEEDED", "FAILED"}
        ],
        "the job has ended",
    )
    assert summary["status"] == "SUCCEEDED"
    (job,) = batch.describe_jobs(jobs=[summary["jobId"]])["jobs"]
    assert job["parameters"] == {"key": "in.txt", "version": version}
    assert job["jobDefinition"] == ids["Definition"]


def test_a_target_says_how_large_an_array_is_and_how_often_a_job_is_tried(
    embedded_aws: EmbeddedAws, stack: Stack
) -> None:
    of_test = job_target(
        BatchParameters={
            "JobDefinition": {"Ref": "Definition"},
            "JobName": "array",
            "ArrayProperties": {"Size": 3},
            "RetryStrategy": {"Attempts": 2},
        },
        InputTransformer={"InputPathsMap": {}, "InputTemplate": "{}"},
    )
    resources = {
        **queue_resources(),
        "Definition": job_definition("true"),
        "DeadLetters": QUEUE,
        "Rule": rule(of_test, pattern={"source": [stack.name]}),
    }
    ids = stack.deploy(resources, outputs("Queue"))
    put_event(embedded_aws, stack)
    batch = embedded_aws.client("batch")
    by_name = [{"name": "JOB_NAME", "values": ["array"]}]
    (summary,) = eventually(
        lambda: batch.list_jobs(jobQueue=ids["Queue"], filters=by_name)["jobSummaryList"], "a job was submitted"
    )
    (job,) = batch.describe_jobs(jobs=[summary["jobId"]])["jobs"]
    assert job["arrayProperties"]["size"] == 3
    assert job["retryStrategy"]["attempts"] == 2


def put_event(aws: EmbeddedAws, stack: Stack, **detail: object) -> str:
    """Put an event whose source is the stack's name, and return its ID."""
    entry = {"Source": stack.name, "DetailType": "test", "Detail": json.dumps(detail)}
    (answer,) = aws.client("events").put_events(Entries=[entry])["Entries"]
    return str(answer["EventId"])


FAIR_SHARE: Template = {
    "Type": "AWS::Batch::SchedulingPolicy",
    "Properties": {"FairsharePolicy": {"ShareDecaySeconds": 600}},
}


@pytest.mark.parametrize(
    ("given", "code", "reason"),
    [
        ({"key": 7}, "ERROR_FROM_TARGET", "Value 7 at 'parameters.key'"),
        ({"key": 'a"b'}, "INVALID_JSON", "not JSON"),
        ({}, "INVALID_JSON", "not JSON"),
        ({"key": "k"}, "ERROR_FROM_TARGET", "fair share"),
    ],
    ids=["number", "quotation-mark", "missing", "share"],
)
def test_a_refused_submission_is_a_dead_letter_with_its_reason(
    embedded_aws: EmbeddedAws, stack: Stack, given: dict[str, object], code: str, reason: str
) -> None:
    transformer = {"InputPathsMap": {"key": "$.detail.key"}, "InputTemplate": '{"Parameters": {"key": <key>}}'}
    fair: Template = {"SchedulingPolicyArn": {"Fn::GetAtt": ["Policy", "Arn"]}} if reason == "fair share" else {}
    resources = {
        **queue_resources(**fair),
        "Policy": FAIR_SHARE,
        "Definition": job_definition("echo", "Ref::key"),
        "DeadLetters": QUEUE,
        "Rule": rule(job_target(InputTransformer=transformer), pattern={"source": [stack.name]}),
    }
    rule_arn = {"Fn::GetAtt": ["Rule", "Arn"]}
    ids = stack.deploy(resources, {**outputs("Queue", "DeadLetters"), "Rule": rule_arn})
    event_id = put_event(embedded_aws, stack, **given)
    (letter,) = messages(embedded_aws, ids["DeadLetters"])
    event = json.loads(letter["Body"])
    assert (event["id"], event["detail"]) == (event_id, given)
    attributes = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    message = attributes.pop("ERROR_MESSAGE")
    assert reason in message
    assert attributes == {
        "RULE_ARN": ids["Rule"],
        "TARGET_ARN": ids["Queue"],
        "ERROR_CODE": code,
        "RETRY_ATTEMPTS": "0",
    }
    assert embedded_aws.client("batch").list_jobs(jobQueue=ids["Queue"], jobStatus="SUCCEEDED")["jobSummaryList"] == []


def test_a_value_can_add_to_what_a_template_says_as_on_aws(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    transformer = {"InputPathsMap": {"key": "$.detail.key"}, "InputTemplate": '{"Parameters": {"key": <key>}}'}
    resources = {
        **queue_resources(),
        "Definition": job_definition("false", Parameters={"key": "none"}),
        "DeadLetters": QUEUE,
        "Rule": rule(job_target(InputTransformer=transformer), pattern={"source": [stack.name]}),
    }
    ids = stack.deploy(resources, outputs("Queue"))
    put_event(embedded_aws, stack, key='x"},"ContainerOverrides":{"Command":["true"]},"Z":{"a":"')
    batch = embedded_aws.client("batch")
    by_name = [{"name": "JOB_NAME", "values": ["from-an-event"]}]
    (summary,) = eventually(
        lambda: batch.list_jobs(jobQueue=ids["Queue"], filters=by_name)["jobSummaryList"], "a job was submitted"
    )
    (job,) = batch.describe_jobs(jobs=[summary["jobId"]])["jobs"]
    assert job["container"]["command"] == ["true"]
    assert job["parameters"] == {"key": "x"}


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:nobody",
        f"arn:aws:sqs:us-east-1:{ACCOUNT}:nobody",
        f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:nobody",
    ],
    ids=["function", "queue", "state-machine"],
)
def test_an_event_for_nobody_is_a_dead_letter(embedded_aws: EmbeddedAws, stack: Stack, arn: str) -> None:
    letters = {"DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}}
    gone = {"Arn": arn, "Id": "gone", "RoleArn": ROLE, **letters}
    resources = {"DeadLetters": QUEUE, "Rule": rule(gone, pattern={"source": [stack.name]})}
    ids = stack.deploy(resources, outputs("DeadLetters"))
    put_event(embedded_aws, stack, number=1)
    (letter,) = messages(embedded_aws, ids["DeadLetters"])
    assert json.loads(letter["Body"])["detail"] == {"number": 1}
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
    assert letter["MessageAttributes"]["TARGET_ARN"]["StringValue"] == arn
    assert "nobody does not exist" in letter["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]


def test_every_third_event_can_be_delivered_twice(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    resources = {"Events": QUEUE, "Rule": rule(target("Events"), pattern={"source": [stack.name]})}
    ids = stack.deploy(resources, outputs("Events"))
    assert embedded_aws.act("events", duplicateEvery=3) == {"duplicateEvery": 3}
    try:
        for number in range(7):
            put_event(embedded_aws, stack, number=number)
        received = messages(embedded_aws, ids["Events"], 9)
    finally:
        embedded_aws.act("events", duplicateEvery=0)
    numbers = sorted(json.loads(message["Body"])["detail"]["number"] for message in received)
    assert numbers == [0, 1, 2, 2, 3, 4, 5, 5, 6]


def test_a_scheduled_rule_runs_at_once_when_told_to(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    nightly = {
        "Type": "AWS::Events::Rule",
        "Properties": {"ScheduleExpression": "cron(0 3 * * ? *)", "Targets": [target("Events")]},
    }
    resources = {"Events": QUEUE, "Nightly": nightly, "Other": rule(target("Events"), pattern={"source": [stack.name]})}
    arns = {name: {"Fn::GetAtt": [name, "Arn"]} for name in ("Nightly", "Other")}
    ids = stack.deploy(resources, {**outputs("Events"), **arns})
    embedded_aws.act("events", runRule=ids["Nightly"])
    (message,) = messages(embedded_aws, ids["Events"])
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["resources"] == [ids["Nightly"]]
    assert event["detail"] == {}
    with pytest.raises(urllib.error.HTTPError) as refused:
        embedded_aws.act("events", runRule=ids["Other"])
    assert "has no schedule" in refused.value.read().decode()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Input": "{}"}, "Only one of Input, InputPath, or InputTransformer"),
        ({"InputTransformer": {"InputTemplate": '{"a": <b>}'}}, "placeholder <b> is not in InputPathsMap"),
        ({"InputTransformer": {"InputTemplate": '{"a": 1'}}, "is not valid JSON"),
        ({"InputTransformer": {"InputPathsMap": {"a": "detail.a"}, "InputTemplate": "<a>"}}, "a=detail.a"),
        (
            {"BatchParameters": {"JobDefinition": "", "JobName": "job"}},
            "BatchParameters.JobDefinition must be specified",
        ),
        ({"RoleArn": None}, "RoleArn is required"),
        ({"RetryPolicy": {"MaximumRetryAttempts": 186}}, "must be from 0 to 185"),
        ({"DeadLetterConfig": {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:letters.fifo"}}, "give a standard queue's ARN"),
    ],
    ids=["two-inputs", "placeholder", "template", "path", "definition", "role", "retries", "fifo"],
)
def test_targets_that_aws_would_refuse_are_refused(
    embedded_aws: EmbeddedAws, stack: Stack, changes: dict[str, Any], reason: str
) -> None:
    given = {**job_target(), "Arn": f"arn:aws:batch:us-east-1:{ACCOUNT}:job-queue/any", **changes}
    given["BatchParameters"] = changes.get("BatchParameters", {"JobDefinition": "any", "JobName": "job"})
    given["DeadLetterConfig"] = changes.get("DeadLetterConfig", {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:letters"})
    given = {name: value for name, value in given.items() if value is not None}
    pattern = {"source": [stack.name]}
    with pytest.raises(DeployError) as failed:
        stack.deploy({"Rule": rule(given, pattern=pattern)})
    assert reason in str(failed.value)
    stack.delete()
    events = embedded_aws.client("events")
    name = stack.name[-60:]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    try:
        with pytest.raises(ClientError) as refused:
            events.put_targets(Rule=name, Targets=[given])
        assert refused.value.response["Error"]["Code"] == "ValidationException"
        assert reason in refused.value.response["Error"]["Message"]
    finally:
        events.delete_rule(Name=name)


def test_a_pattern_that_aws_would_refuse_fails_the_stack(stack: Stack) -> None:
    with pytest.raises(DeployError, match="Event pattern is not valid"):
        stack.deploy({"Events": QUEUE, "Rule": rule(target("Events"), pattern={"source": "not-a-list"})})


def test_events_of_jobs_are_of_the_jobs_region(embedded_aws: EmbeddedAws) -> None:
    region = "eu-central-1"

    def client(service: str) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return make_client(service, embedded_aws.endpoint, ACCOUNT, region)

    batch, events = client("batch"), client("events")
    url = client("sqs").create_queue(QueueName="job-events")["QueueUrl"]
    events.put_rule(Name="jobs", EventPattern=json.dumps({"source": ["aws.batch"]}))
    events.put_targets(Rule="jobs", Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{region}:{ACCOUNT}:job-events"}])
    batch.create_compute_environment(computeEnvironmentName="elsewhere", type="UNMANAGED", unmanagedvCpus=2)
    eventually(
        lambda: batch.describe_compute_environments()["computeEnvironments"][0]["status"] == "VALID", "it is VALID"
    )
    order = [{"order": 0, "computeEnvironment": "elsewhere"}]
    batch.create_job_queue(jobQueueName="elsewhere", priority=1, computeEnvironmentOrder=order)
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]
    container = {"image": "busybox", "command": ["true"], "resourceRequirements": requirements}
    batch.register_job_definition(jobDefinitionName="elsewhere", type="container", containerProperties=container)
    submitted = batch.submit_job(jobName="job", jobQueue="elsewhere", jobDefinition="elsewhere")
    received = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    event = json.loads(received[0]["Body"])
    assert (event["region"], event["account"]) == (region, ACCOUNT)
    assert event["resources"] == [submitted["jobArn"]]
    assert event["detail"]["status"] == "RUNNABLE"
