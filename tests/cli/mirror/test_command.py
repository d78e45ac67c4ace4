"""``aerodrome mirror``, as a person meets it. What it copies: ``tests/local/test_mirror.py``."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aerodrome.main import app
from aerodrome.mirror import command
from aerodrome.project import Project
from tests.templates import ROOT

ACCOUNT = "777788889999"
HOST = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
PROMETHEUS = "quay.io/prometheus/prometheus"

Mirror = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the real environments and charts, in which prod has a mirror."""
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    (tmp_path / "charts").mkdir()
    file = tmp_path / "environments" / "prod.yaml"
    kept = [line for line in file.read_text().splitlines() if not line.startswith("images:")]
    file.write_text("\n".join([*kept, "images: mirror", ""]))
    monkeypatch.setattr(command, "PROJECT", Project(root=tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mirror(project: Path) -> Mirror:
    """Run the command in that project."""
    assert project.is_dir()
    return lambda *arguments: CliRunner().invoke(app, ["mirror", *arguments])


def test_a_dry_run_lists_every_image_and_chart_with_its_copy(mirror: Mirror, project: Path) -> None:
    done = mirror("-e", "prod", "--dry-run")

    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    place = next(number for number, line in enumerate(lines) if line.startswith(f"image {PROMETHEUS}:"))
    tag = lines[place].rpartition(":")[2]
    assert lines[place + 1] == f"  to {HOST}/aerodrome/prod/{PROMETHEUS}:{tag}"
    assert lines[place + 2] == "  no digest yet: the first push locks it"
    place = next(number for number, line in enumerate(lines) if ", flyte-core v1.16.8" in line)
    assert lines[place] == "chart https://flyteorg.github.io/flyte, flyte-core v1.16.8"
    assert lines[place + 1] == f"  to {HOST}/aerodrome/prod/charts/flyte-core:v1.16.8"
    assert lines[place + 2].startswith("  sha256:4d59f56b")
    assert lines[-1].endswith("Nothing was copied: --push does.")
    assert list((project / "charts").iterdir()) == []


def test_a_dry_run_is_what_the_command_does_unless_told(mirror: Mirror) -> None:
    assert mirror("-e", "prod").stdout == mirror("-e", "prod", "--dry-run").stdout


def test_a_dry_run_as_json_has_the_locked_digests(mirror: Mirror, project: Path) -> None:
    digest = f"sha256:{'a' * 64}"
    (image,) = [
        item for item in json.loads(mirror("-e", "prod", "--json").stdout)["items"] if PROMETHEUS in item["name"]
    ]
    assert image["digest"] is None
    (project / "charts" / "images.lock.yaml").write_text(f'images:\n  "{image["name"]}": {digest}\n')

    listed = json.loads(mirror("-e", "prod", "--json").stdout)

    assert (listed["environment"], listed["images"]) == ("prod", "mirror")
    assert {**image, "digest": digest} in listed["items"]
    assert {item["kind"] for item in listed["items"]} == {"image", "chart"}
    karpenter = next(item for item in listed["items"] if item["name"].startswith("public.ecr.aws/karpenter/"))
    assert karpenter["digest"].startswith("sha256:ea731b0c"), "the chart pins it"


def test_any_environment_can_be_listed(mirror: Mirror) -> None:
    done = mirror("-e", "dev", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["images"] == "upstream"


def test_nothing_is_copied_for_an_environment_without_a_mirror(mirror: Mirror) -> None:
    done = mirror("-e", "dev", "--push")

    assert done.exit_code == 2
    assert done.stderr == (
        "aerodrome mirror: environments/dev.yaml says images: upstream, so nothing would be taken from a mirror, and "
        "there are no repositories for one; write images: mirror, and deploy the stack Images\n"
    )


def test_an_environment_that_is_not_there_is_told(mirror: Mirror) -> None:
    done = mirror("-e", "prdo")

    assert done.exit_code == 2
    assert "did you mean prod?" in done.stderr


def test_a_lock_that_is_none_is_told(mirror: Mirror, project: Path) -> None:
    (project / "charts" / "images.lock.yaml").write_text("- 1\n")

    done = mirror("-e", "prod")

    assert done.exit_code == 2
    assert done.stderr.startswith("aerodrome mirror: images.lock.yaml: ")
