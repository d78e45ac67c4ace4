"""``aerodrome local``: the embedded AWS's commands, reached from the project's own environment."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aerodrome import local
from aerodrome.project import PROJECT, Project
from aerodrome_local.testing import EmbeddedAws


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    script = "from aerodrome.local import app; app()"
    command = [PROJECT.tools / "python", "-c", script, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_status_and_releases_of_one_that_is_up(embedded_aws: EmbeddedAws) -> None:
    status = run("status", "--json", "--state-dir", embedded_aws.state_dir)
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["endpoint"] == embedded_aws.endpoint
    again = run("up", "--state-dir", embedded_aws.state_dir)
    assert f"already up at {embedded_aws.endpoint}" in again.stdout
    releases = run("releases", "no-such-release", "--state-dir", embedded_aws.state_dir)
    assert releases.returncode == 1
    assert "no Helm release 'no-such-release'" in releases.stderr
    logs = run("logs", "--lines", "2", "--state-dir", embedded_aws.state_dir)
    assert len(logs.stdout.splitlines()) == 2


def test_status_ends_with_lines_for_the_shell_and_says_whom_they_do_not_bind(embedded_aws: EmbeddedAws) -> None:
    lines = run("status", "--state-dir", embedded_aws.state_dir).stdout.splitlines()
    # As `grep -o 'export .*'` has them, in the first hour.
    exports = [line for line in lines if "export " in line]
    assert f"  export AWS_ENDPOINT_URL={embedded_aws.endpoint}" in exports
    assert lines[-len(exports) :] == exports
    assert [line for line in exports if not re.fullmatch(r"  export [A-Z0-9_]+=\S+", line)] == []
    note = lines[-len(exports) - 1]
    assert "AWS CLI 2" in note
    assert "ignores AWS_ENDPOINT_URL for SQS and RDS" in note


def test_exit_status_is_the_commands_own(tmp_path: Path) -> None:
    assert run("status", "--state-dir", tmp_path / "none").returncode == 3
    refused = run("reset", "--state-dir", tmp_path)
    assert (refused.returncode, "nothing was deleted" in refused.stderr) == (1, True)
    assert run("down", "--state-dir", tmp_path / "none").returncode == 0


def test_without_its_environment_it_says_make_setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "PROJECT", Project(root=tmp_path))
    result = CliRunner().invoke(local.app, ["up"])
    assert result.exit_code == 1
    assert "make setup" in result.stderr
    assert isinstance(result.exception, SystemExit)
