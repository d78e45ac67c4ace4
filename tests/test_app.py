"""The app as the CDK CLI runs it: a program that gets its context in a variable and leaves a cloud assembly."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.templates import ROOT

from aerodrome_stacks.environment import environment_names

NAMES = environment_names(ROOT / "environments")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The app with environments of its own, which a test may spoil."""
    shutil.copy(ROOT / "app.py", tmp_path)
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    return tmp_path / "app.py"


def refusal(app: Path, **context: str) -> str:
    """What the app says when it gives up, run as ``cdk -c key=value`` does: on stderr, in plain words."""
    result = subprocess.run(
        [sys.executable, app],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(app.parent / "cdk.out")},
    )
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    return result.stderr


def test_there_are_three_environments() -> None:
    assert NAMES == ("dev", "prod", "staging")


def test_without_an_environment_it_says_how_to_name_one(copy: Path) -> None:
    assert "Add -c env=NAME to the cdk command; there are: dev, prod, staging" in refusal(copy)


def test_an_unknown_environment_gets_the_list_of_those_there_are(copy: Path) -> None:
    message = refusal(copy, env="production")
    assert "production" in message
    assert all(name in message for name in NAMES)


def test_all_problems_of_an_environment_are_told_at_once(copy: Path) -> None:
    file = copy.parent / "environments" / "dev.yaml"
    text = file.read_text(encoding="utf-8")
    spoilt = text.replace("nat_gateways", "nat_gatways").replace("spot_vcpus: 64", "spot_vcpus: -1")
    file.write_text(spoilt, encoding="utf-8")

    message = refusal(copy, env="dev")

    assert "dev.yaml: network.nat_gatways: unknown key; did you mean nat_gateways?" in message
    assert "dev.yaml: batch.spot_vcpus:" in message
