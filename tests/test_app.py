"""The app as the CDK CLI runs it: a program that gets its context in a variable."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3

from aerodrome_stacks import platform
from aerodrome_stacks.environment import Environment, environment_names
from tests.templates import ROOT, new_app

NAMES = environment_names(ROOT / "environments")
Refusal = Callable[..., str]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The app with environments of its own, which a test may spoil."""
    shutil.copy(ROOT / "app.py", tmp_path)
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    return tmp_path / "app.py"


@pytest.fixture
def refusal(app: Path, monkeypatch: pytest.MonkeyPatch) -> Refusal:
    """Runs the app in this process, which spares the import of the CDK, and returns what it says as it gives up."""

    def run(**context: str) -> str:
        with_context = new_app(context)
        monkeypatch.setattr(cdk, "App", lambda **_: with_context)
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(app), run_name="__main__")
        assert isinstance(stopped.value.code, str), "Python writes a text to stderr, and exits with 1"
        return stopped.value.code

    return run


def said(app: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the app as a program, for the environment dev."""
    context = {"CDK_CONTEXT_JSON": json.dumps({"env": "dev"}), "CDK_OUTDIR": str(app.parent / "cdk.out")}
    environment = {**os.environ, **context, **variables}
    return subprocess.run(
        [sys.executable, app], check=False, capture_output=True, text=True, timeout=120, env=environment
    )


def misspell(app: Path) -> None:
    """Put two mistakes into the environment dev."""
    file = app.parent / "environments" / "dev.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("nat_gateways", "nat_gatways").replace("spot_vcpus: 64", "spot_vcpus: -1"), encoding="utf-8"
    )


def test_there_are_three_environments() -> None:
    assert NAMES == ("dev", "prod", "staging")


def test_a_user_sees_every_mistake_of_an_environment_and_no_traceback(app: Path) -> None:
    misspell(app)
    result = said(app)
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    assert "dev.yaml: network.nat_gatways: unknown key; did you mean nat_gateways?" in result.stderr
    assert "dev.yaml: batch.spot_vcpus:" in result.stderr


@pytest.mark.parametrize("context", [{}, {"env": ""}], ids=["missing", "empty"])
def test_without_an_environment_it_says_how_to_name_one(refusal: Refusal, context: dict[str, str]) -> None:
    assert "Add -c env=NAME to the cdk command; there are: dev, prod, staging" in refusal(**context)


@pytest.mark.parametrize("name", ["production", "Dev", "dev.yaml", "../environments/dev"])
def test_an_unknown_environment_gets_the_list_of_those_there_are(refusal: Refusal, name: str) -> None:
    message = refusal(env=name)
    assert name in message
    assert all(known in message for known in NAMES)


def test_a_user_sees_what_is_wrong_with_a_job_and_no_traceback(app: Path) -> None:
    stacks = shutil.copytree(ROOT / "stacks", app.parent / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    (app.parent / "workflows").symlink_to(ROOT / "workflows")
    catalogue = stacks / "aerodrome_stacks" / "job_catalogue.py"
    text = catalogue.read_text(encoding="utf-8")
    assert "        vcpus=1,\n" in text
    catalogue.write_text(text.replace("        vcpus=1,\n", "        vcpus=1,\n        attempts=20,\n", 1), "utf-8")
    result = said(app, PYTHONPATH=str(stacks))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == "job train-classifier: attempts=20: Batch takes 1 to 10"
    assert "Traceback" not in result.stderr


def test_a_finding_ends_with_the_report_and_the_page_to_read(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "build_platform", lambda app, _: s3.Bucket(cdk.Stack(app, "Test"), "Data"))
    message = refusal(env="dev")
    assert "Acknowledge with 'Aerodrome::stateful-stacks-protected'" in message
    assert not message.startswith("ValidationFailed")
    page = message.splitlines()[-1].removeprefix("How to mend or acknowledge a finding: ")
    assert (ROOT / page).read_text(encoding="utf-8").startswith("# Mend a finding")


def test_what_is_no_finding_is_raised(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    def clash(app: cdk.App, _: Environment) -> None:
        stack = cdk.Stack(app, "Test")
        for name in ("One", "Two"):
            cdk.CfnResource(stack, name, type="AWS::SNS::Topic").override_logical_id("Same")

    monkeypatch.setattr(platform, "build_platform", clash)
    with pytest.raises(RuntimeError, match="already contains 'Same'"):
        refusal(env="dev")


def test_a_file_that_is_no_yaml_is_named(app: Path, refusal: Refusal) -> None:
    (app.parent / "environments" / "dev.yaml").write_text("region: [us-east-1\n", encoding="utf-8")
    assert "dev.yaml: " in refusal(env="dev")


def test_one_environments_mistakes_do_not_stop_another(app: Path) -> None:
    misspell(app)
    staging = new_app()
    runpy.run_path(str(app))["build"](staging, "staging")
    assert {child.node.id for child in staging.node.children} >= {"Network", "Storage", "Cluster"}
