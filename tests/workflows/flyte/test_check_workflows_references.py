"""What another project has registered, as flytekit tells of it, and where it tells nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Command = Callable[..., CompletedProcess[str]]

MODULE = """\
from flytekit import dynamic, reference_launch_plan, reference_task, task, workflow

@reference_task(project="demand-forecast", domain="production", name="features.build", version="v1")
def build(day: str) -> str: ...

@reference_launch_plan(project="demand-forecast", domain="production", name="features.nightly", version="v1")
def nightly(day: str) -> str: ...

@task
def train(features: str) -> str:
    return features

@dynamic
def each(day: str) -> str:
    return build(day=day)

@workflow
def churn(day: str) -> str:
    return train(features=each(day=nightly(day=build(day=day))))
"""


def test_references_are_found(check: Command, tmp_path: Path) -> None:
    (tmp_path / "churn.py").write_text(MODULE, "utf-8")
    done = check(tmp_path / "churn.py", "--json")
    assert done.returncode == 0, done.stderr
    assert [(one["kind"], one["name"], one["subject"]) for one in json.loads(done.stdout)["references"]] == [
        ("task", "features.build", "node n0 of workflow churn.churn"),
        ("launch plan", "features.nightly", "node n1 of workflow churn.churn"),
        ("task", "features.build", "task churn.each"),
    ]


def test_a_project_that_may_not_use_them_is_refused(check: Command, tmp_path: Path) -> None:
    (tmp_path / "churn.py").write_text(MODULE, "utf-8")
    allowed = check(tmp_path / "churn.py", "--env", "prod", "--project", "churn-prediction")
    assert allowed.returncode == 0, allowed.stderr
    refused = check(tmp_path / "churn.py", "--env", "prod", "--project", "fraud-detection")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith("3 refused\n")
