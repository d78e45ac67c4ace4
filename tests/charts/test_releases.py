"""What holds for every release: where it comes from, how it is installed, and what never stands in its values."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from ruamel.yaml import YAML

from aerodrome_constructs.cluster.scheduling import SYSTEM_LABEL
from aerodrome_stacks.chart_values.operators import OPERATORS, operators
from aerodrome_stacks.environment import Environment
from tests.charts.deployed import CHARTS, DeployedRelease, specs

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_SECONDS = 900
SPECS = specs()
# Installed where there are nodes with GPUs, of which our environments have none: test_nvidia_device_plugin.py.
WITH_GPUS = {"nvidia-device-plugin"}
# Installed where the environment has the plugin: test_flyte_plugins.py.
OPERATORS_OF_PLUGINS = {operator.folder for operator in OPERATORS.values()}
# Keys that hold a secret's value, as opposed to its name, its path or its key.
SECRET_KEY = re.compile(
    r"(?i)(password|passwd|secretkey|client_?secret|accesskey|token|apikey|connectionstring|cookiesecret)$"
)
# Those that are settings of a secret all the same: null removes the chart's default.
REMOVED = {"secrets.adminOauthClientCredentials.clientSecret"}
# A text that a chart would otherwise make up at each render, and that stands for a secret which is elsewhere.
UNUSED = {"mlflow: flaskServerSecretKey"}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from leaves(child, f"{path}.{key}" if path else key)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, child in enumerate(value):
            yield from leaves(child, f"{path}[{index}]")
    else:
        yield path, value


@pytest.mark.parametrize("name", SPECS)
def test_the_folder_is_named_after_the_chart(name: str) -> None:
    spec = SPECS[name]

    assert (spec.chart or spec.release) == name
    assert spec.read


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.is_local])
def test_a_chart_of_our_own_has_the_version_that_its_release_says(name: str) -> None:
    chart = YAML(typ="safe").load(CHARTS / name / "Chart.yaml")

    assert (chart["name"], chart["version"]) == (name, SPECS[name].version)


@pytest.mark.parametrize("name", SPECS)
def test_the_version_is_pinned_exactly(name: str) -> None:
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", SPECS[name].version)


def not_installed(environment: Environment) -> set[str]:
    return WITH_GPUS | (OPERATORS_OF_PLUGINS - {operator.folder for operator in operators(environment)})


def test_every_folder_is_installed_and_every_release_has_a_folder(
    releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    assert {release.folder.name for release in releases.values()} == set(SPECS) - not_installed(environment)


def test_the_templates_name_the_pinned_charts(
    releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    upstream = {release.chart: release for release in releases.values() if release.chart is not None}
    absent = not_installed(environment)
    pinned = {name: spec for name, spec in SPECS.items() if not spec.is_local and name not in absent}

    assert upstream.keys() == pinned.keys()
    for name, spec in pinned.items():
        assert upstream[name].version == spec.version
        assert upstream[name].properties["Repository"] == spec.repository
        assert (upstream[name].name, upstream[name].namespace) == (spec.release, spec.namespace)


def test_every_release_is_atomic_awaited_and_over_before_the_function_ends(
    releases: Mapping[str, DeployedRelease],
) -> None:
    for release in releases.values():
        assert release.properties["Atomic"] is True
        assert release.properties["Wait"] is True
        # Once for the release, once for its rollback.
        assert 2 * int(release.properties["Timeout"].removesuffix("s")) < LAMBDA_SECONDS


def test_no_namespace_is_made_by_helm_which_would_leave_it_without_labels(
    releases: Mapping[str, DeployedRelease],
) -> None:
    assert [release.name for release in releases.values() if "CreateNamespace" in release.properties] == []


def test_no_value_is_a_secret(releases: Mapping[str, DeployedRelease]) -> None:
    found = {
        f"{release.name}: {path}"
        for release in releases.values()
        for path, value in leaves(release.values)
        # A key that names another key ("passwordKey") or a source is no secret, nor is a name in `secrets`.
        if SECRET_KEY.search(path.rpartition(".")[2])
        and value is not None
        # A switch is none, such as whether a pod gets a token.
        and not isinstance(value, bool)
        and not release.name.endswith("-secrets")
        and not path.startswith("grafana.admin.")
    }

    assert found - REMOVED - UNUSED == set()


def test_what_stands_for_a_secret_is_none(releases: Mapping[str, DeployedRelease]) -> None:
    # templates/flask_secret.yaml of the chart makes a Secret of it where there is none of that name. There is.
    assert releases["mlflow"].value("flaskServerSecretKey") == "kept-in-secrets-manager"
    assert "mlflow-flask-server-secret-key" in releases["mlflow-secrets"].value("secrets")


def test_the_search_for_secrets_finds_one() -> None:
    values = {"backendStore": {"postgres": {"password": "hunter2"}}, "a": [{"clientSecret": "x"}]}

    assert [path for path, _ in leaves(values) if SECRET_KEY.search(path.rpartition(".")[2])] == [
        "backendStore.postgres.password",
        "a[0].clientSecret",
    ]


def test_no_secret_is_resolved_by_cloudformation_into_values(releases: Mapping[str, DeployedRelease]) -> None:
    # A dynamic reference would put the secret itself into the custom resource's properties, and into Helm's history.
    for release in releases.values():
        assert "{{resolve:" not in json.dumps(release.properties)


def test_nodes_are_selected_by_the_label_that_the_node_group_has(releases: Mapping[str, DeployedRelease]) -> None:
    selected = {
        (release.name, path): value
        for release in releases.values()
        # Our own say where nothing runs, but one: which nodes there are.
        if selects_nodes(release)
        for path, value in leaves(release.values)
        if f".{SYSTEM_LABEL.key}" in path or path.startswith(SYSTEM_LABEL.key)
    }

    assert {name for name, _ in selected} == {name for name, release in releases.items() if selects_nodes(release)}
    assert set(selected.values()) == {SYSTEM_LABEL.value}


def selects_nodes(release: DeployedRelease) -> bool:
    # Fluent Bit runs on all of them.
    return release.chart is not None and release.name != "aws-for-fluent-bit"
