"""``aerodrome check-workflows``, without flytekit: what it makes of a report, and of an interpreter that gives none.

What flytekit reports of real packages is tested in tests/workflows/flyte, in the environment that has it.
"""

import json
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from aerodrome.check_workflows import load
from aerodrome.check_workflows.ceilings import beyond
from aerodrome.check_workflows.facts import Ask, Package, Task, quantity
from aerodrome.check_workflows.schedules import crowding
from aerodrome.main import app
from aerodrome_stacks.chart_values.flyte_projects import task_limits, template_values
from aerodrome_stacks.environment import Environment, load_environment

ENVIRONMENTS = Path(__file__).parents[2] / "environments"

Check = Callable[..., Result]


def template(name: str = "team.jobs.train", kind: str = "aws-batch", **more: object) -> dict[str, Any]:
    return {"id": {"name": name}, "type": kind, **more}


HOUR = {"timeout": "3600s"}


def limits(**values: str) -> dict[str, Any]:
    return {"resources": {"limits": [{"name": name, "value": value} for name, value in values.items()]}}


def reported(*templates: Mapping[str, Any]) -> dict[str, Any]:
    beside: dict[str, object] = {
        "place": "jobs.py:7",
        "maps": None,
        "dynamic": False,
        "connector": False,
        "calls": [],
        "references": [],
    }
    tasks = [{"template": one, **beside} for one in templates]
    return {"tasks": tasks, "workflows": [], "launch_plans": [], "schedules": []}


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Run the command on a package, with an interpreter that does what it is told to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs.py").touch()

    def run(*arguments: str, report: object = None, script: str = 'cp report.json "$2"') -> Result:
        (tmp_path / "report.json").write_text(json.dumps(report), "utf-8")
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        python.chmod(0o755)
        return CliRunner().invoke(app, ["check-workflows", "jobs.py", "--python", str(python), *arguments])

    return run


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", "2"), ("500m", "0.5"), ("1.5", "1.5"), ("1e3", "1000"), ("14Gi", "15032385536"), ("2G", "2000000000")],
)
def test_a_quantity_is_kubernetes_number(text: str, value: str) -> None:
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1gi", "one"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity such as 500m, 2 or 16Gi"):
        quantity(text)


@pytest.mark.parametrize(("retries", "attempts"), [(0, 2), (1, 2), (3, 4), (9, 10), (50, 10)])
def test_attempts_are_what_the_plugin_makes_of_retries(retries: int, attempts: int) -> None:
    task = Task(template=template(metadata={"retries": {"retries": retries}}))
    assert task.ask.attempts == attempts


def test_what_the_plugin_asks_for() -> None:
    """transformer.go: whole vCPUs, memory by 10^6 bytes, each rounded up; where there is no limit, the request."""
    asked = limits(CPU="1200m", MEMORY="1Gi")
    said = Task(template=template(container=asked, metadata={"timeout": "90.5s"}))
    assert said.ask == Ask(vcpus=2, memory=1074, attempts=2, timeout=91)
    requested = {"resources": {"requests": asked["resources"]["limits"]}}
    assert Task(template=template(container=requested)).ask == Ask(vcpus=2, memory=1074, attempts=2, timeout=None)
    assert Task(template=template()).ask == Ask(vcpus=None, memory=None, attempts=2, timeout=None)


def test_a_good_package(check: Check) -> None:
    train = template(container=limits(CPU="4", MEMORY="16G"), metadata={"timeout": "3600s", "retries": {"retries": 3}})
    pod = template("team.jobs.ingest", "python-task", metadata={"discoverable": True}, container=limits(CPU="1"))
    result = check(report=reported(train, pod))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "jobs.py: 2 tasks, 0 workflows, 0 launch plans; nothing that AWS Batch would not do",
        "  on AWS Batch, by Flyte's own plugin:",
        "    team.jobs.train  4 vCPUs, 16000 MiB, 4 attempts of at most 1:00:00 each",
        "  as pods:",
        "    team.jobs.ingest  cpu 1, cached",
    ]


def test_a_warning_refuses_nothing(check: Check) -> None:
    result = check(report=reported(template(metadata=HOUR)))
    assert result.exit_code == 0
    assert result.stderr == (
        "jobs.py:7: warning: task team.jobs.train: no cpu and no memory: the platform's default decides, which is "
        "meant for small pods; say it: limits=Resources(cpu=..., mem=...)\n"
        "1 warning\n"
    )
    assert "the default vCPUs, the default memory, 2 attempts of at most 1:00:00 each" in result.stdout


def scheduled() -> dict[str, Any]:
    """A package with two schedules, of which one has no limit."""
    report = reported(template("team.jobs.clean", "python-task"))
    report["schedules"] = [
        {"launch_plan": "team.jobs.hourly", "concurrency": None},
        {"launch_plan": "team.jobs.nightly", "concurrency": 1},
    ]
    return report


