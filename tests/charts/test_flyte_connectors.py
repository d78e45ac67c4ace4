"""Connectors: how flytepropeller finds them, and what they are in the cluster."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest

from aerodrome_constructs.helm import merge_values
from aerodrome_stacks.chart_values.flyte_connectors import plugin
from aerodrome_stacks.chart_values.flyte_resource_limits import resource_limits
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import Connector
from tests.charts.batch_connector import surroundings_of
from tests.charts.deployed import CHARTS, DeployedRelease
from tests.charts.helm import KUBERNETES_VERSIONS, Helm, Manifest, problems
from tests.charts.network_policies import Host, Port, lets_through
from tests.charts.rendered.connectors import connectors_are_known
from tests.charts.rendered.facts import Platform
from tests.charts.rendered.workloads import RULES, Cluster

NAME = "app.kubernetes.io/name"
GIVEN: Final = {
    "snowflake": Connector(image="ghcr.io/acme/snowflake:1.4.0", task_types=("snowflake", "Snowpark")),
    "google": Connector(image="ghcr.io/acme/google:2.0", task_types=("bigquery_query_job_task",), replicas=1),
}

pytestmark = pytest.mark.cdk_variants("prod")


def with_flyte(environment: Environment, **changes: object) -> Environment:
    return environment.model_copy(update={"flyte": environment.flyte.model_copy(update=changes)})


@pytest.fixture
def connected(environment: Environment) -> Environment:
    """The environment with two connectors, and without that of AWS Batch."""
    return with_flyte(environment, connectors=GIVEN, batch_connector=None)


@pytest.fixture
def rendered(helm: Helm, connected: Environment) -> Sequence[Manifest]:
    """What the chart makes of it."""
    manifests = helm.template(
        CHARTS / "aerodrome-flyte", release="aerodrome-flyte", namespace="flyte", values=surroundings_of(connected)
    )
    return [{**one, "metadata": {"namespace": "flyte", **one["metadata"]}} for one in manifests]


def settings(environment: Environment) -> Mapping[str, Any]:
    """What stands under ``plugins.connector-service`` of flytepropeller's configuration."""
    values: Any = plugin(environment)
    found: Mapping[str, Any] = values["configmap"]["k8s"]["plugins"]["connector-service"]
    return found


def named(manifests: Sequence[Manifest], name: str) -> dict[str, Manifest]:
    """The objects of a connector, by kind."""
    return {one["kind"]: one for one in manifests if one["metadata"]["name"] == name}


def test_without_connectors_there_is_nothing_of_them(environment: Environment) -> None:
    assert environment.flyte.connectors == {}
    without = with_flyte(environment, batch_connector=None)
    assert plugin(without) == {}
    assert surroundings_of(without)["connectors"] == {}


def test_propeller_asks_every_pod_of_a_connector_in_turn(connected: Environment, rendered: Sequence[Manifest]) -> None:
    found = settings(connected)["connectors"]

    assert found.keys() == GIVEN.keys()
    for name, deployment in found.items():
        service = named(rendered, f"connector-{name}")["Service"]
        (port,) = service["spec"]["ports"]
        assert deployment["endpoint"] == f"dns:///connector-{name}.flyte.svc.cluster.local:{port['port']}"
        assert json.loads(deployment["defaultServiceConfig"]) == {"loadBalancingConfig": [{"round_robin": {}}]}
        assert service["spec"]["clusterIP"] == "None"
        # Of a map's entry, unlike of the default connector, Flyte fills in nothing.
        assert (deployment["insecure"], deployment["defaultTimeout"]) == (True, "30s")


def test_a_type_is_known_while_no_pod_of_its_connector_answers(connected: Environment) -> None:
    # A list, whose entries keep their capitals; and not connectorForTaskTypes, which makes every connector one that
    # does not answer at once.
    assert settings(connected)["supportedTaskTypes"] == ["Snowpark", "bigquery_query_job_task", "snowflake"]
    assert "connectorForTaskTypes" not in settings(connected)


def test_a_limit_and_the_connectors_stand_side_by_side(connected: Environment) -> None:
    both: Any = merge_values(plugin(connected), resource_limits({"connector-service": 20}))
    found = both["configmap"]["k8s"]["plugins"]["connector-service"]

    assert found["webApi"]["resourceQuotas"] == {"default": 20}
    assert found["connectors"].keys() == GIVEN.keys()


