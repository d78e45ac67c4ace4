"""The commands, as they are typed."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYFLYTE = Path(sys.executable).with_name("pyflyte")
AERODROME = ROOT / ".venv" / "bin" / "aerodrome"

Command = Callable[..., subprocess.CompletedProcess[str]]


def run(
    *command: str | Path, cwd: Path = ROOT, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    # The other tests run beside these: threads of a small training that wait for each other would only spin.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **(variables or {})}
    return subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True)


@pytest.fixture(scope="session")
def pyflyte(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run flytekit's command in the project's folder. What it caches is lost unless it is given a ``HOME``."""

    def command(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return run(PYFLYTE, *arguments, variables={"HOME": str(tmp_path_factory.mktemp("home")), **variables})

    return command


@pytest.fixture(scope="session")
def check() -> Command:
    """Run ``aerodrome check-workflows``, in the project's folder unless told otherwise."""

    def command(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return run(AERODROME, "check-workflows", *arguments, cwd=cwd)

    return command
