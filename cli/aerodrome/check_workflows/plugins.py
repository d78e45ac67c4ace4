"""Tasks that need a plugin that an environment does not have.

flytepropeller runs a task of a type that it does not know as a plain container, with a warning in its own log
(``ResolvePlugin`` in flytepropeller/pkg/controller/nodes/task/handler.go, Flyte 1.16.8).
"""

from collections.abc import Sequence
from typing import get_args

from aerodrome.check_workflows.facts import Package
from aerodrome.check_workflows.rules import Finding
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import Plugin
from aerodrome_stacks.environment.wording import listing


def unsupported(package: Package, environment: Environment) -> Sequence[Finding]:
    """Tasks on Spark, Ray or PyTorch that would run in one pod, as nothing makes the others.

    Args:
        package: What is checked.
        environment: Where it is to run.
    """
    has = environment.flyte.plugins
    # Named as the task types are.
    missing = [plugin for plugin in get_args(Plugin) if plugin not in has]
    there = f"it has {listing(has)}" if has else "it has none"
    return [
        Finding(
            refused=True,
            place=task.place,
            subject=f"task {task.name if task.maps is None else task.maps[0]}",
            value=f"a task of type {kind}",
            reason=f"{environment.name} does not have that plugin ({there}): it would run as one container",
            way_out=f"add {kind} to flyte.plugins of {environment.name}, or leave the task's config out",
        )
        for task in package.tasks
        if (kind := str(task.template["type"] if task.maps is None else task.maps[1])) in missing
    ]
