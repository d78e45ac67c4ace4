"""The README's first command, as a user runs it: with the real CDK CLI, from nothing, interrupted, and once more."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aerodrome.embedded_aws import EmbeddedAws
from aerodrome.project import PROJECT
from aerodrome.try_out import flyte, stack_states

AERODROME = Path(sys.executable).with_name("aerodrome")
STACKS = {
    "addons",
    "alarms",
    "alerts",
    "backup",
    "batch",
    "cluster",
    "costs",
    "database",
    "flyte-jobs",
    "front-door",
    "identity",
    "ingest",
    "job-monitoring",
    "jobs-development",
    "keys",
    "kubernetes-logs",
    "network",
    "notifications",
    "observability",
    "orchestrator",
    "sign-on",
    "storage",
    "tracking",
}
RELEASES = {
    "aws-load-balancer-controller",
    "external-secrets",
    "flyte",
    "karpenter",
    "kube-prometheus-stack",
    "metrics-server",
    "mlflow",
}
TIME_LIMIT = 420
# On a machine without a Python that flytekit takes, the workflow is left out.
_FLYTE = flyte.is_installed()


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("try") / "local"
    yield directory
    down = _aerodrome("local", "down", "--state-dir", directory)
    assert down.returncode == 0, down.stderr


def test_a_run_that_was_killed_is_taken_up_by_the_next_and_the_third_changes_nothing(state_dir: Path) -> None:
    _kill_during_the_deploy(state_dir)

    second = _aerodrome("try", "--state-dir", state_dir)

    assert second.returncode == 0, second.stderr
    assert set(re.findall(r"^aerodrome-dev-(\S+) +(?:CREATE|UPDATE)_COMPLETE", second.stdout, re.MULTILINE)) == STACKS
    for release in RELEASES:
        assert re.search(rf"^{release} ", second.stdout, re.MULTILINE), release
    accuracy = re.search(r"accuracy (\d\.\d+)", second.stdout)
    assert accuracy
    assert float(accuracy[1]) > 0.9
    assert _workflow(second.stdout) == (["an array of 4 jobs and a job by itself", "no job"] if _FLYTE else [])
    assert "anew" not in second.stdout, "what goes on by itself is waited for, and what stands is kept"
    assert [line for line in second.stdout.splitlines() if line != line.rstrip()] == []
    before = _last_changes(state_dir)
    _fail_to_create("aerodrome-dev-file-systems", state_dir)

    third = _aerodrome("try", "--state-dir", state_dir)

    assert third.returncode == 0, third.stderr
    assert "Delete what an earlier run failed to create: aerodrome-dev-file-systems" in third.stdout
    assert "Train a model on it with AWS Batch: an earlier run did" in third.stdout, "what jobs left is still there"
    assert _workflow(third.stdout) == (["an earlier run did"] if _FLYTE else [])
    assert before
    assert _last_changes(state_dir) == before


def test_cdk_diff_after_the_deploy_finds_no_difference(state_dir: Path) -> None:
    aws = _aws(state_dir)
    diff: list[str | Path] = [PROJECT.cdk, "diff", "--context=env=dev", f"--output={state_dir.with_name('diff')}"]

    # With the CDK's own validation of the templates, which the other tests leave out for its time.
    result = subprocess.run(
        diff,
        cwd=PROJECT.root,
        env=aws.environment_variables() | {"CDK_VALIDATION": "true", "CDK_DISABLE_CLI_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT,
    )

    assert result.returncode == 0, result.stderr
    assert "Number of stacks with differences: 0" in result.stderr + result.stdout
    report = json.loads((state_dir.with_name("diff") / "validation-report.json").read_text())
    assert "Aerodrome" in [plugin["pluginName"] for plugin in report["pluginReports"]], "the house rules looked at it"
    assert [violation for plugin in report["pluginReports"] for violation in plugin["violations"]] == []


def test_down_leaves_nothing_running(state_dir: Path) -> None:
    assert _aerodrome("local", "up", "--state-dir", state_dir).returncode == 0

    assert _aerodrome("local", "down", "--state-dir", state_dir).returncode == 0

    assert _processes_of(state_dir) == []


def _workflow(shown: str) -> list[str]:
    """What is said of each run of the Flyte workflow."""
    return re.findall(r"^✓ Run (?:a Flyte workflow|it once more).*: (.+) \([\d.]+ s\)$", shown, re.MULTILINE)


def _aerodrome(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [AERODROME, *arguments], capture_output=True, text=True, check=False, timeout=TIME_LIMIT, env=_environment()
    )


def _environment() -> dict[str, str]:
    # Wide enough that no line of a table is folded.
    return os.environ | {"COLUMNS": "200"}


def _kill_during_the_deploy(state_dir: Path) -> None:
    with subprocess.Popen(
        [AERODROME, "try", "--state-dir", state_dir],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=_environment(),
    ) as run:
        log = state_dir.with_name(f"{state_dir.name}-try") / "deploy.log"
        deadline = time.monotonic() + TIME_LIMIT
        while not (log.exists() and "CREATE_IN_PROGRESS" in log.read_text()):
            assert run.poll() is None, "the run ended before its deploy began"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGKILL)


def _fail_to_create(name: str, state_dir: Path) -> None:
    """As the CDK CLI leaves it when what it imports is not there: rolled back, and protected against deletion."""
    value = {"Fn::ImportValue": "aerodrome-dev-backup:not-exported"}
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}
    aws = _aws(state_dir)
    aws.cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps({"Resources": {"Imported": parameter}}),
        EnableTerminationProtection=True,
    )
    assert stack_states.stuck(aws) == []
    assert stack_states.never_created(aws) == [name]


def _last_changes(state_dir: Path) -> dict[str, str]:
    stacks = _aws(state_dir).stacks()
    return {stack["StackName"]: str(stack.get("LastUpdatedTime", stack["CreationTime"])) for stack in stacks}


def _aws(state_dir: Path) -> EmbeddedAws:
    return EmbeddedAws(endpoint=_endpoint(state_dir), account="111122223333", region="us-east-1")


def _endpoint(state_dir: Path) -> str:
    match = re.search(r"http://127\.0\.0\.1:\d+", _aerodrome("local", "status", "--state-dir", state_dir).stdout)
    assert match
    return match[0]


def _processes_of(state_dir: Path) -> list[str]:
    return [
        " ".join(process.info["cmdline"] or [])
        for process in psutil.process_iter(["cmdline"])
        if any(str(state_dir) in argument for argument in process.info["cmdline"] or [])
    ]
