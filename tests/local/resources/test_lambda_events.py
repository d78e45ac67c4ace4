"""AWS Lambda behind events: batches of SQS, schedules, and what becomes of an event that a function fails on."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from aerodrome_local.testing import ACCOUNT, EmbeddedAws, Stack, Template
from tests.local.waiting import eventually

QUEUE: Template = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30}}

# Tells a queue what it was asked, and fails for what it is told to fail.
HANDLER = """
import boto3, json, os

def handler(event, context):
    seen = boto3.client("sqs")
    records = event.get("Records", [])
    bodies = [record["body"] for record in records]
    seen.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(bodies or event))
    if event.get("detail", {}).get("fail"):
        raise ValueError("told to fail")
    failures = [record["messageId"] for record in records if record["body"] == "poison"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failures]}
"""


@pytest.fixture
def code(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """What Code of a function says: an archive with the handler, in a bucket of the test's own."""
    s3 = embedded_aws.client("s3")
    bucket = re.sub("[^a-z0-9]+", "-", request.node.name)[-60:].strip("-")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", HANDLER)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="code.zip", Body=buffer.getvalue())
    yield {"S3Bucket": bucket, "S3Key": "code.zip"}
    s3.delete_object(Bucket=bucket, Key="code.zip")
    s3.delete_bucket(Bucket=bucket)


def function(code: dict[str, str]) -> Template:
    properties = {
        "Code": code,
        "Handler": "index.handler",
        "Role": f"arn:aws:iam::{ACCOUNT}:role/any",
        "Runtime": "python3.13",
        "Timeout": 20,
        "Environment": {"Variables": {"SEEN": {"Ref": "Seen"}}},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


def bodies(aws: EmbeddedAws, queue: str, count: int) -> list[Any]:
    """Wait for so many messages of a queue, take them, and return their bodies as JSON."""
    sqs, found = aws.client("sqs"), []

    def received() -> bool:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    eventually(received, f"{count} messages; there were {found}")
    return found


def test_messages_reach_a_function_in_batches_and_a_failed_one_the_dead_letters(
    embedded_aws: EmbeddedAws, stack: Stack, code: dict[str, str]
) -> None:
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}, "maxReceiveCount": 1}
    source = {"VisibilityTimeout": 1, "RedrivePolicy": redrive}
    mapping = {
        "EventSourceArn": {"Fn::GetAtt": ["Source", "Arn"]},
        "FunctionName": {"Ref": "Function"},
        "BatchSize": 5,
        "MaximumBatchingWindowInSeconds": 1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    resources = {
        "Seen": QUEUE,
        "DeadLetters": QUEUE,
        "Source": {"Type": "AWS::SQS::Queue", "Properties": source},
        "Function": function(code),
        "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
    }
    ids = stack.deploy(resources, {name: {"Ref": name} for name in ("Seen", "Source", "DeadLetters", "Mapping")})
    described = embedded_aws.client("lambda").get_event_source_mapping(UUID=ids["Mapping"])
    assert (described["BatchSize"], described["MaximumBatchingWindowInSeconds"]) == (5, 1)
    sqs = embedded_aws.client("sqs")
    sent = ["poison", *(f"message {number}" for number in range(6))]
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(sent)]
    sqs.send_message_batch(QueueUrl=ids["Source"], Entries=entries)
    batches: list[list[str]] = []

    def all_seen() -> bool:
        batches.extend(bodies(embedded_aws, ids["Seen"], 1))
        return sum(len(batch) for batch in batches) >= len(sent)

    eventually(all_seen, "every message was seen")
    assert sorted(body for batch in batches for body in batch) == sorted(sent)
    assert max(len(batch) for batch in batches) <= 5
    (letter,) = eventually(
        lambda: sqs.receive_message(QueueUrl=ids["DeadLetters"]).get("Messages"), "the failed one is a dead letter"
    )
    assert letter["Body"] == "poison"


def test_a_batch_is_as_large_as_its_mapping_says(embedded_aws: EmbeddedAws, stack: Stack, code: dict[str, str]) -> None:
    mapping = {
        "EventSourceArn": {"Fn::GetAtt": ["Source", "Arn"]},
        "FunctionName": {"Ref": "Function"},
        "BatchSize": 30,
        "MaximumBatchingWindowInSeconds": 1,
        "Enabled": False,
    }
    resources = {
        "Seen": QUEUE,
        "Source": QUEUE,
        "Function": function(code),
        "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
    }
    ids = stack.deploy(resources, {name: {"Ref": name} for name in ("Seen", "Source", "Mapping")})
    sqs = embedded_aws.client("sqs")
    for tens in range(4):
        entries = [{"Id": str(ones), "MessageBody": f"{tens}{ones}"} for ones in range(10)]
        sqs.send_message_batch(QueueUrl=ids["Source"], Entries=entries)
    embedded_aws.client("lambda").update_event_source_mapping(UUID=ids["Mapping"], Enabled=True)
    assert sorted(len(batch) for batch in bodies(embedded_aws, ids["Seen"], 2)) == [10, 30]


def test_a_scheduled_function_runs_when_told_to(embedded_aws: EmbeddedAws, stack: Stack, code: dict[str, str]) -> None:
    target = {"Arn": {"Fn::GetAtt": ["Function", "Arn"]}, "Id": "function", "Input": '{"keep": 5}'}
    properties = {"ScheduleExpression": "cron(0 3 * * ? *)", "Targets": [target]}
    resources = {
        "Seen": QUEUE,
        "Function": function(code),
        "Nightly": {"Type": "AWS::Events::Rule", "Properties": properties},
    }
    ids = stack.deploy(resources, {"Seen": {"Ref": "Seen"}, "Nightly": {"Fn::GetAtt": ["Nightly", "Arn"]}})
    embedded_aws.act("events", runRule=ids["Nightly"])
    assert bodies(embedded_aws, ids["Seen"], 1) == [{"keep": 5}]


def test_an_event_that_a_function_fails_on_reaches_its_destination(
    embedded_aws: EmbeddedAws, stack: Stack, code: dict[str, str]
) -> None:
    invoke = {
        "FunctionName": {"Ref": "Function"},
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failures", "Arn"]}}},
    }
    target = {"Arn": {"Fn::GetAtt": ["Function", "Arn"]}, "Id": "function"}
    rule = {"EventPattern": {"source": [stack.name]}, "Targets": [target]}
    resources = {
        "Seen": QUEUE,
        "Failures": QUEUE,
        "Function": function(code),
        "Invoke": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": invoke},
        "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
    }
    ids = stack.deploy(resources, {name: {"Ref": name} for name in ("Seen", "Failures")})
    entry = {"Source": stack.name, "DetailType": "test", "Detail": '{"fail": true}'}
    embedded_aws.client("events").put_events(Entries=[entry])
    (failure,) = bodies(embedded_aws, ids["Failures"], 1)
    assert failure["requestPayload"]["detail"] == {"fail": True}
    assert failure["requestContext"]["condition"] == "RetriesExhausted"
    assert failure["responsePayload"]["errorMessage"] == "told to fail"
    assert len(bodies(embedded_aws, ids["Seen"], 2)) == 2
