"""``aerodrome check-workflows``, with tasks of the connector for AWS Batch as flytekit loads them."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Command = Callable[..., CompletedProcess[str]]

HEAD = """\
from datetime import timedelta
from flytekit import Resources, dynamic, task, workflow
from flytekit import map_task as flytekits_map_task
from flytekit_aws_batch import AWSBatch, AWSBatchContainerTask, map_task

SMALL = Resources(cpu="1", mem="2Gi")
HOUR = timedelta(hours=1)

@task(task_config=AWSBatch(), limits=SMALL, timeout=HOUR, interruptible=True, retries=20, cache=True, cache_version="1")
def job(a: int) -> int:
    return a
"""


def on_batch(options: str, config: str = "") -> str:
    return f"@task(task_config=AWSBatch({config}), {options})\ndef wrong(a: int) -> int:\n    return a\n"


def in_map(call: str) -> str:
    return f"@workflow\ndef wrong(a: list[int]) -> list[int]:\n    return {call}\n"


# the code; the value, the reason and the way out, by what of each a reader has to find; whether it is refused in dev
TOLD: Mapping[str, tuple[str, str, str, str, bool]] = {
    "gpu": (
        on_batch("limits=Resources(cpu='8', mem='30Gi', gpu='1'), timeout=HOUR"),
        "queue of kind 'gpu', as gpus=1",
        "development has none",
        "leave gpu out, or have batch.gpu written into environments/dev.yaml",
        True,
    ),
    "queue_elsewhere": (
        on_batch("limits=SMALL, timeout=HOUR", "queue='aerodrome-prod-production-spot'"),
        "queue='aerodrome-prod-production-spot'",
        "aerodrome-dev-development-spot (spot)",
        "give one of them, or its kind",
        True,
    ),
    "size_of_a_queue": (
        on_batch("limits=Resources(cpu='3', mem='8Gi'), timeout=HOUR", "queue='aerodrome-dev-development-fargate'"),
        "vcpus=3",
        "Fargate has 0.25, 0.5, 1, 2",
        "give one of them",
        True,
    ),
    "overridden": (
        in_map("map_task(job)(a=a).with_overrides(limits=Resources(mem='8Gi'))"),
        "with_overrides(memory='8Gi')",
        "hears of no override",
        "@task(limits=...)",
        True,
    ),
    "mapped": (
        in_map("flytekits_map_task(job)(a=a)"),
        "map_task(job)",
        "a job by itself of each element",
        "map_task of flytekit_aws_batch",
        False,
    ),
    "no_timeout": (on_batch("limits=SMALL"), "no timeout", "hangs", "timeout=timedelta(...)", False),
    "no_memory": (
        on_batch("limits=Resources(cpu='1'), timeout=HOUR"),
        "no memory",
        "default decides",
        "Resources(cpu=..., mem=...)",
        False,
    ),
}

# What the plugin cannot do, and the connector does.
FINE = """\
@workflow
def mapped(a: list[int]) -> list[int]:
    return map_task(job, concurrency=5, min_success_ratio=1.0)(a=a)

@dynamic
def shaped(a: int) -> int:
    return job(a=a)

@task(task_config=AWSBatch(queue="fargate"), limits=Resources(cpu="0.25", mem="512Mi"), timeout=timedelta(minutes=5))
def quick(a: int) -> int:
    return a

