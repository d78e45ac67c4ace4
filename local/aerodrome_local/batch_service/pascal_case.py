"""Batch's requests and answers as other services write them: with members that begin with a capital letter.

EventBridge's targets and Step Functions do so. Unlike CloudFormation neither turns a number into the text that Batch
wants, so nothing is converted here: what has the wrong type is refused when the request is checked.
"""

from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.model import Json
from aerodrome_local.batch_service.shapes import input_shape, service_model


def request_of(operation: str, members: Json) -> Json:
    """A request from members in either spelling (``JobName`` or ``jobName``).

    Raises:
        ClientException: A member that the operation does not have.
    """
    renamed: Json = _renamed(input_shape(operation), members, operation)
    return renamed


def _renamed(shape: Shape, value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = {key: key[:1].lower() + key[1:] for key in value}
        unknown = sorted(key for key, name in names.items() if name not in shape.members)
        if unknown:
            raise ClientException(
                f"{path} has no member {', '.join(unknown)}; it has {', '.join(sorted(shape.members))}"
            )
        return {name: _renamed(shape.members[name], value[key], f"{path}.{key}") for key, name in names.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_renamed(shape.member, each, path) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _renamed(shape.value, each, path) for key, each in value.items()}
    return value


def job_detail(detail: Json) -> Json:
    """A job as DescribeJobs gives it, in Step Functions' spelling."""
    capitalized: Json = _capitalized(service_model().shape_for("JobDetail"), detail)
    return capitalized


def _capitalized(shape: Shape | None, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {key[:1].upper() + key[1:]: _capitalized(shape.members.get(key), each) for key, each in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_capitalized(shape.member, each) for each in value]
    return value
