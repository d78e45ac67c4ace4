"""A service of the JSON protocol that keeps records and does nothing with them."""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aerodrome_local.ministack_private import SERVICE_HANDLERS
from aerodrome_local.runtime import Response, Runtime, current_account

Json = dict[str, Any]
Operation = Callable[[Json], Json]


class ServiceError(Exception):
    """An error that the API answers with.

    Args:
        code: Its name in the service's model, such as ``UnknownMonitorException``.
        message: What is wrong.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Records:
    """The records of one kind, each account's by themselves, kept over a restart.

    Args:
        runtime: The embedded AWS.
        name: What the file is called.
        unknown: The code of the error for a record that is not there.
    """

    def __init__(self, runtime: Runtime, name: str, *, unknown: str) -> None:
        self._runtime = runtime
        self._file = f"{name}.json"
        self._unknown = unknown
        self._accounts: dict[str, dict[str, Json]] = runtime.read_json(self._file, {})

    @property
    def _own(self) -> dict[str, Json]:
        return self._accounts.setdefault(current_account(), {})

    def find(self, arn: str) -> Json:
        """A record.

        Raises:
            ServiceError: There is none.
        """
        if arn not in self._own:
            raise ServiceError(self._unknown, f"there is no {arn}")
        return self._own[arn]

    def some(self, arns: Iterable[str] | None) -> list[Json]:
        """Those of some ARNs, or all."""
        return list(self._own.values()) if arns is None else [self.find(arn) for arn in arns]

    def put(self, arn: str, record: Json) -> None:
        """Keep a record."""
        self._own[arn] = record
        self._runtime.write_json(self._file, self._accounts)

    def delete(self, arn: str) -> None:
        """Forget a record."""
        self.find(arn)
        del self._own[arn]
        self._runtime.write_json(self._file, self._accounts)


def serve(runtime: Runtime, service: str, operations: Mapping[str, Operation]) -> None:
    """Answer a service's API.

    Args:
        runtime: The embedded AWS.
        service: The name that its requests are signed with.
        operations: What each operation answers, by its name. Any other is refused.
    """

    async def handle(
        _method: str, _path: str, headers: dict[str, str], body: bytes, _query: dict[str, list[str]]
    ) -> Response:
        name = _operation(headers)

        def unknown(_request: Json) -> Json:
            raise ServiceError("UnknownOperationException", f"the embedded AWS does not know {service}:{name}")

        return _result(operations.get(name, unknown), body)

    runtime.add_service(service, handle)


def serve_more(runtime: Runtime, service: str, operations: Mapping[str, Operation]) -> None:
    """Answer the part of a service's API that MiniStack lacks.

    Args:
        runtime: The embedded AWS.
        service: The service's name in MiniStack.
        operations: What each operation answers, by its name. MiniStack answers any other.
    """
    built_in = SERVICE_HANDLERS[service]

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        operation = operations.get(_operation(headers))
        if operation is None:
            result: Response = await built_in(method, path, headers, body, query)
            return result
        return _result(operation, body)

    runtime.route(service, handle)


def new_id() -> str:
    """An identifier that nothing else has."""
    return str(uuid.uuid4())


def _operation(headers: Mapping[str, str]) -> str:
    return headers.get("x-amz-target", "").rpartition(".")[2]


def _result(operation: Operation, body: bytes) -> Response:
    try:
        return _answer(200, operation(json.loads(body or b"{}")))
    except ServiceError as error:
        return _answer(400, {"__type": error.code, "message": str(error)})


def _answer(status: int, body: Json) -> Response:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body).encode()
