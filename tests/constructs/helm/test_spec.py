from pathlib import Path

import pytest

from aerodrome_constructs.helm import ReleaseSpec, ReleaseSpecError, read_values

UPSTREAM = {
    "release": "web",
    "namespace": "shop",
    "version": "1.2.3",
    "read": "example/charts, tag web-1.2.3",
    "chart": "web-chart",
    "repository": "https://charts.example.com",
    "digest": f"sha256:{'0a' * 32}",
}
OWN = {key: UPSTREAM[key] for key in ("release", "namespace", "version", "read")}


def write(folder: Path, release: dict[str, str], *, values: str = "replicas: 2\n", chart: bool = False) -> Path:
    text = "".join(f'{key}: "{value}"\n' for key, value in release.items())
    (folder / "release.yaml").write_text(text, encoding="utf-8")
    (folder / "values.yaml").write_text(values, encoding="utf-8")
    if chart:
        (folder / "Chart.yaml").write_text("name: own\nversion: 1.2.3\n", encoding="utf-8")
    return folder


def test_an_upstream_chart_is_read_with_our_values(tmp_path: Path) -> None:
    spec = ReleaseSpec.from_folder(write(tmp_path, UPSTREAM))

    assert (spec.release, spec.namespace, spec.version, spec.chart) == ("web", "shop", "1.2.3", "web-chart")
    assert spec.digest == UPSTREAM["digest"]
    assert spec.values == {"replicas": 2}
    assert not spec.is_local


def test_the_values_of_a_chart_of_our_own_are_left_to_helm(tmp_path: Path) -> None:
    spec = ReleaseSpec.from_folder(write(tmp_path, OWN, chart=True))

    assert spec.is_local
    assert spec.values == {}


def test_a_chart_can_be_installed_under_another_name(tmp_path: Path) -> None:
    spec = ReleaseSpec.from_folder(write(tmp_path, OWN, chart=True)).installed_as("shop-secrets", "stock")

    assert (spec.release, spec.namespace, spec.version) == ("shop-secrets", "stock", "1.2.3")


def test_nulls_in_our_values_survive(tmp_path: Path) -> None:
    spec = ReleaseSpec.from_folder(write(tmp_path, UPSTREAM, values="a: { b: null, c: ~ }\n"))

    assert spec.values == {"a": {"b": None, "c": None}}


@pytest.mark.parametrize(
    ("release", "message"),
    [
        pytest.param({**UPSTREAM, "verison": "1"}, "missing or unknown: verison", id="unknown key"),
        pytest.param(
            {key: value for key, value in UPSTREAM.items() if key != "version"},
            "missing or unknown: version",
            id="missing key",
        ),
        pytest.param({**UPSTREAM, "digest": "sha256:0a"}, "digest is 'sha256:0a'", id="short digest"),
        pytest.param(
            {**UPSTREAM, "repository": "charts.example.com"}, "begins with https:// or oci://", id="no scheme"
        ),
        pytest.param(
            {key: value for key, value in UPSTREAM.items() if key != "chart"}, "`chart` must name", id="no chart"
        ),
        pytest.param(OWN, "no repository, so the folder is the chart", id="no chart of its own"),
    ],
)
def test_a_malformed_release_is_refused(tmp_path: Path, release: dict[str, str], message: str) -> None:
    with pytest.raises(ReleaseSpecError, match=message):
        ReleaseSpec.from_folder(write(tmp_path, release))


def test_a_version_without_quotation_marks_is_refused(tmp_path: Path) -> None:
    write(tmp_path, UPSTREAM)
    (tmp_path / "release.yaml").write_text("version: 1.10\n", encoding="utf-8")

    with pytest.raises(ReleaseSpecError, match="not text: version; put the value in quotation marks"):
        ReleaseSpec.from_folder(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseSpecError, match=r"values\.yaml: no such file"):
        read_values(tmp_path / "values.yaml")


@pytest.mark.parametrize("text", ["[a, b]\n", "1: a\n", "", "a: [\n"])
def test_what_is_no_map_with_text_keys_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "values.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(ReleaseSpecError, match=r"values\.yaml: (must be a map|not YAML)"):
        read_values(tmp_path / "values.yaml")
