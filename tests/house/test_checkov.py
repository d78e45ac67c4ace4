"""checkov's findings are mended or listed with a reason, and the list does not grow old."""

import importlib.util
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def _load_tool() -> ModuleType:
    # tools/ holds programs, not a package: they are run, and here loaded, from their file.
    spec = importlib.util.spec_from_file_location("checkov_templates", ROOT / "tools" / "checkov_templates.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = _load_tool()
LOGGING = tool.Finding("CKV_AWS_18", "Ensure the S3 bucket has access logging enabled", "dev", "Storage/AccessLogs12AB")
SKIP = tool.Skip("CKV_AWS_18", ("Storage/AccessLogs*",), "it would be written into itself")


def test_what_is_listed_is_no_problem() -> None:
    assert list(tool.problems([LOGGING], [SKIP])) == []


def test_a_finding_that_is_not_listed_is_one() -> None:
    assert list(tool.problems([LOGGING], [])) == [
        "dev/Storage/AccessLogs12AB: CKV_AWS_18: Ensure the S3 bucket has access logging enabled"
    ]


@pytest.mark.parametrize(
    "skip",
    [
        tool.Skip("CKV_AWS_19", ("Storage/AccessLogs*",), "another check"),
        tool.Skip("CKV_AWS_18", ("Storage/Inbox*",), "another resource"),
    ],
    ids=lambda skip: skip.reason,
)
def test_an_entry_for_something_else_helps_nothing_and_is_a_problem_itself(skip: object) -> None:
    found, unused = tool.problems([LOGGING], [skip])
    assert "AccessLogs12AB" in found
    assert unused.endswith("take it off the list")


def test_every_pattern_of_an_entry_has_to_match() -> None:
    half = tool.Skip("CKV_AWS_18", ("Storage/AccessLogs*", "Costs/AccessLogs*"), "it would be written into itself")
    assert list(tool.problems([LOGGING], [half])) == [
        "skips.yaml: CKV_AWS_18: no resource Costs/AccessLogs* fails it; take it off the list"
    ]


def test_every_entry_of_the_list_says_why_in_a_sentence() -> None:
    skips = tool.read_skips(tool.SKIPS)
    assert skips
    assert [skip.check for skip in skips if len(skip.reason.split()) < 8 or not skip.reason.endswith(".")] == []
    assert all(re.fullmatch(r"CKV2?_AWS_\d+", skip.check) for skip in skips)


def test_an_entry_without_a_reason_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "skips.yaml"
    file.write_text("- check: CKV_AWS_18\n  resources: [A]\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"skips.yaml: entry 1 has no reason; each has all three"):
        tool.read_skips(file)


def test_make_test_runs_checkov_at_its_pinned_version(texts: Mapping[str, str]) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", "policies"],  # noqa: S607 - the make of whoever runs the tests
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "tools/checkov_templates.py" in planned
    assert ".venv-checkov" in planned
    assert re.search(r"--output-sync=target\) .*\bpolicies\b", texts["Makefile"])
    (wanted,) = re.findall(r"^checkov==(\S+)$", texts["tools/checkov/requirements.in"], re.MULTILINE)
    assert f"\ncheckov=={wanted} " in texts["tools/checkov/requirements.lock"]
