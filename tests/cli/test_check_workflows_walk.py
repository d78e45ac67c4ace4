"""Which files of a folder ``aerodrome check-workflows`` has loaded, and what it says while that takes long."""

import json
import runpy
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aerodrome.check_workflows import load, probe
from aerodrome.check_workflows.walk import walk
from aerodrome.main import app

TASK = "from flytekit import task\n"
FOLDER: Mapping[str, str] = {
    "team/__init__.py": "",
    "team/base.py": "def deep():\n    import flytekit.core\n",
    "team/jobs/__init__.py": "",
    "team/jobs/plain.py": "import boto3\n",
    "team/jobs/plugin.py": "from flytekitplugins.awsbatch import AWSBatchConfig\n",
    "team/jobs/through.py": "from ..base import deep\n",
    "team/jobs/through_module.py": "from team import base\n",
    "team/jobs/twice_removed.py": "import team.jobs.through\n",
    "team/jobs/beside.py": "from team.jobs import plain, beside\nfrom flytekitten import purr\n",
    "team/jobs/broken.py": "def half(\n",
    "team/tools/__init__.py": "",
    "team/tools/plot.py": "'\\d'\nimport team.jobs.plain\nfrom ... import beyond\n",
    "setup.py": "import setuptools\nfrom . import flytekit\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder above, as the current directory."""
    for name, code in FOLDER.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_with_flyte_is_loaded_and_one_without_is_left_out(folder: Path) -> None:
    found = walk(folder, ["setup", "team"])
    assert found.files == len(FOLDER)
    assert found.modules == [
        "team.base",
        "team.jobs.broken",
        "team.jobs.plugin",
        "team.jobs.through",
        "team.jobs.through_module",
        "team.jobs.twice_removed",
    ]
    assert [str(file) for file in found.left_out] == [
        *("setup.py", "team/jobs/beside.py", "team/jobs/plain.py", "team/tools/__init__.py", "team/tools/plot.py")
    ]


def test_an_import_counts_though_it_comes_from_above_the_folder(folder: Path) -> None:
    assert "team.jobs.through" in walk(folder, ["team.jobs"]).modules


def test_what_is_named_is_what_is_looked_at(folder: Path) -> None:
    by_folder, by_name = load.source("team/jobs"), load.source("team.jobs")
    assert by_folder == by_name
    assert by_folder.files == 8
    assert load.source(".").files == len(FOLDER)
    plain = load.Source(root=folder, modules=["team.jobs.plain"])
    assert load.source("team/jobs/plain.py") == plain, "a file is loaded, whatever is in it"
    assert load.source("team.jobs.plain") == plain


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["a.py"], "its one file does not import flytekit; name the folder or the file that has functions with @task"),
        (["a.py", "b.py"], "none of its 2 files imports flytekit; name the folder or the file that"),
    ],
)
def test_a_folder_without_flyte_is_told_at_once(tmp_path: Path, files: list[str], told: str) -> None:
    for file in files:
        (tmp_path / file).touch()
    with pytest.raises(load.LoadError) as refused:
        load.source(str(tmp_path))
    assert str(refused.value).startswith(f"{tmp_path}: {told}")


REPORT: Mapping[str, Any] = {
    "tasks": [
        {
            "template": {"id": {"name": "jobs.one"}, "type": "python-task"},
            "place": "jobs.py:7",
            "maps": None,
            "dynamic": False,
            "connector": False,
            "calls": [],
            "references": [],
        }
    ],
    "workflows": [],
    "launch_plans": [],
    "schedules": [],
}


def checked(folder: Path, *arguments: str, script: str = "") -> tuple[int, str, str]:
    """Run the command on a folder, with an interpreter that says what it is told to."""
    (folder / "report.json").write_text(json.dumps(REPORT), "utf-8")
    python = folder / "interpreter"
    python.write_text(f'#!/bin/sh\n{script}\ncp report.json "$2"\n', "utf-8")
    python.chmod(0o755)
    result = CliRunner().invoke(app, ["check-workflows", *arguments, "--python", str(python)])
    return result.exit_code, result.stdout, result.stderr


def test_what_is_left_out_is_told_in_a_line(folder: Path) -> None:
    status, _, said = checked(folder, "team/tools/..")
    assert (status, said.splitlines()) == (
        0,
        [
            (
                "team/tools/..: 4 of 12 files were not loaded, as they import nothing of flytekit: "
                "team/jobs/beside.py, team/jobs/plain.py, team/tools/__init__.py, team/tools/plot.py; name a file to "
                "have it loaded"
            )
        ],
    )


def test_one_file_and_many_are_told_as_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs.py").write_text(TASK, "utf-8")
    (tmp_path / "a.py").touch()
    _, _, said = checked(tmp_path, ".")
    assert said == (
        ".: 1 of 2 files was not loaded, as it imports nothing of flytekit: a.py; name a file to have it loaded\n"
    )
    for name in "bcdefg":
        (tmp_path / f"{name}.py").touch()
    _, _, said = checked(tmp_path, ".")
    assert "7 of 8 files were" in said
    assert "a.py, b.py, c.py, d.py, e.py and 2 more (--json names them all); name" in said
    _, document, said = checked(tmp_path, ".", "--json")
    assert said == ""
    assert json.loads(document)["left_out"] == [f"{name}.py" for name in "abcdefg"]


def test_a_package_that_loads_for_a_minute_is_told_with_what_it_is_at(folder: Path) -> None:
    at = {"place": "team/base.py:2", "line": "import flytekit.core"}
    status, said_out, said = checked(
        folder, "team/base.py", script=f"echo '{probe.SLOW}{json.dumps(at)}' >&2; echo '{probe.SLOW}null' >&2"
    )
    assert (status, "1 task" in said_out) == (0, True)
    assert said.splitlines() == [
        (
            "aerodrome check-workflows: still loading after a minute, at team/base.py:2: import flytekit.core; Ctrl-C "
            "ends it"
        ),
        "aerodrome check-workflows: still loading after a minute; Ctrl-C ends it",
    ]


def test_the_probe_sees_the_line_of_the_package_that_is_running(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("\nfound = ask()\n", "utf-8")
    ran = runpy.run_path(str(tmp_path / "jobs.py"), {"ask": lambda: probe.at_work(str(tmp_path))})
    assert ran["found"] == {"place": "jobs.py:2", "line": "found = ask()"}
    assert probe.at_work(str(tmp_path)) is None


def test_the_probe_says_what_it_is_at_when_its_patience_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said = threading.Event()

    def at_work(root: str) -> dict[str, str]:
        said.set()
        return {"place": root, "line": ""}

    def hang(_root: str, _modules: list[str]) -> dict[str, Any]:
        assert said.wait(60), "nobody asked"
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join()
        return {}

    monkeypatch.setattr(probe, "PATIENCE", 0.0)
    monkeypatch.setattr(probe, "at_work", at_work)
    monkeypatch.setattr(probe, "probe", hang)
    monkeypatch.setattr(sys, "argv", ["probe.py", str(tmp_path / "report.json"), "team", "jobs"])
    probe.main()
    assert capfd.readouterr().err == f'{load.SLOW}{{"place": "team", "line": ""}}\n'