def test_a_schedule_whose_executions_may_pile_up_is_told(check: Check) -> None:
    result = check(report=scheduled())
    assert result.exit_code == 0
    (line, count) = result.stderr.splitlines()
    assert line.startswith("warning: launch plan team.jobs.hourly: a schedule without concurrency: ")
    assert line.endswith("write concurrency=ConcurrencyPolicy(max_concurrency=1), or as many as may run at once")
    assert count == "1 warning"


@pytest.mark.parametrize(("env", "domain"), [("staging", "staging"), ("prod", "production")])
def test_a_schedule_whose_executions_may_pile_up_is_refused_beyond_development(
    check: Check, env: str, domain: str
) -> None:
    result = check("--env", env, report=scheduled())
    (line, count) = result.stderr.splitlines()
    assert (result.exit_code, count) == (2, "1 refused")
    assert line.startswith("launch plan team.jobs.hourly: a schedule without concurrency: ")
    assert f"start together, which {env} does not allow in {domain}; write concurrency=" in line


def test_a_schedule_is_tried_out_in_development(check: Check) -> None:
    result = check("--env", "dev", report=scheduled())
    (line, count) = result.stderr.splitlines()
    assert (result.exit_code, count) == (0, "1 warning")
    assert line.startswith("warning: launch plan team.jobs.hourly: a schedule without concurrency: ")


@pytest.mark.parametrize(
    ("domains", "refused"), [(["development"], False), (["staging"], True), (["development", "production"], True)]
)
def test_the_domains_of_the_projects_that_it_may_be_for_decide_about_a_schedule(
    domains: list[str], *, refused: bool
) -> None:
    dev = load_environment("dev", ENVIRONMENTS)
    (some, *_) = dev.projects
    own = some.model_copy(update={"domains": dict.fromkeys(domains, some.domains["development"])})
    package = Package(tasks=[], workflows=[], launch_plans=[], nodes=[], crowding=["team.jobs.hourly"])
    (found,) = crowding(package, dev.model_copy(update={"projects": (own,)}))
    assert found.refused is refused


def test_a_program_gets_json(check: Check) -> None:
    asked = limits(CPU="4", MEMORY="16G")
    wrong = template(container=asked, custom={"platformCapabilities": "FARGATE"}, metadata=HOUR)
    result = check("--json", report=reported(wrong))
    assert (result.exit_code, result.stderr) == (2, "")
    document = json.loads(result.stdout)
    assert document["tasks"] == [
        {
            "name": "team.jobs.train",
            "type": "aws-batch",
            "asks": {"vcpus": 4, "memory": 16000, "attempts": 2, "timeout": 3600},
        }
    ]
    (finding,) = document["findings"]
    assert (finding["refused"], finding["place"], finding["value"]) == (
        True,
        "jobs.py:7",
        "platformCapabilities='FARGATE'",
    )


def test_a_task_that_the_environment_cannot_give_is_refused(check: Check) -> None:
    # dev lets a project have 32 vCPUs and 128 GiB, and no GPU; its nodes have 8 and 32.
    asked = limits(CPU="33", MEMORY="129Gi", GPU="1")
    job = template("team.jobs.train", container=asked, metadata=HOUR)
    pod = template("team.jobs.clean", "python-task", container=asked)
    result = check("--env", "dev", report=reported(job, pod))
    assert result.exit_code == 2
    own = [line for line in result.stderr.splitlines() if " at most in dev" in line]
    of_quota = "quota of a project; ask for less, or raise the quota in projects[].domains of the environment's file"
    of_node = "ask for less, or name larger instance types in cluster.spot_nodes of the environment's file"
    expected = [
        *(
            f"jobs.py:7: task team.jobs.train: {value}: a task may have {most} at most in dev: the largest {of_quota}"
            for value, most in [("vCPUs: 33", "32"), ("memory: 129Gi", "128Gi"), ("GPUs: 1", "0")]
        ),
        *(
            f"jobs.py:7: task team.jobs.clean: {value}: a pod may have {most} at most in dev: what the largest node "
            f"has for it; {of_node}"
            for value, most in [("vCPUs: 33", "7"), ("memory: 129Gi", "27Gi")]
        ),
        f"jobs.py:7: task team.jobs.clean: GPUs: 1: a task may have 0 at most in dev: the largest {of_quota}",
    ]
    assert own == expected
    assert check(report=reported(pod)).exit_code == 0, "no environment is named"


