"""What stands around MLflow, as Helm renders it: the migration, who connects to whom, the budget and the metrics."""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aerodrome_constructs.helm.release import HELM_TIMEOUT
from aerodrome_stacks.chart_values.flyte_projects import MLFLOW_TOKEN_FOLDER
from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import DeployedRelease, resources_of
from tests.charts.helm import Helm, Manifest


@pytest.fixture
def around(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["aerodrome-mlflow"]


@pytest.fixture
def manifests(around: DeployedRelease, helm: Helm) -> Sequence[Manifest]:
    return helm.template(around.folder, release=around.name, namespace=around.namespace, values=around.values)


def of_kind(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    found = [manifest for manifest in manifests if manifest["kind"] == kind]
    assert found, f"no {kind}"
    return found


@pytest.fixture
def migration(manifests: Sequence[Manifest]) -> Manifest:
    (job,) = of_kind(manifests, "Job")
    return job


def container(job: Manifest) -> Mapping[str, Any]:
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_the_migration_is_done_before_the_server_is_rolled_out(
    cdk_variant: str, cdk_assembly: AssemblyFactory, migration: Manifest
) -> None:
    charts = {
        resource["Properties"]["Release"]: (key, resource.get("DependsOn", []))
        for key, resource in resources_of(cdk_assembly(cdk_variant).template("Tracking")).items()
        if resource["Type"] == "Custom::AWSCDK-EKS-HelmChart"
    }

    assert charts["aerodrome-mlflow"][0] in charts["mlflow"][1]
    assert charts["mlflow-secrets"][0] in charts["aerodrome-mlflow"][1]
    # Helm waits for what it runs before an installation or an upgrade, and goes no further when that fails.
    assert migration["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert migration["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation"


def test_each_version_of_mlflow_has_a_migration_of_its_own(
    around: DeployedRelease, releases: Mapping[str, DeployedRelease], migration: Manifest, helm: Helm
) -> None:
    image = releases["mlflow"].value("image")
    newer = {**around.values, "image": "registry.example.com:5000/burakince/mlflow:3.16.0@sha256:" + 64 * "a"}
    (next_one,) = of_kind(
        helm.template(around.folder, release=around.name, namespace=around.namespace, values=newer), "Job"
    )

    assert container(migration)["image"] == f"{image['repository']}:{image['tag']}"
    assert migration["metadata"]["name"] == f"mlflow-migration-{image['tag'].replace('.', '-')}"
    assert next_one["metadata"]["name"] == "mlflow-migration-3-16-0"


def test_one_migration_runs_at_a_time(migration: Manifest) -> None:
    python, option, program = container(migration)["command"]
    statements = [ast.unparse(node) for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call)]

    assert (python, option) == ("python", "-c")
    assert migration["spec"]["parallelism"] == migration["spec"]["completions"] == 1
    # The lock is taken on a connection that is open while MLflow works.
    (block,) = [node for node in ast.parse(program).body if isinstance(node, ast.With)]
    lock, work = (ast.unparse(statement) for statement in block.body)
    assert "pg_advisory_lock" in lock
    assert work == "subprocess.run(['mlflow', 'db', 'upgrade', 'postgresql+psycopg2://'], check=True)"
    assert "create_sqlalchemy_engine_with_retry('postgresql+psycopg2://')" in statements


def test_the_migration_takes_the_driver_of_the_server(
    migration: Manifest, releases: Mapping[str, DeployedRelease]
) -> None:
    driver = releases["mlflow"].value("backendStore", "postgres", "driver")

    assert f"postgresql+{driver}://" in container(migration)["command"][-1]


def test_the_migration_gives_up_before_helm_does(migration: Manifest) -> None:
    spec = migration["spec"]

    assert spec["activeDeadlineSeconds"] < HELM_TIMEOUT.to_seconds()
    assert spec["backoffLimit"] == 1
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_the_migration_reaches_the_database_as_the_server_does(
    migration: Manifest, releases: Mapping[str, DeployedRelease]
) -> None:
    server = releases["mlflow"]
    variables = {one["name"]: one.get("value", one.get("valueFrom")) for one in container(migration)["env"]}
    postgres, secret = server.value("backendStore", "postgres"), server.value("backendStore", "existingDatabaseSecret")

    assert (variables["PGHOST"], variables["PGDATABASE"]) == (postgres["host"], postgres["database"])
    assert variables["PGPORT"] == str(postgres["port"])
    for name in ("PGSSLMODE", "PGSSLROOTCERT"):
        assert variables[name] == server.value("extraEnvVars", name)
    assert variables["PGUSER"] == {"secretKeyRef": {"name": secret["name"], "key": secret["usernameKey"]}}
    assert variables["PGPASSWORD"] == {"secretKeyRef": {"name": secret["name"], "key": secret["passwordKey"]}}
    (mount,) = [one for one in container(migration)["volumeMounts"] if one["mountPath"] == "/etc/db"]
    volumes = {one["name"]: one.get("secret") for one in migration["spec"]["template"]["spec"]["volumes"]}
    assert volumes[mount["name"]] == {"secretName": secret["name"], "items": [{"key": "ca.pem", "path": "ca.pem"}]}


def test_the_migration_has_no_rights_but_to_its_database(migration: Manifest) -> None:
    pod = migration["spec"]["template"]["spec"]

    assert pod["automountServiceAccountToken"] is False
    # Not the server's, whose role reaches all artifacts.
    assert "serviceAccountName" not in pod
    assert container(migration)["securityContext"]["readOnlyRootFilesystem"] is True


def test_nothing_is_open_that_no_policy_names(manifests: Sequence[Manifest]) -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind(manifests, "NetworkPolicy")}

    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for spec in policies.values():
        for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
            assert rule.get("from") or rule.get("to"), f"open to all: {rule}"
            assert rule["ports"], f"every port: {rule}"


def test_the_proxy_is_what_others_connect_to(
    manifests: Sequence[Manifest], releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    (server,) = [one["spec"] for one in of_kind(manifests, "NetworkPolicy") if one["metadata"]["name"] == "server"]
    callers, prometheus = server["ingress"]
    proxy = releases["mlflow"].value("service", "containerPort")
    (container,) = releases["mlflow"].value("extraContainers")
    (metrics,) = container["ports"]

    assert callers["ports"] == [{"port": proxy, "protocol": "TCP"}]
    assert callers["from"] == [
        # The load balancer's addresses. Pods have none of this range.
        {"ipBlock": {"cidr": str(environment.network.cidr)}},
        {"namespaceSelector": {"matchExpressions": [{"key": "aerodrome.io/project", "operator": "Exists"}]}},
    ]
    assert not environment.network.cidr.overlaps(environment.network.pod_cidr)
    assert [port["port"] for port in prometheus["ports"]] == [proxy, metrics["containerPort"]]
    assert prometheus["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
        }
    ]


def test_mlflow_reaches_names_its_database_and_https_alone(
    manifests: Sequence[Manifest], around: DeployedRelease
) -> None:
    database = around.value("database")
    opened = [
        (str(sorted(str(peer) for peer in rule["to"])), port["port"], port["protocol"])
        for policy in of_kind(manifests, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        for port in rule["ports"]
    ]

    assert {(port, protocol) for _, port, protocol in opened} == {
        (53, "UDP"),
        (53, "TCP"),
        (database["port"], "TCP"),
        (443, "TCP"),
    }
    (to_database,) = [peers for peers, port, _ in opened if port == database["port"]]
    assert all(one in to_database for one in database["ranges"])
    (to_aws,) = [peers for peers, port, _ in opened if port == 443]
    assert f"'except': {database['ranges']}" in to_aws


def test_the_budget_and_the_policies_mean_the_servers_pods(
    manifests: Sequence[Manifest], releases: Mapping[str, DeployedRelease]
) -> None:
    # What the chart selects them by: _helpers.tpl, `mlflow.selectorLabels`.
    labels = {"app.kubernetes.io/name": "mlflow", "app.kubernetes.io/instance": releases["mlflow"].name}
    (budget,) = of_kind(manifests, "PodDisruptionBudget")
    (policy,) = [one for one in of_kind(manifests, "NetworkPolicy") if one["metadata"]["name"] == "server"]

    assert budget["spec"]["selector"]["matchLabels"] == policy["spec"]["podSelector"]["matchLabels"] == labels
    assert 0 < budget["spec"]["maxUnavailable"] < releases["mlflow"].value("replicaCount")
    for kind in ("ServiceMonitor", "PodMonitor"):
        (monitor,) = of_kind(manifests, kind)
        assert monitor["spec"]["selector"]["matchLabels"] == labels


def test_prometheus_signs_on_with_a_token_that_it_has(
    manifests: Sequence[Manifest], releases: Mapping[str, DeployedRelease]
) -> None:
    (monitor,) = of_kind(manifests, "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    prometheus = releases["kube-prometheus-stack"].value("prometheus", "prometheusSpec")
    volumes = {one["name"]: one for one in prometheus["volumes"]}
    (mount,) = [one for one in prometheus["volumeMounts"] if one["mountPath"] == MLFLOW_TOKEN_FOLDER]
    (source,) = volumes[mount["name"]]["projected"]["sources"]

    # The chart's Service names it so: service.name.
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    assert endpoint["bearerTokenFile"] == f"{MLFLOW_TOKEN_FOLDER}/{source['serviceAccountToken']['path']}"
    assert source["serviceAccountToken"]["audience"] == "mlflow"


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"image": "burakince/mlflow"}, "does not match pattern"),
        ({"image": "burakince/mlflow:latest"}, "not"),
        ({"loadBalancerRanges": []}, "minItems"),
        ({"migration": {"activeDeadlineSeconds": 420}}, "exclusiveMaximum|must be less than|420"),
    ],
)
def test_values_that_would_do_harm_are_refused_by_the_charts_schema(
    around: DeployedRelease, helm: Helm, values: Mapping[str, Any], complaint: str
) -> None:
    with pytest.raises(AssertionError, match=re.compile(complaint)):
        helm.lint(around.folder, {**around.values, **values})
