"""``aerodrome try``: the Flyte workflow, and what is said where it cannot be run. That it runs is the smoke test's."""

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from aerodrome import flyte_runs
from aerodrome.embedded_aws import EmbeddedAws
from aerodrome.flyte_runs import FlyteRuns
from aerodrome.project import Project
from aerodrome.try_out import flyte, programs, steps
from aerodrome.try_out.display import Display
from aerodrome.try_out.job import JobError, Places
from aerodrome_stacks.environment import load_environment
from tests.interrupts import interruptible
from tests.templates import ROOT

AWS = EmbeddedAws(endpoint="http://127.0.0.1:1", account="111122223333", region="us-east-1")
QUEUE = "arn:aws:batch:us-east-1:111122223333:job-queue/q-spot"
RUNS = FlyteRuns(
    aws=AWS,
    project="fraud-detection",
    domain="development",
    raw_output="s3://raw/fraud-detection/development",
    settings={"queues": {"development": [{"arn": QUEUE, "kind": "spot"}]}},
)
PLACES = Places(
    input_bucket="in",
    output_bucket="out",
    prefix="fraud-detection/development",
    queue="q",
    share="frauddetection",
    job_definition="train",
)
VERDICT = {"released": True, "roc_auc": 0.9, "model": "s3://raw/model.joblib"}

Pyflyte = Callable[[str], None]


@pytest.fixture
def pyflyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pyflyte:
    """Put a command in the place of pyflyte, of a script that finds the verdict of the model in the current folder."""
    project = Project(root=tmp_path)
    monkeypatch.setattr(flyte, "PROJECT", project)
    monkeypatch.setattr(programs, "PROJECT", project)
    (tmp_path / "release.json").write_text(json.dumps(VERDICT), "utf-8")

    def script(text: str) -> None:
        command = project.flytekit_tools / "pyflyte"
        command.parent.mkdir(parents=True)
        command.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        command.chmod(0o755)

    return script


