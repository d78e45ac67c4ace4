"""The tool that pulls upstream charts, on a repository of its own on this machine."""

import functools
import hashlib
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aerodrome_constructs.helm import ReleaseSpec
from pull_charts import PullError, pull, pull_all, upstream
from tests.charts.deployed import CHARTS
from tests.charts.helm import Helm


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def repository(tmp_path: Path, helm: Helm) -> Iterator[tuple[str, Path]]:
    """A chart repository with one chart, box 1.2.3: its URL and its folder."""
    chart, folder = tmp_path / "box", tmp_path / "repository"
    (chart / "templates").mkdir(parents=True)
    folder.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: box\nversion: 1.2.3\n", encoding="utf-8")
    (chart / "values.yaml").write_text("size: 1\n", encoding="utf-8")
    for command in (["package", str(chart), "--destination", str(folder)], ["repo", "index", str(folder)]):
        subprocess.run([helm.program, *command], check=True, capture_output=True, timeout=60)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def box(url: str, digest: str | None = None) -> ReleaseSpec:
    """The release of that chart."""
    pinned = ReleaseSpec.from_folder(CHARTS / "flyte-core")
    return replace(pinned, chart="box", repository=url, version="1.2.3", digest=digest)


def test_it_pulls_what_the_platform_pins() -> None:
    names = {spec.chart for spec in upstream(CHARTS)}

    assert {"flyte-core", "kube-prometheus-stack", "mlflow", "karpenter"} <= names
    assert not any(str(name).startswith("aerodrome-") for name in names)


def test_a_chart_is_unpacked_under_its_name(repository: tuple[str, Path], tmp_path: Path, helm: Helm) -> None:
    into = tmp_path / "charts"

    assert pull_all([box(repository[0])], into, helm.program) == []
    assert (into / "box" / "values.yaml").read_text(encoding="utf-8") == "size: 1\n"
    # Once more, over the first.
    assert pull_all([box(repository[0])], into, helm.program) == []


def test_a_chart_with_the_pinned_digest_is_taken(repository: tuple[str, Path], tmp_path: Path, helm: Helm) -> None:
    url, folder = repository
    digest = hashlib.sha256((folder / "box-1.2.3.tgz").read_bytes()).hexdigest()

    pull(box(url, digest=f"sha256:{digest}"), tmp_path, helm.program)

    assert (tmp_path / "box" / "Chart.yaml").is_file()


def test_another_chart_behind_the_same_version_is_refused(
    repository: tuple[str, Path], tmp_path: Path, helm: Helm
) -> None:
    into = tmp_path / "charts"
    with pytest.raises(PullError, match="somebody put another chart behind the version"):
        pull(box(repository[0], digest=f"sha256:{'0' * 64}"), into, helm.program)

    assert not into.exists()


def test_what_is_not_there_is_told_and_the_others_are_pulled(
    repository: tuple[str, Path], tmp_path: Path, helm: Helm
) -> None:
    missing = replace(box(repository[0]), version="9.9.9")

    (problem,) = pull_all([missing, box(repository[0])], tmp_path / "charts", helm.program)

    assert problem.startswith(f"box 9.9.9 from {repository[0]}: ")
    assert (tmp_path / "charts" / "box").is_dir()
