"""The commands, as they are typed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYFLYTE = Path(sys.executable).with_name("pyflyte")
AERODROME = ROOT / ".venv" / "bin" / "aerodrome"

Command = Callable[..., subprocess.CompletedProcess[str]]


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)


@pytest.fixture(scope="session")
def pyflyte() -> Command:
    """Run flytekit's command in the project's folder."""

    def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return run(PYFLYTE, *arguments)

    return command


@pytest.fixture(scope="session")
def check() -> Command:
    """Run ``aerodrome check-workflows``, in the project's folder unless told otherwise."""

    def command(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return run(AERODROME, "check-workflows", *arguments, cwd=cwd)

    return command
