"""``aerodrome check-workflows``: tasks that need a plugin, in environments that have it and that do not."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest

from aerodrome.check_workflows.facts import Package, Task
from aerodrome.check_workflows.plugins import unsupported
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.environment.flyte import FLYTES_OWN, Connector, Plugin

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


def connecting(**connectors: tuple[str, ...]) -> Environment:
    environment = load_environment("dev", ENVIRONMENTS)
    given = {
        name: Connector(image=f"ghcr.io/acme/{name}:1.4.0", task_types=kinds) for name, kinds in connectors.items()
    }
    return environment.model_copy(update={"flyte": environment.flyte.model_copy(update={"connectors": given})})


def test_a_task_that_no_connector_starts_is_refused_with_the_way_out() -> None:
    (finding,) = unsupported(package("snowflake", "python-task"), connecting(google=("bigquery_query_job_task",)))
    assert (finding.refused, finding.place, finding.subject) == (True, "jobs.py:7", "task team.snowflake")
    assert finding.reason.startswith("dev has no connector for it (those it has start bigquery_query_job_task)")
    assert finding.way_out.startswith("add snowflake to the task_types of a connector in flyte.connectors of dev")
    (finding,) = unsupported(package("snowflake"), connecting())
    assert "(it has none)" in finding.reason


def test_a_task_that_a_connector_starts_is_not_spoken_of() -> None:
    assert unsupported(package("snowflake"), connecting(warehouse=("snowflake", "snowpark"))) == []


@pytest.mark.parametrize(("connector", "refused"), [(False, 0), (True, 1)])
def test_a_type_that_brings_its_container_runs_in_it_unless_it_is_a_connectors(
    *, connector: bool, refused: int
) -> None:
    template = {"id": {"name": "team.count"}, "type": "databricks", "container": {"image": "team:1"}}
    tasks = [Task(template=template, connector=connector)]
    found = unsupported(Package(tasks=tasks, nodes=(), workflows=(), launch_plans=()), connecting())
    assert len(found) == refused


def test_what_flyte_runs_itself_needs_no_connector() -> None:
    assert FLYTES_OWN
    assert unsupported(package(*FLYTES_OWN), connecting()) == []
