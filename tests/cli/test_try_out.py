"""What ``aerodrome try`` says when something is in its way. That it works is the smoke test's to show."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from typer.testing import CliRunner

from aerodrome.embedded_aws import EmbeddedAws, EmbeddedAwsError, run_embedded_aws
from aerodrome.main import app
from aerodrome.project import NotInstalledError, Project
from aerodrome.try_out import deploy, job, steps
from aerodrome.try_out.display import Display

AWS = EmbeddedAws(endpoint="http://127.0.0.1:1", account="111122223333", region="us-east-1")
DEFINITIONS = [
    {"revision": 9, "jobDefinitionArn": "arn:aws:batch:us-east-1:111122223333:job-definition/train:9"},
    {"revision": 10, "jobDefinitionArn": "arn:aws:batch:us-east-1:111122223333:job-definition/train:10"},
]
PLACES = job.Places(
    input_bucket="in",
    output_bucket="out",
    prefix="fraud-detection/development",
    queue="queue",
    share="frauddetection",
    job_definition="train",
)


def test_an_unknown_environment_ends_with_status_2_and_the_names_that_there_are() -> None:
    result = CliRunner().invoke(app, ["try", "--env", "prd"])

    assert result.exit_code == 2
    assert "prd" in result.stderr
    assert "dev, prod and staging" in result.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotInstalledError("the CDK CLI is not installed"), 1),
        (EmbeddedAwsError("no free port"), 1),
        (deploy.CdkError("`cdk deploy` failed"), 1),
        (job.JobError("job 1 failed"), 1),
        (ClientError({"Error": {"Code": "NoSuchKey", "Message": "gone"}}, "GetObject"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_a_step_that_fails_ends_with_a_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(steps, "run", fail)

    result = CliRunner().invoke(app, ["try"])

    assert result.exit_code == status
    assert (str(error) or "interrupted") in result.stderr
    assert "Traceback" not in result.output


def test_a_failed_cdk_command_shows_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cdk = tmp_path / "node_modules" / ".bin" / "cdk"
    cdk.parent.mkdir(parents=True)
    cdk.write_text("#!/bin/sh\necho 'the bucket is taken'\nexit 1\n")
    cdk.chmod(0o755)
    monkeypatch.setattr(deploy, "PROJECT", Project(root=tmp_path))

    with pytest.raises(deploy.CdkError, match=r"(?s)cdk synth.*synth\.log.*the bucket is taken"):
        deploy.synthesize(AWS, "dev", tmp_path / "cdk.out", tmp_path / "logs" / "synth.log")


def test_every_stack_that_the_cli_finishes_is_counted_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cdk = tmp_path / "node_modules" / ".bin" / "cdk"
    cdk.parent.mkdir(parents=True)
    cdk.write_text("#!/bin/sh\necho '✅  Keys (aerodrome-dev-keys)'\necho ' ✅  Network (no changes)'\n")
    cdk.chmod(0o755)
    monkeypatch.setattr(deploy, "PROJECT", Project(root=tmp_path))
    seen: list[str] = []

    count = deploy.deploy(AWS, tmp_path / "cdk.out", tmp_path / "deploy.log", seen.append)

    assert (count, seen) == (2, ["Keys", "Network"])


def test_what_is_not_installed_is_named_with_the_way_to_install_it(tmp_path: Path) -> None:
    project = Project(root=tmp_path)

    with pytest.raises(NotInstalledError, match=r"the CDK CLI is not installed.*make setup"):
        _ = project.cdk
    with pytest.raises(NotInstalledError, match=r"the embedded AWS is not installed.*make setup"):
        _ = project.embedded_aws_python


def test_nothing_of_the_callers_aws_credentials_reaches_what_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")

    variables = AWS.environment_variables()

    assert {name: value for name, value in variables.items() if value in ("production", "real")} == {}
    assert variables["AWS_ENDPOINT_URL"] == AWS.endpoint
    assert variables["AWS_ACCESS_KEY_ID"] == AWS.account


def test_a_failure_of_the_embedded_aws_is_told_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedAwsError, match=str(tmp_path)):
        run_embedded_aws("reset", tmp_path)


def test_a_failed_job_is_told_with_its_reason_and_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"status": "FAILED", "statusReason": "Essential container exited", "container": {"logStreamName": "log/1"}}
    batch = SimpleNamespace(
        describe_job_definitions=lambda **_: {"jobDefinitions": DEFINITIONS},
        list_jobs=lambda **_: {"jobSummaryList": [{"jobId": "old", "status": "FAILED"}]},
        submit_job=lambda **_: {"jobId": "new"},
        describe_jobs=lambda jobs: {"jobs": [failed | {"jobId": jobs[0]}]},
    )
    monkeypatch.setattr(EmbeddedAws, "batch", batch)

    with pytest.raises(job.JobError, match="job new failed: Essential container exited; log stream: log/1"):
        job.train(AWS, PLACES, "digest", lambda _: None)


def test_a_job_of_an_interrupted_run_is_waited_for_and_not_submitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[str] = []
    answers = iter(["RUNNABLE", "SUCCEEDED"])

    def describe_jobs(jobs: list[str]) -> dict[str, Any]:
        assert jobs == ["running"]
        return {"jobs": [{"status": next(answers)}]}

    batch = SimpleNamespace(
        describe_job_definitions=lambda **_: {"jobDefinitions": DEFINITIONS},
        list_jobs=lambda **_: {"jobSummaryList": [{"jobId": "running", "status": "RUNNING"}]},
        describe_jobs=describe_jobs,
    )
    monkeypatch.setattr(EmbeddedAws, "batch", batch)

    assert job.train(AWS, PLACES, "digest", states.append)
    assert states == ["RUNNABLE", "SUCCEEDED"]


@pytest.mark.parametrize(
    ("earlier", "output", "submitted"),
    [
        ("train-digest-10", ["model.joblib", "metrics.json"], False),
        # Of the definition before the last change of the code.
        ("train-digest-9", ["model.joblib", "metrics.json"], True),
        # Somebody has deleted what it wrote.
        ("train-digest-10", ["model.joblib"], True),
    ],
)
def test_a_run_is_spared_only_if_the_same_code_has_trained_on_the_same_input_and_its_output_is_there(
    monkeypatch: pytest.MonkeyPatch, earlier: str, output: list[str], *, submitted: bool
) -> None:
    requests: list[dict[str, Any]] = []

    def list_jobs(filters: list[dict[str, Any]], **_: object) -> dict[str, Any]:
        found = [{"jobId": "old", "status": "SUCCEEDED"}] if filters[0]["values"] == [earlier] else []
        return {"jobSummaryList": found}

    def submit_job(**request: object) -> dict[str, str]:
        requests.append(request)
        return {"jobId": "new"}

    batch = SimpleNamespace(
        describe_job_definitions=lambda **_: {"jobDefinitions": DEFINITIONS},
        list_jobs=list_jobs,
        submit_job=submit_job,
        describe_jobs=lambda jobs: {"jobs": [{"jobId": jobs[0], "status": "SUCCEEDED"}]},
    )
    s3 = SimpleNamespace(
        list_objects_v2=lambda Prefix, **_: {"Contents": [{"Key": Prefix + name} for name in output]}  # noqa: N803 - AWS's name
    )
    monkeypatch.setattr(EmbeddedAws, "batch", batch)
    monkeypatch.setattr(EmbeddedAws, "s3", s3)

    assert job.train(AWS, PLACES, "digest", lambda _: None) is submitted
    assert [request["jobName"] for request in requests] == (["train-digest-10"] if submitted else [])
    for request in requests:
        # As the project itself would: with its share and its tags, from and to its own prefix.
        assert request["shareIdentifier"] == "frauddetection"
        assert request["tags"] == {"aerodrome:project": "fraud-detection", "aerodrome:domain": "development"}
        assert request["parameters"] == {
            "input": "s3://in/fraud-detection/development/tutorial/breast-cancer.csv",
            "output": "s3://out/fraud-detection/development/tutorial/breast-cancer",
        }


def test_an_interrupt_ends_a_cli_that_does_not_end_when_it_is_asked_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cdk = tmp_path / "node_modules" / ".bin" / "cdk"
    cdk.parent.mkdir(parents=True)
    cdk.write_text("#!/bin/sh\ntrap '' TERM\necho '✅  Keys'\nwhile :; do sleep 0.1; done\n")
    cdk.chmod(0o755)
    monkeypatch.setattr(deploy, "PROJECT", Project(root=tmp_path))
    monkeypatch.setattr(deploy, "_PATIENCE", 0.2)

    def interrupt(_stack: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy.deploy(AWS, tmp_path / "cdk.out", tmp_path / "deploy.log", interrupt)


def test_a_terminal_sees_a_step_while_it_runs_and_a_pipe_sees_plain_lines() -> None:
    terminal, pipe = io.StringIO(), io.StringIO()
    for display in (Display(Console(file=terminal, force_terminal=True)), Display(Console(file=pipe))):
        with display.step("Deploy") as step:
            step.progress("3 stacks done")
            step.result = "11 stacks"

    assert "Deploy" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()
    assert pipe.getvalue().startswith("✓ Deploy: 11 stacks (")
    assert pipe.getvalue().count("\n") == 1
