"""The platform's own app, planned: every commit by its own code, by the environment that it had."""

import json
import shutil
from pathlib import Path

import pytest

from aerodrome.plan import command
from aerodrome.project import Project
from tests.cli.plan.projects import PlanProject
from tests.templates import ROOT

# What a synth does not read, and what git does not have.
NOT_COPIED = shutil.ignore_patterns(
    *(".git", ".venv*", ".aerodrome", ".*_cache", "__pycache__", "node_modules", "cdk.out", "build", "tests", "docs")
)


@pytest.fixture
def platform(
    folder: PlanProject, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> PlanProject:
    """The platform as it lies here, in a repository with one commit."""
    root = tmp_path_factory.mktemp("platform") / "platform"
    shutil.copytree(ROOT, root, ignore=NOT_COPIED)
    folder.root = root
    monkeypatch.setattr(command, "PROJECT", Project(root=root))
    monkeypatch.chdir(root)
    # The tools are those of the project that runs the tests.
    (root / ".venv").symlink_to(ROOT / ".venv")
    (root / ".gitignore").write_text(".venv\n", encoding="utf-8")
    folder.git("init", "--quiet", "--initial-branch=main")
    folder.git("add", "--all")
    folder.git("commit", "--message", "as it lies here")
    return folder


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_an_edited_environment_changes_what_it_names(platform: PlanProject) -> None:
    edit(platform.root / "environments" / "dev.yaml", "storage_gib: 50", "storage_gib: 60")

    result = platform.plan("--json")

    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    # The alarm about its storage takes the size, too.
    assert {name for name, count in document["counts"].items() if count} == {"in place"}
    (change,) = [one for one in document["changes"] if one["type"] == "AWS::RDS::DBInstance"]
    assert (change["stack"], change["verdict"]) == ("Database", "in place")
    assert [(one["path"], one["before"], one["after"]) for one in change["properties"]] == [
        ("AllocatedStorage", "50", "60")
    ]


def test_a_commit_is_synthesized_by_its_own_code(platform: PlanProject) -> None:
    module = platform.root / "stacks" / "aerodrome_stacks" / "base.py"
    code = module.read_text(encoding="utf-8")
    module.write_text(f"{code}\nraise RuntimeError('this is the code of the commit')\n", encoding="utf-8")
    platform.git("commit", "--all", "--message", "a commit that fails")
    module.write_text(code, encoding="utf-8")

    result = platform.plan()

    assert result.exit_code == 2
    assert "dev cannot be synthesized at HEAD (" in result.stderr
    assert "RuntimeError: this is the code of the commit" in result.stderr
