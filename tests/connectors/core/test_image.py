"""The image of the connector's service has what its tests run with."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

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


def sent(path: str) -> bool:
    """Whether a file of the folder goes to the image: the last pattern counts that it matches, or its folder does."""
    patterns = (FOLDER / ".dockerignore").read_text(encoding="utf-8").splitlines()
    names = path.split("/")
    found = True
    for pattern in (line for line in patterns if not line.startswith("#")):
        text = pattern.removeprefix("!")
        # Below "**/" it is of any folder, else of the uppermost.
        among = names if text.startswith("**/") else names[:1]
        if any(fnmatch(name, text.removeprefix("**/")) for name in among):
            found = pattern.startswith("!")
    return found


def test_all_that_it_is_made_of_goes_to_the_image() -> None:
    modules = [path.relative_to(FOLDER).as_posix() for path in (FOLDER / "flytekit_aws_batch").rglob("*.py")]
    assert len(modules) > 50, "the listing is broken"
    needed = [*modules, "flytekit_aws_batch/py.typed", "pyproject.toml", "README.md", "requirements.lock"]
    assert [path for path in needed if not sent(path)] == []


@pytest.mark.parametrize(
    "path",
    [
        ".ruff_cache/0.17.6/1",
        "flytekit_aws_batch/core/.mypy_cache/3.12/a.json",
        "flytekit_aws_batch/core/__pycache__/aws.cpython-311.pyc",
        "build/lib/flytekit_aws_batch/plugin.py",
        "dist/flytekit_aws_batch-0.1.0-py3-none-any.whl",
        "flytekit_aws_batch.egg-info/PKG-INFO",
        "settings.yaml",
    ],
)
def test_nothing_else_does(path: str) -> None:
    assert not sent(path)
