"""MLflow's values as Helm gets them."""

from collections.abc import Mapping
from fnmatch import fnmatch
from urllib.parse import urlsplit

import pytest

from aerodrome_constructs.database.postgres_instance import PORT
from aerodrome_stacks.certificate_authorities import ca_bundle
from aerodrome_stacks.chart_values.flyte_projects import MLFLOW_URI
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import MLFLOW
from tests.charts.deployed import DeployedRelease
from tests.templates import ROOT


@pytest.fixture
def mlflow(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["mlflow"]


def test_records_are_in_postgresql_and_not_in_the_pod(mlflow: DeployedRelease) -> None:
    postgres = mlflow.value("backendStore", "postgres")

    assert postgres["enabled"] is True
    assert postgres["host"].startswith("${")
    assert (postgres["port"], postgres["database"]) == (PORT, "mlflow")


def test_the_password_is_read_from_a_secret_that_is_made(
    mlflow: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    existing = mlflow.value("backendStore", "existingDatabaseSecret")
    made = releases["mlflow-secrets"].value("secrets", existing["name"])

    assert {key for key, source in made.items() if "certificates" not in source} == {
        existing["usernameKey"],
        existing["passwordKey"],
    }
    assert "password" not in mlflow.value("backendStore", "postgres")


def test_the_database_is_reached_over_tls_and_verified(
    mlflow: DeployedRelease, releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    # libpq's default, prefer, takes plain text; `require` takes any certificate.
    verified = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/db/ca.pem"}

    assert {name: mlflow.value("extraEnvVars", name) for name in verified} == verified
    (mount,) = [mount for mount in mlflow.value("extraVolumeMounts") if mount["mountPath"] == "/etc/db"]
    volumes = {volume["name"]: volume.get("secret") for volume in mlflow.value("extraVolumes")}
    assert volumes[mount["name"]] == {"secretName": "mlflow-database", "items": [{"key": "ca.pem", "path": "ca.pem"}]}
    certificates = releases["mlflow-secrets"].value("secrets", "mlflow-database", "ca.pem", "certificates")
    assert certificates == ca_bundle(environment.region).read_text(encoding="ascii")


def test_no_pod_brings_tables_up_to_date(mlflow: DeployedRelease) -> None:
    # Two at a time collide: the job of charts/aerodrome-mlflow does it.
    assert mlflow.value("backendStore", "databaseMigration") is False
    assert "mlflow db upgrade" not in str(mlflow.value("initContainers"))
    assert mlflow.value("replicaCount") >= 2


def test_one_pod_at_a_time_is_replaced_and_none_before_the_next_is_ready(mlflow: DeployedRelease) -> None:
    assert mlflow.value("strategy") == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }


def test_pods_spread_over_zones_and_then_over_nodes(mlflow: DeployedRelease) -> None:
    terms = mlflow.value("affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution")
    by_weight = {term["weight"]: term["podAffinityTerm"] for term in terms}

    assert [by_weight[weight]["topologyKey"] for weight in sorted(by_weight, reverse=True)] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    for term in by_weight.values():
        assert term["labelSelector"]["matchLabels"] == {
            "app.kubernetes.io/name": "mlflow",
            "app.kubernetes.io/instance": mlflow.name,
        }


def test_pods_and_pools_are_those_of_the_budget(mlflow: DeployedRelease) -> None:
    size, overflow = (
        mlflow.value("extraEnvVars", f"MLFLOW_SQLALCHEMYSTORE_{name}") for name in ("POOL_SIZE", "MAX_OVERFLOW")
    )
    of_tracking_and_registry = 2

    assert mlflow.value("replicaCount") == MLFLOW.replicas
    assert (
        int(mlflow.value("extraArgs", "workers")) * of_tracking_and_registry * (size + overflow) == MLFLOW.connections
    )
    # Jobs run in processes of their own, with pools of their own.
    assert mlflow.value("extraEnvVars", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION") == "false"


def test_pods_are_restarted_when_a_password_has_changed(
    mlflow: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    (watched,) = mlflow.value("deploymentAnnotations").values()

    assert mlflow.value("deploymentAnnotations").keys() == {"secret.reloader.stakater.com/reload"}
    assert watched.split(",") == ["mlflow-database", "mlflow-sign-on"]
    assert set(watched.split(",")) <= releases["mlflow-secrets"].value("secrets").keys()
    assert mlflow.namespace in releases["reloader"].value("reloader", "namespaces")


def test_clients_need_no_right_to_the_bucket(mlflow: DeployedRelease) -> None:
    artifacts = mlflow.value("artifactRoot")

    assert artifacts["proxiedArtifactStorage"] is True
    assert artifacts["s3"]["enabled"] is True
    assert artifacts["s3"]["bucket"].startswith("${")
    assert not {"awsAccessKeyId", "awsSecretAccessKey", "existingSecret"} & artifacts["s3"].keys()


def test_the_bucket_is_reached_by_role(mlflow: DeployedRelease) -> None:
    account = mlflow.value("serviceAccount")

    assert account["name"] == "mlflow"
    # Of the Kubernetes API. The one for the role is another.
    assert account["automount"] is False
    assert account["annotations"]["eks.amazonaws.com/role-arn"].startswith("${")


def test_the_server_answers_everyone_who_may_call_it(mlflow: DeployedRelease, environment: Environment) -> None:
    # The server refuses host names that it does not know, and the proxy hands them on. The chart adds the Ingress's.
    allowed = [*mlflow.value("serverAllowedHosts"), *(rule["host"] for rule in mlflow.value("ingress", "hosts"))]
    prometheus_asks = environment.network.pod_cidr[70]
    callers = [
        urlsplit(MLFLOW_URI).netloc,
        "mlflow.mlflow",
        f"mlflow.{environment.access.domain_name}",
        f"{prometheus_asks}:{mlflow.value('service', 'containerPort')}",
    ]

    assert [caller for caller in callers if not any(fnmatch(caller, pattern) for pattern in allowed)] == []
    assert not any(fnmatch("evil.example.org", pattern) for pattern in allowed)


def test_browsers_may_call_from_the_servers_own_page(mlflow: DeployedRelease, environment: Environment) -> None:
    assert mlflow.value("corsAllowedOrigins") == [f"https://mlflow.{environment.access.domain_name}"]


def test_metrics_have_a_place_that_can_be_written(mlflow: DeployedRelease) -> None:
    place = mlflow.value("extraArgs", "exposePrometheus")
    (mount,) = [mount for mount in mlflow.value("extraVolumeMounts") if mount["mountPath"] == place]
    (volume,) = [volume for volume in mlflow.value("extraVolumes") if volume["name"] == mount["name"]]

    assert "emptyDir" in volume
    # The chart's ServiceMonitor has no place for a token, and metrics are behind the sign-on.
    assert mlflow.value("serviceMonitor", "enabled") is False


def test_the_front_door_is_the_one_of_flyte(
    mlflow: DeployedRelease, releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    annotations = mlflow.value("ingress", "annotations")
    common = releases["flyte"].value("common", "ingress", "annotations")

    assert mlflow.value("ingress", "enabled") is True
    assert mlflow.value("ingress", "className") == "alb"
    assert annotations == {key: value for key, value in common.items() if value is not None}
    assert annotations["alb.ingress.kubernetes.io/group.name"] == f"aerodrome-{environment.name}"
    assert mlflow.value("service", "annotations", "alb.ingress.kubernetes.io/healthcheck-path") == "/health"


def test_pods_meet_the_restricted_level_of_their_namespace(mlflow: DeployedRelease) -> None:
    # The rest of what it asks for is the chart's default.
    assert mlflow.value("podSecurityContext", "seccompProfile", "type") == "RuntimeDefault"


def test_workflows_have_the_client_of_the_servers_version(mlflow: DeployedRelease) -> None:
    requirements = (ROOT / "workflows" / "requirements.in").read_text(encoding="utf-8").splitlines()

    assert f"mlflow-skinny=={mlflow.value('image', 'tag')}" in requirements
