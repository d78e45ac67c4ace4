"""Every private name of MiniStack that this package builds on, in one place.

None of these is a stable interface. That is why ``local/requirements.in`` pins MiniStack exactly, why
:func:`check_version` refuses to start with another version, and why each resource type that we use has a test. To move
the pin: change it and ``PINNED_VERSION``, compile the lock, and run ``tests/local``.
"""

import asyncio
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import lambda_runtime, router
from ministack.core.persistence import save_state
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import eventbridge, lambda_svc, route53, secretsmanager
from ministack.services.backup import _vaults as backup_vaults
from ministack.services.cloudformation import _stacks as all_stacks
from ministack.services.cloudformation import custom_resource, stacks
from ministack.services.cloudformation.provisioners import _REPLACING_PROPERTIES as REPLACING_PROPERTIES
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as RESOURCE_HANDLERS
from ministack.services.cloudformation.provisioners import _STACK_TAG_PROPERTY as STACK_TAG_PROPERTY
from ministack.services.cloudformation.provisioners import _physical_name as physical_name
from ministack.services.ec2 import _ACTION_MAP as EC2_ACTIONS
from ministack.services.ec2 import _addresses as ec2_addresses
from ministack.services.ec2 import _flow_logs as ec2_flow_logs
from ministack.services.ec2 import _nat_gateways as ec2_nat_gateways
from ministack.services.ec2 import _vpc_endpoints as ec2_vpc_endpoints
from ministack.services.ec2 import _vpcs as ec2_vpcs
from ministack.services.eks import _clusters as eks_clusters
from ministack.services.eks import _nodegroups as eks_nodegroups
from ministack.services.eks import _pod_identity_associations as eks_pod_identities
from ministack.services.iam import _oidc_providers as oidc_providers
from ministack.services.s3 import DATA_DIR
from ministack.services.s3 import _buckets as s3_buckets
from ministack.services.secretsmanager import _find_stage_version as find_stage_version
from ministack.services.secretsmanager import _remove_stage_everywhere as remove_stage_everywhere
from ministack.services.secretsmanager import _resolve as resolve_secret
from ministack.services.ses import _dkim_tokens as dkim_tokens
from ministack.services.ses_v2 import _identities as ses_identities

__all__ = [
    "EC2_ACTIONS",
    "PINNED_VERSION",
    "REPLACING_PROPERTIES",
    "RESOURCE_HANDLERS",
    "S3_DIRECTORY",
    "SERVICE_HANDLERS",
    "STACK_TAG_PROPERTY",
    "add_hosted_zone",
    "add_service",
    "all_stacks",
    "asgi_app",
    "backup_vaults",
    "check_version",
    "dkim_tokens",
    "ec2_addresses",
    "ec2_flow_logs",
    "ec2_nat_gateways",
    "ec2_vpc_endpoints",
    "ec2_vpcs",
    "eks_clusters",
    "eks_nodegroups",
    "eks_pod_identities",
    "fail_custom_resources_of_crashed_functions",
    "find_stage_version",
    "get_account_id",
    "get_region",
    "main_loop",
    "oidc_providers",
    "on_lambda_output",
    "physical_name",
    "put_aws_event",
    "remove_stage_everywhere",
    "replace_in_secrets_manager",
    "request_scope",
    "resolve_secret",
    "run_types_on_worker_thread",
    "s3_buckets",
    "save_state",
    "ses_identities",
    "set_for_every_function",
    "state_getters",
]

PINNED_VERSION = "1.5.33"

SERVICE_HANDLERS: dict[str, Any] = app.SERVICE_HANDLERS
"""Service name to its ``async handle_request``."""

asgi_app = app.app

S3_DIRECTORY = Path(DATA_DIR)
"""Where the objects of S3 are: account, bucket, key."""


def check_version() -> None:
    """Refuse a MiniStack that this package was not written for.

    Raises:
        RuntimeError: The installed version is not the pinned one.
    """
    installed = version("ministack")
    if installed != PINNED_VERSION:
        raise RuntimeError(
            f"the embedded AWS builds on private names of ministack {PINNED_VERSION}, but {installed} is installed: "
            "run `make setup` to install what local/requirements.lock pins"
        )


