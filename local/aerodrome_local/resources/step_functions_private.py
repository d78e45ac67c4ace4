"""Every private name of MiniStack that Step Functions' tasks build on; see :mod:`aerodrome_local.ministack_private`."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import stepfunctions

_execution: ContextVar[dict[str, Any] | None] = ContextVar("step_functions_execution", default=None)
_deadline: ContextVar[float | None] = ContextVar("step_functions_deadline", default=None)

RunTask = Callable[[str, dict[str, Any], Callable[[], bool]], Any]
"""``(resource, parameters, given_up) -> result``, which blocks. Once ``given_up()``, the task has timed out or its
execution was stopped, and what the task waits for is to be stopped."""


def add_integration(resource: str, run: RunTask) -> None:
    """Run tasks whose resource begins so."""
    task, with_timeout = stepfunctions._execute_task, stepfunctions._invoke_resource_with_timeout  # noqa: SLF001 - see above

    def execute(state: Any, given: Any, execution: Any, context: Any) -> Any:  # noqa: ANN401 - MiniStack's own
        token = _execution.set(execution)
        try:
            return task(state, given, execution, context)
        finally:
            _execution.reset(token)

    def invoke(name: str, given: Any, seconds: float) -> Any:  # noqa: ANN401 - any JSON value
        token = _deadline.set(time.monotonic() + seconds)
        try:
            return with_timeout(name, given, seconds)
        finally:
            _deadline.reset(token)

    def integration(name: str, given: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        execution, deadline = _execution.get() or {}, _deadline.get()
        return run(
            name,
            given,
            lambda: execution.get("status") == "ABORTED" or (deadline is not None and time.monotonic() > deadline),
        )

    stepfunctions._execute_task = execute  # noqa: SLF001 - see the module docstring
    stepfunctions._invoke_resource_with_timeout = invoke  # noqa: SLF001 - see the module docstring
    stepfunctions._SERVICE_DISPATCH[resource] = integration  # noqa: SLF001 - see the module docstring


def keep_stopped_executions() -> None:
    """Leave an execution that was stopped ABORTED, although its task then fails."""
    built_in = stepfunctions._fail_execution  # noqa: SLF001 - see the module docstring

    def fail(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] != "ABORTED":
            built_in(execution, error, cause)

    stepfunctions._fail_execution = fail  # noqa: SLF001 - see the module docstring


def task_failure(error: str, cause: str) -> Exception:
    """What an integration raises to fail its task with an error's name and cause."""
    failure: Exception = stepfunctions._ExecutionError(error, cause)  # noqa: SLF001 - see the module docstring
    return failure
