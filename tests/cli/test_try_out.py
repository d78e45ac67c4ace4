"""What ``aerodrome try`` says when something is in its way. That it works is the smoke test's to show."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from aerodrome.embedded_aws import EmbeddedAws, EmbeddedAwsError, run_embedded_aws
from aerodrome.main import app
from aerodrome.project import PROJECT, NotInstalledError, Project
from aerodrome.try_out import deploy, job, programs, stack_states, steps
from aerodrome.try_out.display import Display
from aerodrome_stacks.environment import load_environment

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


def test_the_reason_of_a_failure_is_shown_however_much_comes_after_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cdk = tmp_path / "node_modules" / ".bin" / "cdk"
    cdk.parent.mkdir(parents=True)
    cdk.write_text("#!/bin/sh\necho 'Backup | UPDATE_FAILED | Export x is in use by y'\nseq 1000 1099\nexit 1\n")
    cdk.chmod(0o755)
    monkeypatch.setattr(deploy, "PROJECT", Project(root=tmp_path))

    with pytest.raises(deploy.CdkError) as failure:
        deploy.synthesize(AWS, "dev", tmp_path / "cdk.out", tmp_path / "synth.log")

    shown = str(failure.value).splitlines()[1:]
    assert shown == ["Backup | UPDATE_FAILED | Export x is in use by y", *map(str, range(1075, 1100))]


def test_every_stack_that_the_cli_finishes_is_counted_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cdk = tmp_path / "node_modules" / ".bin" / "cdk"
    cdk.parent.mkdir(parents=True)
    cdk.write_text("#!/bin/sh\necho '✅  Keys (aerodrome-dev-keys)'\necho ' ✅  Network (no changes)'\n")
    cdk.chmod(0o755)
    monkeypatch.setattr(deploy, "PROJECT", Project(root=tmp_path))
    seen: list[str] = []

    count = deploy.deploy(AWS, tmp_path / "cdk.out", tmp_path / "deploy.log", seen.append)

    assert (count, seen) == (2, ["Keys", "Network"])


def test_the_state_of_each_stack_says_whether_the_next_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {
        "aerodrome-dev-keys": "CREATE_COMPLETE",
        "aerodrome-dev-network": "UPDATE_ROLLBACK_COMPLETE",
        "aerodrome-dev-costs": "REVIEW_IN_PROGRESS",
        "aerodrome-dev-file-systems": "ROLLBACK_COMPLETE",
        "somebody-elses": "UPDATE_ROLLBACK_FAILED",
        "somebody-elses-new": "ROLLBACK_COMPLETE",
    }
    monkeypatch.setattr(EmbeddedAws, "stacks", lambda _: stacks_in(states))

    assert stack_states.stuck(AWS) == []
    assert stack_states.never_created(AWS) == ["aerodrome-dev-file-systems"]
    what_next = stack_states.next_run(AWS)
    assert "deletes aerodrome-dev-file-systems, which was never created, and goes on" in what_next
    assert "anew" not in what_next

    states |= {"aerodrome-dev-batch": "UPDATE_ROLLBACK_FAILED", "CDKToolkit": "DELETE_FAILED"}

    assert stack_states.stuck(AWS) == ["aerodrome-dev-batch is UPDATE_ROLLBACK_FAILED", "CDKToolkit is DELETE_FAILED"]
    what_next = stack_states.next_run(AWS)
    assert "aerodrome-dev-batch is UPDATE_ROLLBACK_FAILED (and 1 more)" in what_next
    assert "the next `make try` starts the embedded AWS anew, empty" in what_next


def test_a_stack_that_is_in_progress_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_COMPLETE"])
    monkeypatch.setattr(EmbeddedAws, "stacks", lambda _: stacks_in({"aerodrome-dev-keys": next(answers)}))
    monkeypatch.setattr(stack_states, "_POLL_SECONDS", 0)

    assert stack_states.stuck(AWS) == []
    assert list(answers) == []


def test_a_stack_that_stays_in_progress_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedAws, "stacks", lambda _: stacks_in({"aerodrome-dev-keys": "CREATE_IN_PROGRESS"}))
    monkeypatch.setattr(stack_states, "_SETTLE_TIME", 0)

    assert stack_states.stuck(AWS) == ["aerodrome-dev-keys is CREATE_IN_PROGRESS"]


def test_a_bootstrap_that_was_interrupted_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"CDKToolkit": "REVIEW_IN_PROGRESS"}
    monkeypatch.setattr(EmbeddedAws, "stacks", lambda _: stacks_in(states))
    assert not deploy.is_bootstrapped(AWS)

    states["CDKToolkit"] = "CREATE_COMPLETE"

    assert deploy.is_bootstrapped(AWS)


@pytest.mark.parametrize(
    ("state", "anew", "announced"),
    [
        ("ROLLBACK_COMPLETE", False, "the next `make try` deletes aerodrome-dev-file-systems"),
        ("UPDATE_ROLLBACK_FAILED", True, "the next `make try` starts the embedded AWS anew, empty"),
    ],
)
def test_a_failed_deploy_says_what_the_next_run_does_and_that_does_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, announced: str, *, anew: bool
) -> None:
    states: dict[str, str] = {}
    verbs: list[str] = []

    def run_verb(verb: str, *_: object) -> str:
        verbs.append(verb)
        if verb == "reset":
            states.clear()
        return json.dumps({"endpoint": AWS.endpoint})

    def fail(*_: object) -> int:
        states["aerodrome-dev-file-systems"] = state
        raise deploy.CdkError("`cdk deploy` failed")

    monkeypatch.setattr(EmbeddedAws, "stacks", lambda _: stacks_in(states))
    monkeypatch.setattr(steps, "run_embedded_aws", run_verb)
    monkeypatch.setattr(stack_states, "delete", lambda _, name: states.pop(name))
    for name, replacement in (("synthesize", lambda *_: None), ("bootstrap", lambda *_: None), ("deploy", fail)):
        monkeypatch.setattr(deploy, name, replacement)
    environment = load_environment("dev", PROJECT.environments)
    shown = io.StringIO()

    with pytest.raises(deploy.CdkError, match=r"`cdk deploy` failed") as failure:
        steps.run(environment, tmp_path / "local", Display(Console(file=shown, width=200)))

    assert announced in str(failure.value)
    assert verbs == ["up"]
    assert "anew" not in shown.getvalue()
    before_the_second = len(verbs)
    monkeypatch.setattr(deploy, "deploy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        steps.run(environment, tmp_path / "local", Display(Console(file=shown, width=200)))

    assert verbs[before_the_second:] == (["up", "reset", "up"] if anew else ["up"])
    assert ("Start it anew, empty" in shown.getvalue()) is anew
    assert states == {}


def stacks_in(states: dict[str, str]) -> list[dict[str, str]]:
    return [{"StackName": name, "StackStatus": state} for name, state in states.items()]


def interrupted(*_: object) -> int:
    raise KeyboardInterrupt


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
    monkeypatch.setattr(programs, "PATIENCE", 0.2)

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


def test_no_line_of_a_table_ends_in_blanks() -> None:
    table = Table("stack", "chart version", box=None, pad_edge=False)
    table.add_row("aerodrome-dev-keys", "1.0")
    pipe = io.StringIO()

    Display(Console(file=pipe, width=200)).table(table)

    assert pipe.getvalue().splitlines() == ["stack               chart version", "aerodrome-dev-keys  1.0"]