raw = AWSBatchContainerTask(
    name="fine.raw", image="registry.invalid/tool:1", command=["count"], limits=SMALL, inputs={"a": int}
)
"""


@pytest.fixture(scope="module")
def report(check: Command, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What is found in a folder with every mistake in it, held against dev."""
    folder = tmp_path_factory.mktemp("mistakes")
    for name, code in {**{name: code for name, (code, *_) in TOLD.items()}, "fine": FINE}.items():
        (folder / f"{name}.py").write_text(HEAD + code, "utf-8")
    done = check(folder, "--env", "dev", "--json")
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def of_module(report: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return [finding for finding in report["findings"] if f" {name}." in finding["subject"]]


@pytest.mark.parametrize("name", TOLD)
def test_a_mistake_is_told_with_its_value_the_reason_and_the_way_out(report: Mapping[str, Any], name: str) -> None:
    _, value, reason, way_out, refused = TOLD[name]
    (finding,) = of_module(report, name)
    assert finding["value"] == value
    assert reason in finding["reason"]
    assert way_out in finding["way_out"]
    assert finding["refused"] is refused


def test_what_the_connector_can_do_is_not_refused(report: Mapping[str, Any]) -> None:
    types = {task["name"]: task["type"] for task in report["tasks"] if task["name"].startswith("fine.")}
    assert set(types.values()) == {"aws-batch-job", "python-task"}
    assert [task["asks"]["spec"] for task in report["tasks"] if task["name"] == "fine.quick"] == [{"queue": "fargate"}]
    found = of_module(report, "fine")
    assert [finding["value"] for finding in found] == ["no timeout"], "of the raw container, which has none"


def test_a_map_is_found_where_its_function_is_written(check: Command, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(HEAD + in_map("map_task(job)(a=a)"), "utf-8")
    text = (tmp_path / "jobs.py").read_text("utf-8").replace("timeout=HOUR, ", "")
    (tmp_path / "jobs.py").write_text(text, "utf-8")
    done = check("jobs.py", cwd=tmp_path)
    line = next(number for number, text in enumerate(HEAD.splitlines(), 1) if text.startswith("@task"))
    assert done.returncode == 0
    task, mapping, count = done.stderr.splitlines()
    assert task.startswith(f"jobs.py:{line}: warning: task jobs.job: no timeout: ")
    assert mapping.startswith(f"jobs.py:{line}: warning: task jobs.map_job_")
    assert count == "2 warnings"


def test_what_no_account_has_is_refused_where_it_is_written(check: Command, tmp_path: Path) -> None:
    code = on_batch("limits=Resources(cpu='3', mem='30Gi', gpu='1')", "queue='fargate'")
    (tmp_path / "jobs.py").write_text(HEAD + code, "utf-8")
    done = check("jobs.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    here = f"aerodrome check-workflows: jobs.py:{HEAD.count(chr(10)) + 1}: "
    *problems, last = done.stderr.splitlines()
    assert [line.partition("=")[0] for line in problems] == [
        f"{here}task jobs.wrong cannot run on AWS Batch: {name}" for name in ("vcpus", "gpus")
    ]
    assert "vcpus=3: Fargate has 0.25, 0.5, 1, 2" in problems[0]
    assert "gpus=1: Fargate has none" in problems[1]
    assert last == f"{here}the package does not load; mend this line, since `pyflyte register` would stop at it, too"


def test_every_problem_of_a_config_is_a_line(check: Command, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(HEAD + on_batch("limits=SMALL", "reclaims=-1, nodes=0"), "utf-8")
    done = check("jobs.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    *problems, last = done.stderr.splitlines()
    here = f"aerodrome check-workflows: jobs.py:{HEAD.count(chr(10)) + 1}: "
    assert len(problems) == 2
    assert problems[0].startswith(f"{here}AWSBatch(reclaims=-1)")
    assert problems[1].startswith(f"{here}AWSBatch(nodes=0)")
    assert last.startswith(f"{here}the package does not load; mend this line")


def test_a_timeout_that_is_none_is_told_where_it_is_written_with_what_to_write(check: Command, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(HEAD + on_batch("limits=SMALL, timeout='5m'"), "utf-8")
    done = check("jobs.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"aerodrome check-workflows: jobs.py:{HEAD.count(chr(10)) + 1}: the package does not load: ")
    assert "; write timeout=timedelta(minutes=5), or a number of seconds; mend this line" in line


def test_a_config_without_its_parentheses_is_told_where_it_is_written(check: Command, tmp_path: Path) -> None:
    code = "@task(task_config=AWSBatch)\ndef wrong(a: int) -> int:\n    return a\n"
    (tmp_path / "jobs.py").write_text(HEAD + code, "utf-8")
    done = check("jobs.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    here = f"aerodrome check-workflows: jobs.py:{HEAD.count(chr(10)) + 1}: "
    assert done.stderr.splitlines()[0] == (
        f"{here}task jobs.wrong cannot run on AWS Batch: task_config=AWSBatch: that is the class; write "
        "task_config=AWSBatch()"
    )
