"""The platform's own app, planned: every commit by its own code, by the environment that it had."""

import json
import re
import shutil
from pathlib import Path

import pytest

from aerodrome.plan import command
from aerodrome.plan.projects import PROJECT_TAG
from aerodrome.project import Project
from aerodrome_constructs import identity
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


def test_a_project_with_another_name_leaves_its_objects_behind(platform: PlanProject) -> None:
    edit(platform.root / "environments" / "dev.yaml", "- name: demand-forecast", "- name: demand-planning")

    result = platform.plan()

    assert PROJECT_TAG == identity.PROJECT_TAG
    assert (
        "warning: project demand-forecast goes, or gets another name: what it wrote below demand-forecast/ stays"
        in result.stdout
    )
    assert "project demand-planning goes" not in result.stdout


def break_a_rule(platform: PlanProject) -> None:
    """Let the app make a bucket that everybody may read."""
    module = platform.root / "stacks" / "aerodrome_stacks" / "platform.py"
    public = (
        "_build = build_platform\n"
        "def build_platform(app, environment):\n"
        "    from aws_cdk import aws_s3\n"
        "    _build(app, environment)\n"
        "    aws_s3.Bucket(app.node.find_child('Storage'), 'Public')\n"
    )
    module.write_text(f"{module.read_text(encoding='utf-8')}\n{public}", encoding="utf-8")


def test_a_plan_can_be_made_against_a_commit_that_breaks_a_rule_of_the_house(platform: PlanProject) -> None:
    module = platform.root / "stacks" / "aerodrome_stacks" / "platform.py"
    code = module.read_text(encoding="utf-8")
    break_a_rule(platform)
    platform.git("commit", "--all", "--message", "a public bucket")
    module.write_text(code, encoding="utf-8")

    result = platform.plan()

    assert (result.exit_code, result.stderr) == (3, "")
    assert "Storage/Public (AWS::S3::Bucket) would be deleted" in result.stdout


def test_what_the_cdk_cli_runs_keeps_the_rules_whatever_the_environment_says(
    platform: PlanProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDK_CLI_VERSION", "2.1000.0")
    break_a_rule(platform)

    result = platform.plan()

    assert result.exit_code == 2
    assert "Storage/Public/Resource" in result.stderr
    assert "validation-report.json" not in result.stderr
    _, more, *shown = result.stderr.splitlines()
    assert re.fullmatch(r"  … and \d+ more lines before these: run `make synth ENV=dev` there", more)
    assert len(shown) == 15
