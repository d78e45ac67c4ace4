"""Every private name of MiniStack that Step Functions' tasks build on; see :mod:`aerodrome_local.ministack_private`."""

from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions


def add_integration(resource: str, run: Callable[[str, dict[str, Any]], Any]) -> None:
    """Run tasks whose resource begins so. ``run(resource, parameters)`` blocks, and gives the task's result."""
    stepfunctions._SERVICE_DISPATCH[resource] = run  # noqa: SLF001 - see the module docstring


def task_failure(error: str, cause: str) -> Exception:
    """What an integration raises to fail its task with an error's name and cause."""
    failure: Exception = stepfunctions._ExecutionError(error, cause)  # noqa: SLF001 - see the module docstring
    return failure
