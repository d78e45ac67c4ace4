"""AWS Lambda: functions really run, layers included, and a Python function can be a custom resource."""

import io
import json
import re
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template, run_command

ROLE = "arn:aws:iam::111122223333:role/any"

CUSTOM_RESOURCE = """
import json, urllib.request
import vendored

def handler(event, context):
    print("asked to", event["RequestType"], event["ResourceProperties"].get("Name"))
    wrong = event["ResourceProperties"].get("Fail") == "true" and event["RequestType"] != "Delete"
    answer = {
        "Status": "FAILED" if wrong else "SUCCESS",
        "Reason": "told to fail" if wrong else "",
        "PhysicalResourceId": "greeting-" + event["ResourceProperties"]["Name"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Greeting": vendored.greet(event["ResourceProperties"]["Name"])},
    }
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request)
"""


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    return buffer.getvalue()


@pytest.fixture
def code(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Puts an archive into a bucket, and gives what Code or Content says of it."""
    s3 = embedded_aws.client("s3")
    bucket = re.sub("[^a-z0-9]+", "-", request.node.name)[-60:].strip("-")
    s3.create_bucket(Bucket=bucket)

    def put(key: str, **files: str) -> dict[str, str]:
        s3.put_object(Bucket=bucket, Key=key, Body=zipped(**files))
        return {"S3Bucket": bucket, "S3Key": key}

    yield put
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    s3.delete_bucket(Bucket=bucket)


def function(code: dict[str, str], **properties: Any) -> Template:  # noqa: ANN401 - any property
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": code,
            "Handler": "index.handler",
            "Role": ROLE,
            "Runtime": "python3.13",
            "Timeout": 20,
            **properties,
        },
    }


def test_function_with_a_layer(embedded_aws: EmbeddedAws, stack: Stack, code: Any) -> None:  # noqa: ANN401 - a function
    client = embedded_aws.client("lambda")
    source = code(
        "code.zip", index="import os, tool\ndef handler(event, _):\n    return tool.NAME + os.environ['WHO']\n"
    )
    layer = {
        "Type": "AWS::Lambda::LayerVersion",
        "Properties": {"Content": code("layer.zip", python__tool="NAME = 'hello '\n"), "LayerName": "tool"},
    }

    def resources(who: str) -> Template:
        variables = {"Variables": {"WHO": who}}
        return {
            "Layer": layer,
            "Function": function(
                source,
                Environment=variables,
                Layers=[{"Ref": "Layer"}],
                MemorySize=256,
                VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
            ),
            "Permission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
                    "Principal": "events.amazonaws.com",
                },
            },
        }

    outputs = stack.deploy(resources("world"), {"Arn": {"Fn::GetAtt": ["Function", "Arn"]}, "Layer": {"Ref": "Layer"}})
    name = stack.physical_id("Function")

    def answer() -> Any:  # noqa: ANN401 - any JSON value
        return json.load(client.invoke(FunctionName=name)["Payload"])

    found = client.get_function_configuration(FunctionName=name)
    assert (found["FunctionArn"], found["MemorySize"], found["Timeout"]) == (outputs["Arn"], 256, 20)
    assert [item["Arn"] for item in found["Layers"]] == [outputs["Layer"]]
    assert (found["VpcConfig"]["SubnetIds"], found["VpcConfig"]["SecurityGroupIds"]) == (["subnet-1"], ["sg-1"])
    statement = json.loads(client.get_policy(FunctionName=name)["Policy"])["Statement"][0]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert answer() == "hello world"
    stack.deploy(resources("cluster"))
    assert answer() == "hello cluster"
    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_function(FunctionName=name)
    assert "tool" not in [item["LayerName"] for item in client.list_layers()["Layers"]]


def test_events_that_a_function_fails_on_go_to_its_dead_letter_queue(
    embedded_aws: EmbeddedAws,
    stack: Stack,
    code: Any,  # noqa: ANN401 - a function
) -> None:
    source = code("failing.zip", index="def handler(event, context):\n    raise ValueError('no ' + event['what'])\n")
    dead_letters = {"TargetArn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    queue = {"Type": "AWS::SQS::Queue"}
    outputs = stack.deploy(
        {"Queue": queue, "Function": function(source, DeadLetterConfig=dead_letters)}, {"Url": {"Ref": "Queue"}}
    )
    name = stack.physical_id("Function")
    client, sqs = embedded_aws.client("lambda"), embedded_aws.client("sqs")
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"what": "way"}')
    received = sqs.receive_message(QueueUrl=outputs["Url"], WaitTimeSeconds=20)
    (message,) = received["Messages"]
    # MiniStack writes what AWS writes to a destination; on AWS the body is the event, and the error in the attributes.
    told = json.loads(message["Body"])
    assert told["requestPayload"] == {"what": "way"}
    assert told["responsePayload"]["errorMessage"] == "no way"
    stack.deploy({"Queue": queue, "Function": function(source)})
    assert not client.get_function_configuration(FunctionName=name).get("DeadLetterConfig", {}).get("TargetArn")


def custom(name: str, *, fail: bool = False) -> Template:
    properties = {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "Name": name, "Fail": fail}
    return {"Type": "Custom::Greeting", "Properties": properties}


def test_python_custom_resource(embedded_aws: EmbeddedAws, stack: Stack, code: Any) -> None:  # noqa: ANN401 - a function
    source = code("code.zip", index=CUSTOM_RESOURCE, vendored="def greet(name):\n    return f'hello {name}'\n")
    lambda_function = function(source, FunctionName="greeter")
    outputs = {"Greeting": {"Fn::GetAtt": ["Custom", "Greeting"]}, "Id": {"Ref": "Custom"}}
    created = stack.deploy({"Function": lambda_function, "Custom": custom("flyte")}, outputs)
    assert created == {"Greeting": "hello flyte", "Id": "greeting-flyte"}
    updated = stack.deploy({"Function": lambda_function, "Custom": custom("mlflow")}, outputs)
    assert updated == {"Greeting": "hello mlflow", "Id": "greeting-mlflow"}
    with pytest.raises(DeployError, match="told to fail"):
        stack.deploy({"Function": lambda_function, "Custom": custom("grafana", fail=True)}, outputs)
    stack.deploy({"Function": lambda_function})

    logs = embedded_aws.client("logs")
    deadline = time.monotonic() + 10
    wanted = {f"asked to {what}" for what in ("Create flyte", "Update mlflow", "Update grafana", "Delete mlflow")}
    while wanted and time.monotonic() < deadline:
        events = logs.filter_log_events(logGroupName="/aws/lambda/greeter")["events"]
        wanted -= {event["message"].strip() for event in events}
        time.sleep(0.05)
    assert not wanted, "these lines did not reach CloudWatch Logs"
    printed = run_command("logs", "--lines", "500", state_dir=embedded_aws.state_dir).stdout
    assert "greeter: asked to Update mlflow" in printed


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module\n", "no_such_module"),
        ("def handler(event, _):\n    raise ValueError('no way')\n", "no way"),
    ],
    ids=["import", "handler"],
)
def test_custom_resource_whose_function_crashes_fails_at_once(
    stack: Stack,
    code: Any,  # noqa: ANN401 - a function
    source: str,
    reason: str,
) -> None:
    begin = time.monotonic()

    with pytest.raises(DeployError, match=f"ended in an error before it answered.*{reason}"):
        stack.deploy({"Function": function(code("code.zip", index=source)), "Custom": custom("flyte")})

    assert time.monotonic() - begin < 60, "it waited for the resource's timeout"