def found_beyond(environment: Environment, kind: str, **asked: str) -> int:
    task = Task(template=template(kind=kind, container=limits(**asked)))
    return len(list(beyond(Package(tasks=[task], workflows=[], launch_plans=[], nodes=[]), environment)))


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_a_job_may_ask_for_what_flyteadmin_is_told_and_a_pod_for_what_its_namespace_is(name: str) -> None:
    environment = load_environment(name, ENVIRONMENTS)
    registered = {key: str(value) for key, value in task_limits(environment).items()}
    container = template_values(environment, environment.largest_quota())
    pod = {"cpu": container["containerMaxCpu"], "memory": container["containerMaxMemory"]}
    for kind, most in (("aws-batch", registered), ("python-task", pod)):
        assert found_beyond(environment, kind, CPU=most["cpu"], MEMORY=most["memory"]) == 0
        assert found_beyond(environment, kind, MEMORY=f"{int(most['memory'].removesuffix('Gi')) + 1}Gi") > 0
        assert found_beyond(environment, kind, CPU=str(int(most["cpu"]) + 1)) > 0
    assert found_beyond(environment, "python-task", GPU=str(int(registered["gpu"]) + 1)) == 1


def test_a_project_is_held_against_its_own_quota(check: Check) -> None:
    # demand-forecast has 16 vCPUs in dev.
    job = template(container=limits(CPU="17", MEMORY="1Gi"), metadata=HOUR)
    assert check("-e", "dev", report=reported(job)).exit_code == 0
    result = check("-e", "dev", "-p", "demand-forecast", report=reported(job))
    assert result.exit_code == 2
    assert "vCPUs: 17: a task may have 16 at most in dev" in result.stderr


def test_a_job_larger_than_all_of_batch_would_wait_for_ever() -> None:
    environment = load_environment("dev", ENVIRONMENTS)
    small = environment.model_copy(
        update={"batch": environment.batch.model_copy(update={"spot_vcpus": 8, "on_demand_vcpus": 4})}
    )

    def found(cpu: str) -> list[str]:
        task = Task(template=template(container=limits(CPU=cpu, MEMORY="1Gi")))
        package = Package(tasks=[task], workflows=[], launch_plans=[], nodes=[])
        return [finding.reason for finding in beyond(package, small)]

    assert found("8") == []
    assert found("8500m") == ["AWS Batch has 8 in dev at most, so the job would wait in RUNNABLE"]


def test_an_invalid_environment_is_told_before_anything_is_loaded(check: Check) -> None:
    result = check("--env", "moon", report=reported(template()))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "moon" in result.stderr


@pytest.mark.parametrize(
    ("package", "told"),
    [
        ("nothing.here", "nothing.here: neither a folder or file here, nor a package or module in "),
        ("empty", "empty: no Python file in this folder; name the folder or the file of the workflows"),
        ("notes.txt", "notes.txt: not a Python file; name the folder or the file of the workflows"),
    ],
)
def test_what_is_no_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, told: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    result = CliRunner().invoke(app, ["check-workflows", package])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"aerodrome check-workflows: {told}")


def test_a_file_in_a_package_is_imported_as_a_part_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "team" / "jobs"
    folder.mkdir(parents=True)
    for file in (folder.parent / "__init__.py", folder / "__init__.py"):
        file.touch()
    (folder / "nightly.py").write_text("import flytekit\n", "utf-8")
    nightly = ["team.jobs.nightly"]
    assert load.source(str(folder / "nightly.py")) == load.Source(root=tmp_path, modules=nightly)
    assert load.source(str(folder)) == load.Source(root=tmp_path, modules=nightly, files=2)
    assert load.source(str(tmp_path)) == load.Source(root=tmp_path, modules=nightly, files=3)


def test_of_two_packages_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["check-workflows", "a.py", "b.py", "--env", "dev"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "aerodrome check-workflows: a.py b.py: one package at a time; name the folder that they are in, or one after "
        "the other\n"
    )


def test_an_interpreter_without_flytekit_is_told(check: Check) -> None:
    # The one that runs this test has none: docs/adr/0013.
    result = check("--python", sys.executable)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"aerodrome check-workflows: {sys.executable} has no flytekit (No module named 'flytekit'); run "
        "`make check-workflows`, which installs it, or name with --python the interpreter that has it and what the "
        "package imports\n"
    )


def test_an_interpreter_that_is_none_is_told(check: Check) -> None:
    result = check("--python", "/nowhere/python")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("aerodrome check-workflows: /nowhere/python: no Python interpreter")


def test_an_interpreter_that_dies_is_told_with_its_last_words(check: Check) -> None:
    result = check(script="echo 'first'>&2; echo 'Illegal instruction'>&2; exit 132")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("ended with status 132 while it loaded the package: Illegal instruction\n")


def test_a_package_without_tasks_is_told(check: Check) -> None:
    result = check(report=reported())
    assert result.exit_code == 2
    assert result.stderr.startswith("aerodrome check-workflows: jobs: no task of Flyte in it; ")
