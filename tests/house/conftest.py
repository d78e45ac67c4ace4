"""What the repository holds: the files that git tracks or would track, not what a tool left behind."""

import ast
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def texts(root: Path) -> Mapping[str, str]:
    """Every text file by its path, such as ``docs/adr/0001-source-roots.md``."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the git of whoever runs the tests
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    texts = {}
    for name in filter(None, listed.split("\0")):
        # A file that was deleted and not committed yet is still in git's index.
        if (root / name).is_file():
            try:
                texts[name] = (root / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
    assert "pyproject.toml" in texts, "the listing is broken"
    return texts


@pytest.fixture(scope="session")
def modules(texts: Mapping[str, str]) -> Mapping[str, ast.Module]:
    """Every Python file, parsed, by its path."""
    return {name: ast.parse(text, name) for name, text in texts.items() if name.endswith(".py")}
