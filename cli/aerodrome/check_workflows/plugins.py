"""Tasks that need a plugin or a connector that an environment does not have.

flytepropeller runs a task of a type that it does not know as a plain container, with a warning in its own log
(``ResolvePlugin`` in flytepropeller/pkg/controller/nodes/task/handler.go, Flyte 1.16.8). A task without a container
fails there, and one with a container does something else than was meant.
"""

from collections.abc import Iterator, Sequence
from typing import Final, get_args

from aerodrome.check_workflows.facts import Package, Task
from aerodrome.check_workflows.rules import Finding
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import FLYTES_OWN, Plugin
from aerodrome_stacks.environment.wording import listing
from flytekit_aws_batch.common import TASK_TYPE

_PLUGINS: Final[Sequence[str]] = get_args(Plugin)
"""Named as the task types are."""


def unsupported(package: Package, environment: Environment) -> Sequence[Finding]:
    """Tasks on Spark, Ray or PyTorch that would run in one pod, and tasks that no connector starts.

    Args:
        package: What is checked.
        environment: Where it is to run.
    """
    return [finding for task in package.tasks for finding in _findings(task, environment)]


def _findings(task: Task, environment: Environment) -> Iterator[Finding]:
    kind = task.kind
    if kind in _PLUGINS:
        if kind not in environment.flyte.plugins:
            yield _without_plugin(task, kind, environment)
    elif kind not in {*FLYTES_OWN, TASK_TYPE} and _needs_connector(task) and kind not in _started(environment):
        yield _without_connector(task, kind, environment)


def _needs_connector(task: Task) -> bool:
    """Other types, such as ``sqlite`` or ``nb-python-task``, run in the container that they bring."""
    return task.connector or task.template.keys().isdisjoint({"container", "k8s_pod"})


def _started(environment: Environment) -> list[str]:
    return [kind for connector in environment.flyte.connectors.values() for kind in connector.task_types]


def _without_plugin(task: Task, kind: str, environment: Environment) -> Finding:
    has = environment.flyte.plugins
    there = f"it has {listing(has)}" if has else "it has none"
    return Finding(
        refused=True,
        place=task.place,
        subject=task.subject,
        value=f"a task of type {kind}",
        reason=f"{environment.name} does not have that plugin ({there}): it would run as one container",
        way_out=f"add {kind} to flyte.plugins of {environment.name}, or leave the task's config out",
    )


def _without_connector(task: Task, kind: str, environment: Environment) -> Finding:
    started = _started(environment)
    there = f"those it has start {listing(started)}" if started else "it has none"
    return Finding(
        refused=True,
        place=task.place,
        subject=task.subject,
        value=f"a task of type {kind}",
        reason=f"{environment.name} has no connector for it ({there}): Flyte would take it for a plain container",
        way_out=f"add {kind} to the task_types of a connector in flyte.connectors of {environment.name}, whose image "
        "has the task's plugin (docs/how-to/add-a-connector.md)",
    )
