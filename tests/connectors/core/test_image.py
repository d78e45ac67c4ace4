"""The image of the connector's service has what its tests run with."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[3]
FOLDER = PROJECT / "connectors/flytekit_aws_batch"


def pinned(path: Path) -> dict[str, str]:
    """The versions of a lock or a list of requirements, by name."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([a-z0-9._-]+)(?:\[[a-z]+\])?==(\S+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def test_its_versions_are_those_of_the_virtual_environment_of_flytekit() -> None:
    image, tested = pinned(FOLDER / "requirements.lock"), pinned(PROJECT / "workflows/requirements.lock")
    wanted = pinned(FOLDER / "requirements.in")
    assert wanted.items() <= image.items(), "run make locks"
    assert {"flytekit", "botocore", "grpcio"} <= image.keys()
    assert not image.items() - tested.items(), "run make locks"


def test_nothing_is_installed_that_is_not_in_the_lock() -> None:
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert ["--require-hashes" in line or "--no-deps" in line for line in installs] == [True, True]
