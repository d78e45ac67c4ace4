"""Requests checked against botocore's model of Batch, and CloudFormation properties turned into requests.

AWS refuses a request with a missing member, a wrong type or an unknown enum value, and so does this: a template that
deploys here does not fail there on a misspelt property.
"""

import json
import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.model import Json

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
}

_ANY_CASE = frozenset({"RetryAction"})
"""Enums whose values are not case sensitive, by their documentation."""


@cache
def service_model() -> ServiceModel:
    """Botocore's description of the Batch API, of the installed version."""
    return botocore.session.get_session().get_service_model("batch")


def input_shape(operation: str) -> StructureShape:
    """The shape of an operation's request."""
    shape = service_model().operation_model(operation).input_shape
    return shape if shape is not None else StructureShape(operation, {"type": "structure", "members": {}})


def check(operation: str, request: Json) -> None:
    """Check a request against the model.

    Raises:
        ClientException: With every problem, worded as AWS words it.
    """
    problems = list(_problems(input_shape(operation), request, ""))
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise ClientException(f"{len(problems)} validation {noun} detected: " + "; ".join(problems))


def check_size(what: str, request: Json, most_kib: int) -> None:
    """Refuse a request that is too large, in the words of AWS.

    Raises:
        ClientException: It is as large as that, or larger.
    """
    size = len(json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode())
    if size >= most_kib * 1024:
        raise ClientException(
            f"Error executing request, Exception : {what} size must be less than {most_kib} KiB, got "
            f"{math.ceil(size / 1024)} KiB"
        )


def _problems(shape: Shape, value: object, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        yield from _structure_problems(shape, value, path)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield _wrong_type(path, value, "a list")
            return
        for index, item in enumerate(value):
            yield from _problems(shape.member, item, f"{path}.{index + 1}.member")
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield _wrong_type(path, value, "a map")
            return
        for key, item in value.items():
            yield from _problems(shape.value, item, f"{path}.{key}")
    else:
        yield from _scalar_problems(shape, value, path)


def _structure_problems(shape: StructureShape, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _wrong_type(path, value, "a structure")
        return
    prefix = f"{path}." if path else ""
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{prefix}{name}' failed to satisfy constraint: Member must not be null"
    for name, item in value.items():
        if name not in shape.members:
            allowed = ", ".join(sorted(shape.members))
            yield f"Unknown member '{prefix}{name}'; {shape.name} has: {allowed}"
        elif item is not None:
            yield from _problems(shape.members[name], item, f"{prefix}{name}")


def _scalar_problems(shape: Shape, value: object, path: str) -> Iterator[str]:
    expected = _PYTHON_TYPES.get(shape.type_name, (object,))
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        yield _wrong_type(path, value, f"a value of type {shape.type_name}")
        return
    allowed = getattr(shape, "enum", None)
    if allowed and (str(value).upper() if shape.name in _ANY_CASE else value) not in allowed:
        yield (
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(allowed)}]"
        )


def _wrong_type(path: str, value: object, expected: str) -> str:
    return f"Value {value!r} at '{path}' failed to satisfy constraint: Member must be {expected}"


def from_cloudformation(resource_type: str, operation: str, properties: Json) -> Json:
    """CloudFormation properties as the request of the operation that makes the resource.

    The names differ only in their first letter's case, which the model resolves; text becomes the number, boolean or
    enum value that the model asks for, as CloudFormation converts it.

    Raises:
        ValueError: A property that the request does not have.
    """
    request = _convert(input_shape(operation), properties, resource_type)
    assert isinstance(request, dict)  # noqa: S101 - a structure shape converts to a dict
    return request


def _convert(shape: Shape, value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    if value is None:
        return None
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = {name[0].upper() + name[1:]: name for name in shape.members}
        unknown = [key for key in value if key not in members]
        if unknown:
            raise ValueError(
                f"{path}: unknown property {', '.join(sorted(unknown))}; it has {', '.join(sorted(members))}"
            )
        return {
            members[key]: _convert(shape.members[members[key]], item, f"{path}.{key}") for key, item in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_convert(shape.member, item, path) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _convert(shape.value, item, f"{path}.{key}") for key, item in value.items()}
    return _convert_scalar(shape, value)


def _convert_scalar(shape: Shape, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    type_name = shape.type_name
    # CloudFormation takes "managed" for "MANAGED", and that is what the CDK writes.
    for allowed in getattr(shape, "enum", None) or []:
        if str(value).upper() == allowed.upper():
            return allowed
    if type_name == "string" and isinstance(value, (bool, int, float)):
        return str(value).lower()
    if type_name == "boolean" and value in {"true", "True", "false", "False"}:
        return value in {"true", "True"}
    convert = {"integer": int, "long": int, "float": float, "double": float}.get(type_name)
    if convert is not None and isinstance(value, str):
        try:
            return convert(value)
        except ValueError:
            return value  # refused when the request is checked, with the member's name in the message
    return value
