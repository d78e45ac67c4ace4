"""What ``aerodrome check-workflows`` says of tasks and launch plans that another project has registered."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from aerodrome.check_workflows.facts import Package, Reference, read
from aerodrome.check_workflows.references import foreign
from aerodrome.check_workflows.rules import Finding
from aerodrome.main import app
from aerodrome_stacks.environment import Environment, load_environment

ENVIRONMENTS = Path(__file__).parents[2] / "environments"


@pytest.fixture
def prod() -> Environment:
    """Where churn-prediction uses demand-forecast, and fraud-detection nobody."""
    return load_environment("prod", ENVIRONMENTS)


def reference(**changed: str) -> Reference:
    given = {"kind": "task", "project": "demand-forecast", "domain": "production", "name": "features.build"}
    return Reference(**{**given, "subject": "node n0 of workflow churn.train", **changed})


def found(environment: Environment, project: str | None, *references: Reference) -> list[Finding]:
    package = Package(tasks=[], workflows=[], launch_plans=[], nodes=[], references=references or [reference()])
    return list(foreign(package, environment, project))


def test_a_project_may_refer_to_what_it_uses_and_to_its_own(prod: Environment) -> None:
    assert found(prod, "churn-prediction") == []
    assert found(prod, "demand-forecast") == []


def test_what_the_environment_does_not_allow_is_refused_with_the_remedy(prod: Environment) -> None:
    (finding,) = found(prod, "fraud-detection")
    assert finding.refused
    assert finding.value == "task features.build of demand-forecast in production"
    assert finding.reason.startswith("prod does not let fraud-detection use demand-forecast in production")
    assert finding.way_out == (
        "ask its owner, and add demand-forecast to projects[].uses of fraud-detection in the environment's file"
    )


def test_it_is_not_allowed_the_other_way_round(prod: Environment) -> None:
    (finding,) = found(prod, "demand-forecast", reference(project="churn-prediction"))
    assert finding.refused


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"project": "demand-forcast"}, "prod has no project of that name; there are fraud-detection, demand-forecast"),
        ({"domain": "development"}, "in prod that project has production, and not this domain"),
    ],
)
def test_what_is_not_there_is_refused_whoever_asks(prod: Environment, changed: dict[str, str], reason: str) -> None:
    for project in (None, "churn-prediction"):
        (finding,) = found(prod, project, reference(**changed))
        assert finding.refused
        assert finding.reason.startswith(reason)


def test_without_a_project_it_says_whose_it_is(prod: Environment) -> None:
    (finding,) = found(prod, None)
    assert not finding.refused
    assert "for demand-forecast and churn-prediction only" in finding.reason
    assert "--project" in finding.way_out


def test_a_launch_plan_of_another_project_gives_no_files_back(prod: Environment) -> None:
    (finding,) = found(prod, "churn-prediction", reference(kind="launch plan"))
    assert not finding.refused
    assert "below churn-prediction's prefix" in finding.reason
    assert found(prod, "demand-forecast", reference(kind="launch plan")) == []


def test_the_same_mistake_is_told_once(prod: Environment) -> None:
    assert len(found(prod, "fraud-detection", reference(), reference())) == 1
    assert len(found(prod, "fraud-detection", reference(), reference(subject="another node"))) == 2


TASK = {"reference_id": {"project": "demand-forecast", "domain": "production", "name": "features.build"}}
PLAN = {"launchplan_ref": {"project": "demand-forecast", "domain": "production", "name": "features.nightly"}}
NODES: list[Mapping[str, Any]] = [
    {"id": "n0", "task_node": TASK},
    {"id": "n1", "workflow_node": PLAN},
    # Of the package itself, which has no project before it is registered.
    {"id": "n2", "task_node": {"reference_id": {"name": "churn.train"}}},
    {"id": "n3", "branch_node": {"if_else": {"case": {"then_node": {"id": "n3-n0", "task_node": TASK}}}}},
    {"id": "n4", "array_node": {"node": {"id": "n4-n0", "task_node": TASK}}},
]
REPORT: Mapping[str, Any] = {
    "tasks": [
        {
            "template": {"id": {"name": "churn.plan"}, "type": "python-task"},
            "place": "churn.py:7",
            "maps": None,
            "dynamic": True,
            "connector": False,
            "calls": [],
            "references": [{"kind": "task", **TASK["reference_id"]}],
        }
    ],
    "workflows": [{"name": "churn.all", "nodes": NODES}],
    "launch_plans": [],
    "schedules": [],
}


def test_references_are_found_in_nodes_wherever_they_are_and_in_dynamic_workflows() -> None:
    assert [(one.kind, one.subject, one.place) for one in read(REPORT).references] == [
        ("task", "node n0 of workflow churn.all", None),
        ("launch plan", "node n1 of workflow churn.all", None),
        ("task", "node n3-n0 of workflow churn.all", None),
        ("task", "node n4-n0 of workflow churn.all", None),
        ("task", "task churn.plan", "churn.py:7"),
    ]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command on a package with the report above."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "churn.py").touch()
    (tmp_path / "report.json").write_text(json.dumps(REPORT), "utf-8")
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncp report.json "$2"\n', "utf-8")
    python.chmod(0o755)
    return lambda *arguments: CliRunner().invoke(
        app, ["check-workflows", "churn.py", "--python", str(python), *arguments]
    )


def test_the_command_refuses_them(check: Callable[..., Result]) -> None:
    result = check("-e", "prod", "-p", "fraud-detection")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("5 refused\n")
    assert "churn.py:7: task churn.plan: task features.build of demand-forecast in production: prod does not let " in (
        result.stderr
    )


def test_the_command_tells_what_was_registered_before(check: Callable[..., Result]) -> None:
    result = check("-e", "prod", "-p", "churn-prediction")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, "1 warning")
    assert result.stdout.splitlines()[-3:] == [
        "  registered before:",
        "    features.build    task of demand-forecast in production",
        "    features.nightly  launch plan of demand-forecast in production",
    ]
    references = json.loads(check("--json").stdout)["references"]
    assert [one["name"] for one in references].count("features.build") == 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-p", "churn-prediction"], "--project churn-prediction: what a project may use is the environment's to say"),
        (["-e", "prod", "-p", "churn"], "--project churn: no project of prod; there are fraud-detection, "),
    ],
)
def test_a_project_that_says_nothing_is_told(check: Callable[..., Result], arguments: list[str], told: str) -> None:
    result = check(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"aerodrome check-workflows: {told}")
