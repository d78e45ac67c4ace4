"""Projects to plan for."""

from pathlib import Path

import pytest

from aerodrome.plan import command
from aerodrome.project import Project
from tests.cli.plan.projects import PlanProject


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlanProject:
    """A project in no repository, as the current directory."""
    project = PlanProject(tmp_path)
    monkeypatch.setattr(command, "PROJECT", Project(root=tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    # A folder below a repository, as a test's may be, belongs to it.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE"):  # where the tests run, they may make a terminal of everything
        monkeypatch.delenv(variable, raising=False)
    return project


@pytest.fixture
def project(folder: PlanProject) -> PlanProject:
    """The same in a repository, without a commit."""
    folder.git("init", "--quiet", "--initial-branch=main")
    return folder
