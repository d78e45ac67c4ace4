"""The REST-JSON routes."""

import json
from typing import Any

import pytest

from aerodrome_local.batch_service import http
from aerodrome_local.batch_service.service import OPERATIONS
from aerodrome_local.batch_service.shapes import from_cloudformation, service_model

Batch = Any  # conftest's class, which a test module cannot import


def request(batch: Batch, method: str, path: str, body: object = None, **query: list[str]) -> tuple[int, str, Any]:
    """Status, error type and body of the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    scope = batch.scope("111122223333", "us-east-1")
    status, headers, answer = http.handle(batch.service, scope, method, path, query=query, body=data)
    assert headers["Content-Type"] == "application/json"
    return status, headers.get("x-amzn-ErrorType", ""), json.loads(answer)


def test_an_operation_is_found_by_its_path(batch: Batch) -> None:
    policy = {"name": "policy", "tags": {"a": "1", "b": "2"}}
    status, _, answer = request(batch, "POST", "/v1/createschedulingpolicy", policy)
    assert status == 200
    path = f"/v1/tags/{answer['arn'].replace(':', '%3A').replace('/', '%2F')}"
    assert request(batch, "GET", path) == (200, "", {"tags": {"a": "1", "b": "2"}})
    assert request(batch, "DELETE", path, tagKeys=["a"]) == (200, "", {})
    assert request(batch, "GET", path)[2] == {"tags": {"b": "2"}}


@pytest.mark.parametrize(
    ("call", "status", "message"),
    [
        (("POST", "/v1/nothing", {}), 400, "no operation POST /v1/nothing"),
        (("GET", "/v1/submitjob", {}), 400, "no operation GET /v1/submitjob"),
        (("POST", "/v1/submitjob", b"{"), 400, "body is not JSON"),
        (("POST", "/v1/submitjob", []), 400, "must be a JSON object"),
        (("POST", "/v1/submitjob", {"jobName": 1}), 400, "3 validation errors detected"),
        (("POST", "/v1/listquotashares", {"jobQueue": "q"}), 500, "not implemented"),
        (("POST", "/v1/embedded/reclaimhost/nobody", {}), 400, "job nobody is not RUNNING"),
    ],
)
def test_errors_are_shaped_as_awss(batch: Batch, call: tuple[str, str, object], status: int, message: str) -> None:
    answered, error, answer = request(batch, *call)
    assert answered == status
    assert error == {400: "ClientException", 500: "ServerException"}[status]
    assert message in answer["message"]


def test_every_operation_that_is_there_is_one_of_aws() -> None:
    assert set(OPERATIONS) <= set(service_model().operation_names)


def test_cloudformation_properties_become_a_request() -> None:
    properties = {
        "JobDefinitionName": "name",
        "Type": "Container",
        "PlatformCapabilities": ["fargate"],
        "Timeout": {"AttemptDurationSeconds": "60"},
        "PropagateTags": "true",
        "Parameters": {"InputPath": "s3://bucket"},
        "ContainerProperties": {
            "Image": "busybox",
            "ReadonlyRootFilesystem": False,
            "ResourceRequirements": [{"Type": "VCPU", "Value": 1}],
            "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "group"}},
        },
    }
    assert from_cloudformation("AWS::Batch::JobDefinition", "RegisterJobDefinition", properties) == {
        "jobDefinitionName": "name",
        "type": "container",
        "platformCapabilities": ["FARGATE"],
        "timeout": {"attemptDurationSeconds": 60},
        "propagateTags": True,
        "parameters": {"InputPath": "s3://bucket"},
        "containerProperties": {
            "image": "busybox",
            "readonlyRootFilesystem": False,
            "resourceRequirements": [{"type": "VCPU", "value": "1"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "group"}},
        },
    }


def test_a_property_that_is_misspelt_is_refused() -> None:
    properties = {"JobDefinitionName": "name", "ContainerProperties": {"Imagge": "busybox"}}
    with pytest.raises(ValueError, match=r"AWS::Batch::JobDefinition\.ContainerProperties: unknown property Imagge"):
        from_cloudformation("AWS::Batch::JobDefinition", "RegisterJobDefinition", properties)
