"""Which job definitions flytepropeller made, and which of them nothing needs any more.

Flyte v1.16.8: ``RegisterJobDefinition`` in ``flyteplugins/go/tasks/plugins/array/awsbatch/client.go`` gives a
definition a name, an image, a role, a platform, one vCPU and 100 MiB, which each job overrides, and nothing else: no
tag, no command, no retry, no timeout. The name is the last part of the image's repository (``definition/utils.go``).
What it has registered, it knows from memory alone, by image, role and platform: it registers the same anew whenever it
has started.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

Definition = Mapping[str, Any]
"""A job definition as DescribeJobDefinitions gives it."""

_PLATFORM_PREFIX = "aerodrome-"
_VCPUS, _MEMORY = "1", "100"
# What somebody who writes a definition sets, and flytepropeller never does.
_FOREIGN = ("ecsProperties", "eksProperties", "nodeProperties", "parameters", "retryStrategy", "tags", "timeout")
_FOREIGN_OF_CONTAINER = (
    *("command", "environment", "executionRoleArn", "linuxParameters", "logConfiguration", "mountPoints"),
    *("privileged", "secrets", "ulimits", "user", "volumes"),
)


def made_by_propeller(definition: Definition, job_roles: Collection[str]) -> bool:
    """Whether flytepropeller made a definition for one of some roles.

    The role tells whose it is where an account has several environments: roles of different environments have
    different names.

    Args:
        definition: The definition.
        job_roles: The names of the roles.
    """
    container = definition.get("containerProperties") or {}
    return (
        definition.get("type") == "container"
        and not str(definition["jobDefinitionName"]).startswith(_PLATFORM_PREFIX)
        and _role(container) in job_roles
        and not any(definition.get(member) for member in _FOREIGN)
        and not any(container.get(member) for member in _FOREIGN_OF_CONTAINER)
        and _requirements(container) == {"VCPU": _VCPUS, "MEMORY": _MEMORY}
    )


def superseded(definitions: Iterable[Definition], keep: int) -> list[str]:
    """The ARNs of all but the newest definitions of each name, image, role and platform, by their revision.

    Of an image that nobody uses any more, the newest stay, too: flytepropeller may have them in memory, and until it is
    started anew, each task that it would submit to a revision which is not registered any more fails.

    Args:
        definitions: Definitions that flytepropeller made.
        keep: How many stay.
    """
    alike: dict[tuple[Any, ...], list[tuple[int, str]]] = {}
    for definition in definitions:
        container = definition["containerProperties"]
        key = (
            definition["jobDefinitionName"],
            container.get("image"),
            container.get("jobRoleArn"),
            *definition.get("platformCapabilities", ()),
        )
        alike.setdefault(key, []).append((int(definition["revision"]), str(definition["jobDefinitionArn"])))
    left_behind = [revision for revisions in alike.values() for revision in sorted(revisions)[:-keep]]
    return [arn for _, arn in sorted(left_behind)]


def _role(container: Mapping[str, Any]) -> str:
    return str(container.get("jobRoleArn") or "").rpartition("/")[2]


def _requirements(container: Mapping[str, Any]) -> dict[str, str]:
    """What a job gets, whether it was said with ``vcpus`` and ``memory``, as by flytepropeller, or otherwise."""
    old = {"VCPU": container.get("vcpus"), "MEMORY": container.get("memory")}
    new = {one["type"]: one["value"] for one in container.get("resourceRequirements") or ()}
    return {**{kind: str(value) for kind, value in old.items() if value}, **new}
