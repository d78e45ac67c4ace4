"""Values of ``charts/aws-for-fluent-bit``: which log group and which stream a container's output goes to.

Both are read from the name of the container's log file, ``<pod>_<namespace>_<container>-<ID>.log``, by a script in Lua
of a few lines. A namespace that has no log group gets no ``log_namespace``, so that the template of the group's name
cannot be filled in, and Fluent Bit takes the group that is named for that case. Without that, its lines would be
offered to a group that is not there, again and again, and then be lost.
"""

from collections.abc import Sequence

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.kubernetes_logs_stack import OTHER, log_group_name, log_namespaces

# Fluent Bit refuses a configuration with a line of more than 4,096 bytes. A namespace has 63 letters at most.
_NAMESPACES_A_LINE = 40

# The tag is the path of the file with dots for slashes. A pod's name may have dots, and a container's hyphens; neither
# has an underscore.
_FILE = "^kube%.var%.log%.containers%.([^_]+)_([^_]+)_(.+)%-%x+%.log$"


def fluent_bit(environment: Environment, *, role_arn: str) -> dict[str, Value]:
    """Values that depend on other stacks and on the environment.

    Args:
        environment: What the team decided.
        role_arn: The role that may write to the groups.
    """
    return {
        "serviceAccount": {"annotations": role_annotation(role_arn)},
        "additionalFilters": _filters(log_namespaces(environment)),
        "cloudWatchLogs": {
            "region": environment.region,
            "logGroupTemplate": log_group_name(environment, "$log_namespace"),
            "logGroupName": log_group_name(environment, OTHER),
        },
    }


def _filters(namespaces: Sequence[str]) -> str:
    """The filters that set ``log_stream`` and, for a namespace that has a group, ``log_namespace``."""
    scripts = [
        f'function sort(tag, time, record) local pod, namespace, container = tag:match("{_FILE}") '
        'if not pod then return 0, time, record end record["log_stream"] = pod .. "/" .. container '
        f'if ({_list(namespaces[start : start + _NAMESPACES_A_LINE])}):find(" " .. namespace .. " ", 1, true) then '
        'record["log_namespace"] = namespace end return 2, time, record end'
        for start in range(0, len(namespaces), _NAMESPACES_A_LINE)
    ]
    return "\n".join(
        f"[FILTER]\n    Name    lua\n    Match   kube.*\n    call    sort\n    code    {script}" for script in scripts
    )


def _list(namespaces: Sequence[str]) -> str:
    # Between spaces, so that no name is found as a part of another.
    return f'" {" ".join(namespaces)} "'
