"""What there is little of: flytepropeller's resource manager, and the store in which it counts."""

import json
from collections.abc import Mapping
from typing import Any, Final, get_args

import pytest

from aerodrome_stacks.chart_values.flyte_resource_limits import CONNECTORS, MAP_TASKS, resource_limits
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import LimitedPlugin
from tests.charts.batch_connector import surroundings_of
from tests.charts.deployed import CHARTS, DeployedRelease
from tests.charts.helm import KUBERNETES_VERSIONS, Helm, Manifest, problems

BOTH: Final[Mapping[LimitedPlugin, int]] = {"connector-service": 20, "k8s-array": 500}


def configmap(limits: Mapping[LimitedPlugin, int]) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(json.dumps(resource_limits(limits)["configmap"]))


def manifests(helm: Helm, environment: Environment, limits: Mapping[LimitedPlugin, int]) -> dict[str, Manifest]:
    """What the chart makes of an environment with these limits, by kind: of the store, one of each."""
    limited = environment.model_copy(update={"flyte": environment.flyte.model_copy(update={"resource_limits": limits})})
    rendered = helm.template(
        CHARTS / "aerodrome-flyte", release="aerodrome-flyte", namespace="flyte", values=surroundings_of(limited)
    )
    return {one["kind"]: one for one in rendered if one["metadata"]["name"] == "resource-store"}


def test_nothing_is_limited_where_nobody_says_so(
    flyte: DeployedRelease, environment: Environment, releases: Mapping[str, DeployedRelease]
) -> None:
    assert environment.flyte.resource_limits == {}
    assert "resource_manager" not in flyte.value("configmap")
    assert releases["aerodrome-flyte"].value("resourceStore") == {"enabled": False}


def test_the_connectors_of_all_projects_share_one_limit() -> None:
    connectors = configmap({"connector-service": 20})["k8s"]["plugins"]["connector-service"]

    # "default" is the one pool that the plugin asks for (flyteplugins/go/tasks/plugins/webapi/connector/plugin.go).
    assert connectors["webApi"]["resourceQuotas"] == {"default": 20}
    # Flyte's own, 100 for a project and 50 for one in a domain, would hold beside it.
    assert connectors["resourceConstraints"] == {
        "projectScopeResourceConstraint": {"value": 20},
        "namespaceScopeResourceConstraint": {"value": 20},
    }


def test_what_is_not_limited_is_not_limited_by_what_is() -> None:
    # With a store, Flyte's own limits of connectors come into force.
    limited = configmap({"k8s-array": 500})
    connectors = limited["k8s"]["plugins"]["connector-service"]

    assert limited["k8s"]["plugins"]["k8s-array"] == {"resourceConfig": {"primaryLabel": "pods", "limit": 500}}
    assert connectors["webApi"]["resourceQuotas"]["default"] == 100_000
    assert "k8s-array" not in configmap({"connector-service": 20})["k8s"]["plugins"]


def test_no_pool_has_more_than_the_manager_takes() -> None:
    # flytepropeller would not start (RegisterResourceQuota in redis_resourcemanager.go).
    limited = configmap({"connector-service": 100_000})
    most = limited["resource_manager"]["propeller"]["resourcemanager"]["resourceMaxQuota"]

    assert limited["k8s"]["plugins"]["connector-service"]["webApi"]["resourceQuotas"]["default"] <= most


def test_the_model_takes_the_plugins_that_ask() -> None:
    assert set(get_args(LimitedPlugin)) == {CONNECTORS, MAP_TASKS}


@pytest.mark.cdk_variants("prod")
def test_propeller_counts_where_the_store_is(helm: Helm, environment: Environment) -> None:
    manager = configmap(BOTH)["resource_manager"]["propeller"]["resourcemanager"]
    service = manifests(helm, environment, BOTH)["Service"]
    (port,) = service["spec"]["ports"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]

    assert manager["type"] == "redis"
    assert manager["redis"]["hostPaths"] == [f"{name}.{namespace}.svc.cluster.local:{port['port']}"]


@pytest.mark.cdk_variants("prod")
def test_there_is_a_store_only_where_something_is_limited(helm: Helm, environment: Environment) -> None:
    assert manifests(helm, environment, {}) == {}
    assert manifests(helm, environment, BOTH).keys() == {"Service", "StatefulSet", "NetworkPolicy"}


@pytest.mark.cdk_variants("prod")
def test_the_store_forgets_nothing_to_make_room_and_obeys_six_commands(helm: Helm, environment: Environment) -> None:
    (container,) = manifests(helm, environment, BOTH)["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    arguments = container["args"]

    # A place that is forgotten is given twice.
    assert arguments[arguments.index("--maxmemory-policy") + 1] == "noeviction"
    allowed = [argument for argument in arguments if argument.startswith("+")]
    assert allowed == ["+ping", "+scard", "+sismember", "+smembers", "+sadd", "+srem"]
    # Nothing before them is taken back after.
    assert arguments.index("-@all") < arguments.index("+ping")
    # GetID() of the manager, under which every pool's key begins.
    assert "~redisresourcemanager:*" in arguments


@pytest.mark.cdk_variants("prod")
def test_nobody_but_propeller_reaches_the_store(helm: Helm, environment: Environment) -> None:
    store = manifests(helm, environment, BOTH)
    (rule,) = store["NetworkPolicy"]["spec"]["ingress"]
    pod = store["StatefulSet"]["spec"]["template"]

    # It has no password: flytepropeller takes one from a ConfigMap only.
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "flytepropeller"}}}]
    assert [port["port"] for port in rule["ports"]] == [6379]
    selector = store["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert selector.items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["automountServiceAccountToken"] is False


@pytest.mark.cdk_variants("prod")
@pytest.mark.parametrize("kubernetes_version", KUBERNETES_VERSIONS)
def test_the_api_server_would_take_the_store(helm: Helm, environment: Environment, kubernetes_version: str) -> None:
    found = [problems(one, kubernetes_version) for one in manifests(helm, environment, BOTH).values()]

    assert found == [[], [], []]