def test_what_flytekit_is_started_with_is_where_it_is_asked(rendered: Sequence[Manifest]) -> None:
    deployment = named(rendered, "connector-snowflake")["Deployment"]["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    options = dict(zip(container["args"][::2], container["args"][1::2], strict=True))

    assert container["command"] == ["pyflyte", "serve", "connector"]
    assert (container["image"], deployment["replicas"]) == ("ghcr.io/acme/snowflake:1.4.0", 2)
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    assert options == {"--port": ports["grpc"], "--prometheus_port": ports["metrics"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["grpc"] == {"port": 8000}


def test_secrets_are_where_flytekit_looks_for_them(rendered: Sequence[Manifest]) -> None:
    pod = named(rendered, "connector-snowflake")["Deployment"]["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]

    assert mounts["secrets"] == "/etc/secrets"
    # Where there is none, it starts without.
    assert secret == {"secretName": "connector-snowflake", "optional": True}


def test_every_rule_of_workloads_is_kept(rendered: Sequence[Manifest]) -> None:
    cluster = Cluster({"aerodrome-flyte": rendered})
    found = [one for one in cluster.workloads() if one.name.startswith("Deployment/connector-")]
    broken = {
        (workload.name, rule): list(check(workload, cluster))
        for workload in found
        for rule, check in RULES.items()
        if list(check(workload, cluster))
    }

    assert {one.name: one.replicas for one in found} == {
        "Deployment/connector-google": 1,
        "Deployment/connector-snowflake": 2,
    }
    assert broken == {}
    # One pod with a budget keeps its node for ever.
    assert "PodDisruptionBudget" not in named(rendered, "connector-google")


@pytest.mark.parametrize("kubernetes_version", KUBERNETES_VERSIONS)
def test_the_api_server_would_take_them(rendered: Sequence[Manifest], kubernetes_version: str) -> None:
    assert [found for one in rendered if (found := problems(one, kubernetes_version))] == []


@pytest.mark.parametrize(("port", "let_in"), [(8000, {"flytepropeller"}), (9090, {"prometheus"}), (22, set())])
def test_propeller_starts_tasks_there_and_nobody_else(
    rendered: Sequence[Manifest], environment: Environment, port: int, let_in: set[str]
) -> None:
    policies = [one for one in rendered if one["kind"] == "NetworkPolicy"]
    address = environment.network.pod_cidr[1000]
    project = {"aerodrome.io/project": "somebodys", "aerodrome.io/domain": "development"}
    hosts = {
        "flytepropeller": Host(address=address, namespace="flyte", labels={NAME: "flytepropeller"}),
        "flyteadmin": Host(address=address, namespace="flyte", labels={NAME: "flyteadmin"}),
        "task": Host(address=address, namespace="somebodys-development", namespace_labels=project),
        "prometheus": Host(address=address, namespace="monitoring", labels={NAME: "prometheus"}),
        "load balancer": Host(address=environment.network.cidr[1000]),
    }
    pod = named(rendered, "connector-snowflake")["Deployment"]["spec"]["template"]["metadata"]["labels"]
    target = Host(address=environment.network.pod_cidr[2000], namespace="flyte", labels=pod)

    assert {name for name, host in hosts.items() if lets_through(policies, host, target, Port(number=port))} == let_in


def test_a_role_has_its_place(helm: Helm, connected: Environment) -> None:
    values: Any = surroundings_of(connected)
    values["connectors"]["google"]["serviceAccountAnnotations"] = {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"
    }
    manifests = helm.template(CHARTS / "aerodrome-flyte", release="aerodrome-flyte", namespace="flyte", values=values)

    account = named(manifests, "connector-google")["ServiceAccount"]
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}
    assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("connectors", "complaint"),
    [
        ({"a": {"image": "ghcr.io/acme/a:latest", "replicas": 2}}, "image"),
        ({"a": {"image": "ghcr.io/acme/a:1", "replicas": 0}}, "replicas"),
        ({"A": {"image": "ghcr.io/acme/a:1", "replicas": 2}}, "invalid propertyName"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    helm: Helm, environment: Environment, connectors: Mapping[str, object], complaint: str
) -> None:
    with pytest.raises(AssertionError, match=complaint):
        helm.lint(CHARTS / "aerodrome-flyte", {**surroundings_of(environment), "connectors": connectors})


@pytest.mark.parametrize("changed", ["nothing", "endpoint", "types"])
def test_the_fact_about_connectors_can_fail(connected: Environment, rendered: Sequence[Manifest], changed: str) -> None:
    values: Any = json.loads(json.dumps(plugin(connected)))
    of = values["configmap"]["k8s"]["plugins"]["connector-service"]
    if changed == "endpoint":
        of["connectors"]["google"]["endpoint"] = "dns:///flyteagent.flyte.svc.cluster.local:8000"
    elif changed == "types":
        of["supportedTaskTypes"].remove("snowflake")
    release = DeployedRelease("flyte", "flyte", "Orchestrator", "flyte-core", None, values, {})
    platform = Platform(connected, {"flyte": release}, Cluster({"aerodrome-flyte": rendered}))

    assert connectors_are_known(platform) is (changed == "nothing")
