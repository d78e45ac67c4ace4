"""An embedded AWS of the test session's own."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-local" / "bin" / "python"
ACCOUNT = "111122223333"
REGION = "us-east-1"


def aerodrome_local(*arguments: str, state_dir: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run ``python -m aerodrome_local`` as a user would."""
    return subprocess.run(
        [PYTHON, "-m", "aerodrome_local", *arguments, "--state-dir", state_dir],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(ROOT / "local")},
    )


@dataclass(frozen=True)
class EmbeddedAws:
    """A running embedded AWS."""

    endpoint: str
    state_dir: Path
    account: str = ACCOUNT
    region: str = REGION

    def client(self, service: str, account: str | None = None) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        """A boto3 client of it, in its own account or another."""
        return boto3.session.Session().client(
            service,  # type: ignore[call-overload]  # the stubs list every service name as a literal
            endpoint_url=self.endpoint,
            aws_access_key_id=account or self.account,
            aws_secret_access_key="embedded",
            region_name=self.region,
            config=Config(proxies={}, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )


def start(state_dir: Path, *arguments: str) -> EmbeddedAws:
    """Start one in a directory of the caller's, who stops it."""
    result = aerodrome_local("up", "--json", *arguments, state_dir=state_dir)
    assert result.returncode == 0, result.stderr
    return EmbeddedAws(json.loads(result.stdout)["endpoint"], state_dir)


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """One embedded AWS for the whole session, with the property audit on. Tests use stack names of their own."""
    state_dir = tmp_path_factory.mktemp("embedded-aws")
    try:
        yield start(state_dir, "--audit")
    finally:
        stopped = aerodrome_local("down", "--json", state_dir=state_dir)
        assert stopped.returncode == 0, stopped.stderr
