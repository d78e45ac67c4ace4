"""Batch over HTTP: the REST-JSON routes, taken from botocore's model, and the faults that were asked for."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from urllib.parse import unquote

from aerodrome_local.batch_service.errors import ClientException, ServerException, TooManyRequestsException
from aerodrome_local.batch_service.model import Json, Scope
from aerodrome_local.batch_service.service import BatchService
from aerodrome_local.batch_service.shapes import input_shape, service_model
from aerodrome_local.batch_service.traffic import Fate

Response = tuple[int, dict[str, str], bytes]

RECLAIM_PATH = re.compile(r"/v1/embedded/reclaimhost/(?P<jobId>[^/]+)")
"""The one route that AWS does not have: POST takes the host of a running job away, as a spot reclaim does."""

_INTERNAL = "Internal server error"


@cache
def _routes() -> list[tuple[str, re.Pattern[str], str]]:
    routes = []
    for name in service_model().operation_names:
        http = service_model().operation_model(name).http
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(http["requestUri"]))
        routes.append((http["method"], re.compile(pattern), name))
    return routes


def handle(
    service: BatchService, scope: Scope, method: str, path: str, *, query: Mapping[str, Sequence[str]], body: bytes
) -> Response:
    """Answer one request."""
    try:
        reclaim = RECLAIM_PATH.fullmatch(path)
        if reclaim and method == "POST":
            service.reclaim_host(unquote(reclaim["jobId"]))
            return _json(200, {})
        operation, request = _request(method, path, query, body)
        return _json(200, _served(service, scope, operation, request))
    except ClientException as error:
        return _error(error.status, error)
    except TooManyRequestsException as error:
        return _error(429, error)
    except ServerException as error:
        return _error(500, error)


def _served(service: BatchService, scope: Scope, operation: str, request: Json) -> Json:
    fate = service.traffic.call(scope.account, operation, request)
    if fate is Fate.THROTTLED:
        raise TooManyRequestsException("Too Many Requests")
    if fate is Fate.FAILED:
        raise ServerException(_INTERNAL)
    if fate is Fate.UNSEEN:
        raise ClientException(f"JobDefinition {request['jobDefinition']} not found.", status=404)
    answer = service.call(operation, request, scope)
    if operation == "RegisterJobDefinition":
        service.traffic.registered(scope.account, answer["jobDefinitionArn"])
    if fate is Fate.LOST:
        raise ServerException(_INTERNAL)
    return answer


def _request(method: str, path: str, query: Mapping[str, Sequence[str]], body: bytes) -> tuple[str, Json]:
    for route_method, pattern, operation in _routes():
        match = pattern.fullmatch(path)
        if match is None or route_method != method:
            continue
        try:
            request = json.loads(body) if body else {}
        except ValueError as error:
            raise ClientException(f"the request's body is not JSON: {error}") from error
        if not isinstance(request, dict):
            raise ClientException("the request's body must be a JSON object")
        request.update({name: unquote(value) for name, value in match.groupdict().items()})
        for name, member in input_shape(operation).members.items():
            key = member.serialization.get("name", name)
            if member.serialization.get("location") == "querystring" and key in query:
                request[name] = list(query[key]) if member.type_name == "list" else query[key][0]
        return operation, request
    raise ClientException(f"AWS Batch has no operation {method} {path}")


def _json(status: int, body: Json) -> Response:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def _error(status: int, error: Exception) -> Response:
    code, headers, body = _json(status, {"message": str(error)})
    return code, {**headers, "x-amzn-ErrorType": type(error).__name__}, body
