"""``aerodrome check-workflows``: tasks that need a plugin, in environments that have it and that do not."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest

from aerodrome.check_workflows.facts import Package, Task
from aerodrome.check_workflows.plugins import unsupported
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.environment.flyte import Plugin

ENVIRONMENTS = Path(__file__).parents[2] / "environments"
PLUGINS: Sequence[Plugin] = get_args(Plugin)


def package(*kinds: str) -> Package:
    tasks = [Task(template={"id": {"name": f"team.{kind}"}, "type": kind}, place="jobs.py:7") for kind in kinds]
    return Package(tasks=tasks, nodes=(), workflows=(), launch_plans=())


def having(*plugins: Plugin) -> Environment:
    environment = load_environment("dev", ENVIRONMENTS)
    return environment.model_copy(update={"flyte": environment.flyte.model_copy(update={"plugins": plugins})})


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_task_whose_plugin_is_not_there_is_refused_with_the_way_out(plugin: Plugin) -> None:
    others = tuple(one for one in PLUGINS if one != plugin)
    (finding,) = unsupported(package(*PLUGINS), having(*others))
    assert (finding.refused, finding.place, finding.subject) == (True, "jobs.py:7", f"task team.{plugin}")
    assert finding.value == f"a task of type {plugin}"
    assert finding.reason.startswith("dev does not have that plugin (it has ")
    assert finding.way_out.startswith(f"add {plugin} to flyte.plugins of dev")


def test_where_there_are_none_the_reason_says_so() -> None:
    (finding,) = unsupported(package("spark"), having())
    assert "(it has none)" in finding.reason


def test_what_the_environment_has_is_not_spoken_of() -> None:
    assert unsupported(package(*PLUGINS), having(*PLUGINS)) == []


def test_types_that_need_no_operator_are_not_spoken_of() -> None:
    assert unsupported(package("python-task", "container", "sidecar", "aws-batch", "container_array"), having()) == []


def test_a_map_over_such_a_task_is_one() -> None:
    mapped = Task(template={"id": {"name": "team.map"}, "type": "container_array"}, maps=("team.count", "spark"))
    (finding,) = unsupported(Package(tasks=[mapped], nodes=(), workflows=(), launch_plans=()), having())
    assert finding.subject == "task team.count"
