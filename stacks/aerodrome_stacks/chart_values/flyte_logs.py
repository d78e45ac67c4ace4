"""The links from a task in Flyte's console to its output in CloudWatch Logs.

Flyte makes links and nothing else: they lead to where Fluent Bit puts the output of a container
(``charts/aws-for-fluent-bit``), in the group of its namespace and a stream ``<pod>/<container>``.
"""

from aerodrome_constructs.helm import Value
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.kubernetes_logs_stack import log_group_name

# The console has no name with the region in it that holds in all partitions: China and GovCloud have others.
_CONSOLES = {
    "cn": "console.amazonaws.cn",
    "us-gov": "console.amazonaws-us-gov.com",
}


def task_logs(environment: Environment) -> dict[str, Value]:
    """Values of ``configmap.task_logs`` of ``charts/flyte-core``."""
    return {
        "plugins": {
            "logs": {
                "kubernetes-enabled": False,
                "cloudwatch-enabled": True,
                "cloudwatch-region": environment.region,
                "cloudwatch-template-uri": link(environment),
            }
        }
    }


def link(environment: Environment, *, container: str | None = None) -> str:
    """The form of a link, which Flyte fills in and the chart passes through ``tpl`` before.

    Args:
        environment: The environment.
        container: The container that wrote the output. None: Flyte knows its name.
    """
    region = environment.region
    console = next(
        (host for start, host in _CONSOLES.items() if region.startswith(f"{start}-")), "console.aws.amazon.com"
    )
    group = log_group_name(environment, _for_flyte("namespace"))
    stream = f"{_for_flyte('podName')}/{container or _for_flyte('containerName')}"
    return (
        f"https://{console}/cloudwatch/home?region={region}"
        f"#logsV2:log-groups/log-group/{_encoded(group)}/log-events/{_encoded(stream)}"
    )


def _for_flyte(variable: str) -> str:
    # flyteplugins fills it in (go/tasks/logs/logging_utils.go). Helm would take it for its own, as the chart's template
    # passes the value through `tpl`: it is to write the braces and no more. Without spaces, where YAML would fold it.
    return f"{{{{`{{{{.{variable}}}}}`}}}}"


def _encoded(name: str) -> str:
    # The console encodes what follows the hash twice, with $ for %. Names have no other letter that it encodes.
    return name.replace("/", "$252F")
