"""What stands around Flyte: disruption budgets, network policies, and Services by which propeller reaches all pods."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aerodrome_stacks.chart_values.flyte_components import components
from aerodrome_stacks.environment import Environment
from tests.charts.batch_connector import surroundings_of
from tests.charts.deployed import CHARTS, DeployedRelease
from tests.charts.helm import KUBERNETES_VERSIONS, Helm, Manifest, problems
from tests.charts.network_policies import Host, Port, lets_through

NAME = "app.kubernetes.io/name"


@pytest.fixture
def rendered(releases: Mapping[str, DeployedRelease], helm: Helm) -> Sequence[Manifest]:
    """The release in one environment."""
    release = releases["aerodrome-flyte"]
    return helm.template(release.folder, release=release.name, namespace=release.namespace, values=release.values)


@pytest.fixture
def sharded(environment: Environment) -> Environment:
    """The environment with three flytepropellers that share the executions."""
    return environment.model_copy(update={"flyte": environment.flyte.model_copy(update={"propeller_shards": 3})})


def of_kind(manifests: Sequence[Manifest], kind: str) -> dict[str, Any]:
    """The specifications of all objects of a kind, by name."""
    found = {one["metadata"]["name"]: one["spec"] for one in manifests if one["kind"] == kind}
    assert found
    return found


def render(helm: Helm, environment: Environment) -> Sequence[Manifest]:
    return helm.template(
        CHARTS / "aerodrome-flyte", release="aerodrome-flyte", namespace="flyte", values=surroundings_of(environment)
    )


def test_a_node_that_is_emptied_takes_one_pod_of_each_at_a_time(rendered: Sequence[Manifest]) -> None:
    budgets = of_kind(rendered, "PodDisruptionBudget")

    assert {tuple(budget["selector"]["matchLabels"].items()) for budget in budgets.values()} == {
        ((NAME, "flyteadmin"),),
        ((NAME, "datacatalog"),),
        ((NAME, "flyteconsole"),),
        ((NAME, "flytepropeller"),),
        ((NAME, "connector-aws-batch"),),
        (("app", "flyte-pod-webhook"),),
    }
    for budget in budgets.values():
        assert budget["maxUnavailable"] == 1
        # A pod that is not ready must not keep a node for ever.
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.cdk_variants("prod")
def test_a_budget_of_shards_is_one_that_pods_without_a_deployment_can_have(helm: Helm, sharded: Environment) -> None:
    budgets = of_kind(render(helm, sharded), "PodDisruptionBudget")

    # https://kubernetes.io/docs/tasks/run-application/configure-pdb/, "Arbitrary workloads and arbitrary selectors".
    assert budgets["flytepropeller-shards"]["minAvailable"] == 2
    assert "maxUnavailable" not in budgets["flytepropeller-shards"]
    # The label by which the manager finds its pods, and which no other pod has.
    assert budgets["flytepropeller-shards"]["selector"] == {"matchLabels": {"app": "flytepropeller"}}
    assert budgets["flytepropeller-manager"]["selector"] == {"matchLabels": {NAME: "flytepropeller-manager"}}
    # Two budgets for one pod, and it is never evicted.
    assert "flytepropeller" not in budgets


@pytest.mark.cdk_variants("prod")
def test_propellers_share_executions_where_the_environment_says_so(
    environment: Environment, sharded: Environment
) -> None:
    one, three = (json.loads(json.dumps(components(of))) for of in (environment, sharded))

    assert (one["flytepropeller"]["manager"], three["flytepropeller"]["manager"]) == (False, True)
    # By a hash: of projects or domains, one may have all the work.
    assert three["configmap"]["core"]["manager"] == {"shard": {"type": "Hash", "shard-count": 3}}
    # Each has what one has.
    assert three["flytepropeller"]["resources"] == one["flytepropeller"]["resources"]
    assert three["configmap"]["core"]["propeller"] == one["configmap"]["core"]["propeller"]


def test_nothing_comes_in_that_no_policy_lets_in(rendered: Sequence[Manifest]) -> None:
    policies = of_kind(rendered, "NetworkPolicy")

    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    ports = {
        name: [entry["port"] for rule in spec.get("ingress", []) for entry in rule["ports"]]
        for name, spec in policies.items()
    }
    assert ports == {
        "default-deny": [],
        "flyteadmin": [8088, 8089],
        "datacatalog": [8089],
        "flyteconsole": [8080],
        "webhook": [9443],
        "connectors": [8000, 9090],
        "metrics": [10254],
    }


@pytest.mark.parametrize(
    ("component", "port", "let_in"),
    [
        ({NAME: "flyteadmin"}, 8089, {"flytepropeller", "flytescheduler", "task", "load balancer"}),
        # It asks nobody who they are, and has the cached results of every project.
        ({NAME: "datacatalog"}, 8089, {"flytepropeller"}),
        ({NAME: "flyteconsole"}, 8080, {"load balancer"}),
        ({"app": "flyte-pod-webhook"}, 9443, {"load balancer"}),
        ({NAME: "flyteadmin"}, 10254, {"prometheus"}),
        ({NAME: "datacatalog"}, 10254, {"prometheus"}),
        ({NAME: "flytepropeller"}, 10254, {"prometheus"}),
        ({"app": "flyte-pod-webhook"}, 10254, {"prometheus"}),
        ({NAME: "flyteadmin"}, 22, set()),
    ],
)
def test_each_component_is_reached_by_who_needs_it_and_by_nobody_else(
    rendered: Sequence[Manifest],
    environment: Environment,
    component: Mapping[str, str],
    port: int,
    let_in: set[str],
) -> None:
    policies = [one for one in rendered if one["kind"] == "NetworkPolicy"]
    address = environment.network.pod_cidr[1000]
    project = {"aerodrome.io/project": "somebodys", "aerodrome.io/domain": "development"}
    hosts = {
        "flytepropeller": Host(address=address, namespace="flyte", labels={NAME: "flytepropeller"}),
        "flytescheduler": Host(address=address, namespace="flyte", labels={NAME: "flytescheduler"}),
        "task": Host(address=address, namespace="somebodys-development", namespace_labels=project),
        "prometheus": Host(address=address, namespace="monitoring", labels={NAME: "prometheus"}),
        "grafana": Host(address=address, namespace="monitoring", labels={NAME: "grafana"}),
        "mlflow": Host(address=address, namespace="mlflow", labels={NAME: "mlflow"}),
        # The Kubernetes API's interfaces have their addresses there, too.
        "load balancer": Host(address=environment.network.cidr[1000]),
    }
    target = Host(address=environment.network.pod_cidr[2000], namespace="flyte", labels=component)

    found = {name for name, host in hosts.items() if lets_through(policies, host, target, Port(number=port))}
    assert found == let_in


def test_the_load_balancer_comes_from_where_no_pod_is(rendered: Sequence[Manifest], environment: Environment) -> None:
    ranges = {
        peer["ipBlock"]["cidr"]
        for spec in of_kind(rendered, "NetworkPolicy").values()
        for rule in spec.get("ingress", [])
        for peer in rule["from"]
        if "ipBlock" in peer
    }

    assert ranges == {str(environment.network.cidr)}
    assert not environment.network.cidr.overlaps(environment.network.pod_cidr)


@pytest.mark.parametrize(
    ("component", "path", "policy"),
    [
        ("flyteadmin", ("configmap", "admin", "admin"), "defaultServiceConfig"),
        ("datacatalog", ("configmap", "catalog", "catalog-cache"), "default-service-config"),
    ],
)
def test_propeller_speaks_to_every_pod_in_turn(
    flyte: DeployedRelease, rendered: Sequence[Manifest], component: str, path: tuple[str, ...], policy: str
) -> None:
    # Over a Service with an address, its one connection would go to one pod for as long as that lives.
    name = f"{component}-pods"
    service = of_kind(rendered, "Service")[name]
    (port,) = service["ports"]
    client = flyte.value(*path)

    assert client["endpoint"] == f"dns:///{name}.{flyte.namespace}.svc.cluster.local:{port['port']}"
    assert json.loads(client[policy]) == {"loadBalancingConfig": [{"round_robin": {}}]}
    assert service["clusterIP"] == "None"
    assert service["selector"] == {NAME: component}
    # The port of the pods, as there is no address that could have another.
    assert port["port"] == port["targetPort"] == 8089


@pytest.mark.cdk_variants("prod")
@pytest.mark.parametrize("kubernetes_version", KUBERNETES_VERSIONS)
def test_the_api_server_would_take_what_shards_need(helm: Helm, sharded: Environment, kubernetes_version: str) -> None:
    refused = [found for one in render(helm, sharded) if (found := problems(one, kubernetes_version))]

    assert refused == []


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"propellerShards": 1}, "propellerShards"),
        ({"loadBalancerRanges": []}, "minItems"),
        ({"resourceStore": {"enabled": True, "image": "valkey/valkey:latest"}}, "image"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    releases: Mapping[str, DeployedRelease], helm: Helm, values: Mapping[str, object], complaint: str
) -> None:
    release = releases["aerodrome-flyte"]

    with pytest.raises(AssertionError, match=complaint):
        helm.lint(release.folder, {**release.values, **values})
