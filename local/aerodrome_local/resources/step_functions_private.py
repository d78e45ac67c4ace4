"""Every private name of MiniStack that Step Functions' tasks build on; see :mod:`aerodrome_local.ministack_private`."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import stepfunctions

_deadline: ContextVar[float | None] = ContextVar("step_functions_deadline", default=None)

RunTask = Callable[[str, dict[str, Any], float | None], Any]
"""``(resource, parameters, deadline) -> result``, which blocks. After the deadline, a ``time.monotonic()``, the task
has timed out, and what it waits for is to be stopped. None where there is none."""


def add_integration(resource: str, run: RunTask) -> None:
    """Run tasks whose resource begins so."""
    stepfunctions._SERVICE_DISPATCH[resource] = lambda name, given: run(name, given, _deadline.get())  # noqa: SLF001 - see above
    built_in = stepfunctions._invoke_resource_with_timeout  # noqa: SLF001 - see the module docstring

    def invoke(name: str, given: Any, seconds: float) -> Any:  # noqa: ANN401 - any JSON value
        token = _deadline.set(time.monotonic() + seconds)
        try:
            return built_in(name, given, seconds)
        finally:
            _deadline.reset(token)

    stepfunctions._invoke_resource_with_timeout = invoke  # noqa: SLF001 - see the module docstring


def task_failure(error: str, cause: str) -> Exception:
    """What an integration raises to fail its task with an error's name and cause."""
    failure: Exception = stepfunctions._ExecutionError(error, cause)  # noqa: SLF001 - see the module docstring
    return failure
