"""The tool that lists the value paths of a chart."""

import subprocess
import sys
from pathlib import Path

import pytest

from chart_paths import known_paths, paths_in, unknown_paths
from tests.templates import ROOT


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart that says in every way there is which values it knows."""
    files = {
        "Chart.yaml": "name: shop\nversion: 1.2.3\ndependencies:\n  - {name: database, alias: store}\n",
        "values.yaml": 'image: {tag: ""}\nannotations: {}\n"shop.ini": {server: {port: 80}}\nhosts: [{name: a}]\n',
        "values.schema.json": '{"properties": {"probe": {"properties": {"path": {"type": "string"}}}}}',
        "templates/web.yaml": "a: {{ .Values.web.replicas }}\nb: {{ $.Values.extra.args | toYaml }}\n",
        "templates/_helpers.tpl": '{{ index .Values.ports "http-metrics" }}',
        "charts/database/Chart.yaml": "name: database\nversion: 1.0.0\n",
        "charts/database/values.yaml": "size: 1Gi\n",
    }
    for name, content in files.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path / "shop"


def test_defaults_schema_templates_and_sub_charts_are_read(chart: Path) -> None:
    assert known_paths(chart) == {
        "image",
        "image.tag",
        "annotations",
        '"shop.ini"',
        '"shop.ini".server',
        '"shop.ini".server.port',
        # A list is a value, whatever is in it.
        "hosts",
        "probe",
        "probe.path",
        "web",
        "web.replicas",
        "extra",
        "extra.args",
        "ports",
        "ports.http-metrics",
        # Values of a sub-chart are set under its alias.
        "store",
        "store.size",
    }


def test_a_path_that_is_not_known_is_named_with_its_nearest_sibling(chart: Path) -> None:
    unknown = unknown_paths({"web": {"replica": 2}, "image": {"tag": "1"}}, known_paths(chart), set())

    assert [str(path) for path in unknown] == ["web.replica; did you mean web.replicas?"]


def test_a_key_like_no_other_gets_no_suggestion(chart: Path) -> None:
    (unknown,) = unknown_paths({"zzz": 1}, known_paths(chart), set())

    assert str(unknown) == "zzz"


def test_anything_goes_below_a_free_form_map_and_nowhere_else(chart: Path) -> None:
    values = {"annotations": {"any": "thing"}, "web": {"any": "thing"}}

    unknown = unknown_paths(values, known_paths(chart), {"annotations"})

    assert [path.path for path in unknown] == ["web.any"]


def test_paths_of_values_quote_keys_with_dots() -> None:
    assert paths_in({"a.b": {"c": None}}) == {'"a.b"', '"a.b".c'}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program: list[str | Path] = [sys.executable, ROOT / "tools" / "chart_paths.py"]
    return subprocess.run([*program, *arguments], check=False, capture_output=True, text=True, timeout=60)


def test_the_program_prints_a_list_that_names_its_chart_and_its_command(chart: Path) -> None:
    done = run(chart)

    first, second, *paths = done.stdout.splitlines()
    assert (
        first == "# The value paths that shop 1.2.3 knows, from its values.yaml, values.schema.json, templates, charts."
    )
    assert second == "# Written by: .venv/bin/python tools/chart_paths.py shop/ > tests/charts/paths/shop.txt"
    assert paths == sorted(known_paths(chart))


def test_the_program_says_what_is_no_chart(tmp_path: Path) -> None:
    done = run(tmp_path)

    assert done.returncode == 2
    assert done.stderr.endswith("no Chart.yaml or no values.yaml: not the folder of an unpacked chart\n")