def jobs_in_turn(monkeypatch: pytest.MonkeyPatch, *answers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What AWS Batch lists, each time that it is asked; how it is asked."""
    asked: list[dict[str, Any]] = []
    following = iter(answers)

    def paginate(**request: object) -> list[dict[str, Any]]:
        asked.append(request)
        return [{"jobSummaryList": list(next(following))}]

    batch = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=paginate))
    monkeypatch.setattr(EmbeddedAws, "batch", batch)
    return asked


def test_what_the_run_started_is_counted_and_nothing_else(
    pyflyte: Pyflyte, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = {"jobId": "1"}
    asked = jobs_in_turn(
        monkeypatch, [earlier], [earlier, {"jobId": "2"}, {"jobId": "3", "arrayProperties": {"size": 4}}]
    )
    pyflyte('echo "Running"; echo "$PWD/release.json"; echo "Unclosed client session" >&2')
    lines: list[str] = []

    ran = flyte.run(RUNS, tmp_path / "flyte", tmp_path / "logs" / "flyte.log", lines.append)

    assert (ran.verdict, ran.jobs) == (VERDICT, (4, 1))
    assert lines[0] == "Running\n"
    assert [request["jobQueue"] for request in asked] == [QUEUE, QUEUE]


def test_it_is_led_to_the_embedded_aws_with_a_cache_of_its_own(
    pyflyte: Pyflyte, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    jobs_in_turn(monkeypatch, [], [])
    pyflyte('env > variables; echo "$*" > arguments; echo "$PWD/release.json"')

    flyte.run(RUNS, tmp_path / "flyte", tmp_path / "flyte.log", lambda _: None)

    variables = dict(line.split("=", 1) for line in (tmp_path / "variables").read_text("utf-8").splitlines())
    assert "AWS_PROFILE" not in variables
    assert variables["AWS_ENDPOINT_URL"] == AWS.endpoint
    assert variables["FLYTE_AWS_BATCH_PROJECT"] == "fraud-detection"
    assert json.loads(Path(variables["FLYTEKIT_AWS_BATCH_CONFIG"]).read_text("utf-8")) == RUNS.settings
    for kept in ("HOME", "TMPDIR"):
        assert Path(variables[kept]).is_relative_to(tmp_path / "flyte")
        assert Path(variables[kept]).is_dir()
    arguments = (tmp_path / "arguments").read_text("utf-8")
    assert arguments.startswith(f"run --raw-output-data-prefix {RUNS.raw_output} {flyte.FILE} {flyte.WORKFLOW} ")


def test_the_workflow_that_it_runs_is_there() -> None:
    text = (ROOT / flyte.FILE).read_text("utf-8")
    assert f"def {flyte.WORKFLOW}(" in text
    assert '"release.json"' in text


@pytest.mark.parametrize("script", ["echo 'RefusedError: no such queue'; exit 1", "echo 'RefusedError: no such queue'"])
def test_a_failure_is_told_with_the_end_of_the_log(
    pyflyte: Pyflyte, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    jobs_in_turn(monkeypatch, [])
    pyflyte(script)
    with pytest.raises(JobError, match=r"(?s)train_fraud_model failed; the end of .*flyte\.log.*RefusedError: no such"):
        flyte.run(RUNS, tmp_path / "flyte", tmp_path / "flyte.log", lambda _: None)


def test_an_interrupt_has_it_end_its_jobs(pyflyte: Pyflyte, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs_in_turn(monkeypatch, [])
    # A shell that waits hears of a signal when its child has ended, unless the child gets it, too.
    pyflyte("trap 'echo ended > told; exit 1' INT\necho Running\nwhile :; do sleep 0.05; done")

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with interruptible(), pytest.raises(KeyboardInterrupt):
        flyte.run(RUNS, tmp_path / "flyte", tmp_path / "flyte.log", interrupt)
    assert (tmp_path / "told").exists()


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs of the workflow, each by its log; the first starts jobs, and later ones none."""
    logs: list[str] = []

    def run(_runs: FlyteRuns, _folder: Path, log: Path, _on_line: object) -> flyte.Ran:
        logs.append(log.name)
        return flyte.Ran(verdict=VERDICT, jobs=(4, 1, 1) if len(logs) == 1 else ())

    monkeypatch.setattr(flyte, "run", run)
    monkeypatch.setattr(flyte, "is_installed", lambda: True)
    monkeypatch.setattr(flyte_runs, "of_releases", lambda *_, **__: RUNS)
    monkeypatch.setattr(EmbeddedAws, "releases", lambda _: [])
    return logs


def shown(tmp_path: Path, name: str = "dev", *, connector: bool = True) -> tuple[flyte.Ran | None, list[str]]:
    environment = load_environment(name, ROOT / "environments")
    if not connector:
        flyte_of = environment.flyte.model_copy(update={"batch_connector": None})
        environment = environment.model_copy(update={"flyte": flyte_of})
    text = io.StringIO()
    display = Display(Console(file=text, width=200))
    found = steps.run_workflow(AWS, environment, PLACES, tmp_path / "local", display)
    return found, [line.rpartition(" (")[0] or line for line in text.getvalue().splitlines()]


def test_it_is_run_twice_and_both_are_told(ran: list[str], tmp_path: Path) -> None:
    found, lines = shown(tmp_path)
    assert found is not None
    assert lines == [
        "✓ Run a Flyte workflow whose tasks are jobs of AWS Batch: an array of 4 jobs and 2 jobs by themselves",
        "✓ Run it once more, with what is cached: no job",
    ]
    assert ran == ["flyte.log", "flyte-cached.log"]


def test_what_an_earlier_run_did_is_not_run_again(ran: list[str], tmp_path: Path) -> None:
    shown(tmp_path)
    found, lines = shown(tmp_path)
    assert found is not None
    assert lines == ["✓ Run a Flyte workflow whose tasks are jobs of AWS Batch: an earlier run did"]
    assert len(ran) == 3


def test_where_flytekit_is_not_installed_it_is_left_out(
    ran: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flyte, "is_installed", lambda: False)
    found, (line,) = shown(tmp_path)
    assert found is None
    assert line.endswith("left out: flytekit needs Python 3.11 or 3.12, and this machine has neither")
    assert ran == []


def test_where_there_is_no_connector_it_is_left_out(ran: list[str], tmp_path: Path) -> None:
    found, (line,) = shown(tmp_path, connector=False)
    assert found is None
    assert line.endswith("left out: dev has no connector for AWS Batch")
    assert ran == []
