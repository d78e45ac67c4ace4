"""Every path that we set is one that the chart knows: Helm takes a misspelt key without a word."""

from collections.abc import Mapping

import pytest

from chart_paths import paths_in, unknown_paths
from pytest_cdk import AssemblyFactory
from pytest_cdk.settings import Settings
from tests.charts.deployed import DeployedRelease, deployed_releases, specs
from tests.charts.known_paths import extra_paths, known_paths_of

UPSTREAM = [name for name, spec in specs().items() if not spec.is_local]


def test_every_path_that_we_set_is_known(releases: Mapping[str, DeployedRelease]) -> None:
    upstream = [release for release in releases.values() if release.chart is not None]
    assert upstream

    for release in upstream:
        paths = known_paths_of(release.chart or "")
        unknown = unknown_paths(release.values, set(paths.known), set(paths.free_form))

        assert [str(path) for path in unknown] == [], release.chart


@pytest.mark.parametrize(
    ("chart", "values", "message"),
    [
        pytest.param(
            "flyte-core",
            {"configmap": {"adminServer": {"flyteadmin": {"useOffloadedInput": True}}}},
            "configmap.adminServer.flyteadmin.useOffloadedInput; "
            "did you mean configmap.adminServer.flyteadmin.useOffloadedInputs?",
            id="a key that Flyte's code names",
        ),
        pytest.param(
            "kube-prometheus-stack",
            {"prometheus": {"prometheusSpec": {"retention_size": "1GiB"}}},
            "prometheus.prometheusSpec.retention_size; did you mean prometheus.prometheusSpec.retentionSize?",
            id="a key of the chart",
        ),
        pytest.param(
            "kube-prometheus-stack",
            {"grafana": {"resources": {"request": {"cpu": "1"}}}},
            "grafana.resources.request; did you mean grafana.resources.requests?",
            id="a key of a Kubernetes type in a sub-chart",
        ),
        pytest.param("mlflow", {"replicas": 2}, "replicas; did you mean replicaCount?", id="a key at the top"),
    ],
)
def test_a_misspelt_key_is_found_and_the_right_one_named(
    chart: str, values: Mapping[str, object], message: str
) -> None:
    paths = known_paths_of(chart)

    assert [str(path) for path in unknown_paths(values, set(paths.known), set(paths.free_form))] == [message]


@pytest.mark.parametrize("chart", UPSTREAM)
def test_the_list_is_of_the_pinned_version(chart: str) -> None:
    pinned = specs()[chart]

    assert known_paths_of(chart).header.startswith(f"# The value paths that {pinned.chart} {pinned.version} knows")


def test_nothing_is_reviewed_that_no_environment_sets(cdk_settings: Settings, cdk_assembly: AssemblyFactory) -> None:
    paths = {
        f"{release.chart}: {path}"
        for environment in cdk_settings.variants
        for release in deployed_releases(cdk_assembly(environment)).values()
        for path in paths_in(release.values)
    }
    reviewed = {f"{chart}: {path}" for chart in UPSTREAM for path in extra_paths().get(chart, {}).get("known", {})}

    assert reviewed
    assert reviewed - paths == set()
