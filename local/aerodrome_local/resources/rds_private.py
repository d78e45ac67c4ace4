"""Every private name of MiniStack that RDS builds on, in one place; see :mod:`aerodrome_local.ministack_private`."""

from collections.abc import Callable
from typing import Any

from ministack.core.concurrency import spawn_background
from ministack.services import rds
from ministack.services.cloudformation import provisioners
from ministack.services.rds import _ACTION_MAP as ACTIONS
from ministack.services.rds import _error as error_response
from ministack.services.rds import _instances as instances
from ministack.services.rds import _p as first_value
from ministack.services.rds import _param_groups as parameter_groups
from ministack.services.rds import _parameter_member_prefix as parameter_prefix
from ministack.services.rds import _parse_member_list as member_list
from ministack.services.rds import _resolve_instance as resolve_instance
from ministack.services.rds import _single_instance_response as instance_response

from aerodrome_local.ministack_private import RESOURCE_HANDLERS
from aerodrome_local.runtime import Properties

__all__ = [
    "ACTIONS",
    "check_before",
    "error_response",
    "first_value",
    "instance_response",
    "instances",
    "member_list",
    "parameter_groups",
    "parameter_prefix",
    "replace_in_cloudformation",
    "replace_in_rds",
    "resolve_instance",
    "spawn_background",
]


def replace_in_rds(name: str, make: Callable[[Any], Any]) -> None:
    """Replace a function of MiniStack's ``rds`` module by what ``make`` returns for the built-in one."""
    built_in = getattr(rds, name)
    replacement = make(built_in)
    setattr(rds, name, replacement)
    for action, function in ACTIONS.items():
        if function is built_in:
            ACTIONS[action] = replacement


def replace_in_cloudformation(name: str, make: Callable[[Any], Any]) -> None:
    """Replace a function of MiniStack's CloudFormation provisioners by what ``make`` returns for the built-in one."""
    setattr(provisioners, name, make(getattr(provisioners, name)))


def check_before(resource_type: str, check: Callable[[str | None, Properties], None]) -> None:
    """Run a check before MiniStack's own handler changes anything.

    Args:
        resource_type: A built-in CloudFormation type.
        check: ``(physical_id, properties)``, the id None before a create. It raises when the properties will not do.
    """
    entry = RESOURCE_HANDLERS[resource_type]
    create, update = entry["create"], entry["update"]

    def checked_create(logical_id: str, properties: Properties, *rest: Any) -> Any:  # noqa: ANN401 - passed through
        check(None, properties)
        return create(logical_id, properties, *rest)

    def checked_update(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Any:  # noqa: ANN401 - as above
        check(physical_id, new)
        return update(physical_id, old, new, *rest)

    entry["create"], entry["update"] = checked_create, checked_update