def add_service(name: str, handler: Any) -> None:  # noqa: ANN401 - MiniStack's own handlers have no common type
    """Answer requests that are signed for a service which MiniStack does not have."""
    SERVICE_HANDLERS[name] = handler
    built_in = router._is_aws_service_name  # noqa: SLF001 - see the module docstring
    # The built-in one would first load the models of all services of AWS, which takes 3 s, on the event loop.
    router._is_aws_service_name = lambda scope: scope == name or built_in(scope)  # noqa: SLF001 - see the module docstring


def add_hosted_zone(zone_id: str, name: str) -> None:
    """Add a public zone under an ID of the caller's, where the API makes one up."""
    normal = route53._normalise_name(name)  # noqa: SLF001 - see the module docstring
    with route53._lock:  # noqa: SLF001 - see the module docstring
        route53._zones[zone_id] = {  # noqa: SLF001 - see the module docstring
            "id": zone_id,
            "name": normal,
            "caller_reference": zone_id,
            "comment": "",
            "private": False,
            "vpcs": [],
        }
        route53._records[zone_id] = route53._default_records(normal)  # noqa: SLF001 - see the module docstring


def main_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that serves requests; None before the server has started."""
    loop: asyncio.AbstractEventLoop | None = app._MAIN_LOOP  # noqa: SLF001 - see the module docstring
    return loop


def on_lambda_output(listener: Callable[[str, str], None]) -> None:
    """Call ``listener(function_name, text)`` with what each invocation printed, beside CloudWatch Logs."""
    emit = lambda_svc._emit_lambda_logs  # noqa: SLF001 - see the module docstring

    def emit_and_tell(function: dict[str, Any], request_id: str, text: str, *rest: object, **named: object) -> None:
        listener((function.get("config") or function).get("FunctionName", "unknown"), text)
        emit(function, request_id, text, *rest, **named)

    lambda_svc._emit_lambda_logs = emit_and_tell  # noqa: SLF001 - see the module docstring


def set_for_every_function(name: str, value: str) -> None:
    """Give every Lambda function that runs from now on an environment variable, whatever its own configuration says."""
    os.environ[name] = value
    lambda_runtime._RESERVED_RUNTIME_ENV_VARS.add(name)  # noqa: SLF001 - see the module docstring


def replace_in_secrets_manager(name: str, make: Callable[[Any], Any]) -> None:
    """Replace an action of MiniStack's Secrets Manager by what ``make`` returns for the built-in one."""
    setattr(secretsmanager, name, make(getattr(secretsmanager, name)))


def fail_custom_resources_of_crashed_functions() -> None:
    """Fail a custom resource as soon as its function has ended in an error without an answer.

    CloudFormation waits for an answer that will not come until the resource's timeout, an hour by default, and so does
    MiniStack. Here the function's end is known, so the deploy fails at once, with the function's own error.
    """
    execute = lambda_svc._execute_function_with_config_scope  # noqa: SLF001 - see the module docstring

    def execute_and_answer(function: dict[str, Any], event: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        result: dict[str, Any] = execute(function, event)
        url = event.get("ResponseURL", "") if isinstance(event, dict) else ""
        token = url.rpartition("/")[2]
        waiting = custom_resource._pending.get(token)  # noqa: SLF001 - see the module docstring
        if result.get("error") and waiting and waiting["result"] is None:
            body = result.get("body")
            error = body.get("errorMessage", body) if isinstance(body, dict) else body
            reason = f"the function ended in an error before it answered: {error}"
            custom_resource.deliver_response(token, {"Status": "FAILED", "Reason": reason})
        return result

    lambda_svc._execute_function_with_config_scope = execute_and_answer  # noqa: SLF001 - see the module docstring


def put_aws_event(entry: dict[str, Any]) -> None:
    """PutEvents of one entry, ``aws.*`` sources allowed. Needs the account in context and the event loop's thread."""
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)  # noqa: SLF001 - see the module docstring


def run_types_on_worker_thread(ours: Callable[[str], bool]) -> None:
    """Make the stack engine also run those types on a worker thread for which ``ours`` is true."""
    built_in = stacks._runs_on_worker_thread  # noqa: SLF001 - see the module docstring
    stacks._runs_on_worker_thread = lambda name: ours(name) or built_in(name)  # noqa: SLF001 - see the module docstring


def state_getters() -> dict[str, Callable[[], Any]]:
    """By the name of its state file, the function that copies a loaded service's state."""
    getters: dict[str, Callable[[], Any]] = app._build_persistence_save_dict()  # noqa: SLF001 - see the module docstring
    return getters
