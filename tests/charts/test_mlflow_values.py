"""MLflow's values as Helm gets them."""

from collections.abc import Mapping
from fnmatch import fnmatch

import pytest

from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease


@pytest.fixture
def mlflow(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["mlflow"]


def test_records_are_in_postgresql_and_not_in_the_pod(mlflow: DeployedRelease) -> None:
    postgres = mlflow.value("backendStore", "postgres")

    assert postgres["enabled"] is True
    assert postgres["host"].startswith("${")
    assert (postgres["port"], postgres["database"]) == (5432, "mlflow")


def test_the_password_is_read_from_a_secret_that_is_made(
    mlflow: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    existing = mlflow.value("backendStore", "existingDatabaseSecret")
    made = releases["mlflow-secrets"].value("secrets", existing["name"])

    assert made.keys() == {existing["usernameKey"], existing["passwordKey"]}
    assert "password" not in mlflow.value("backendStore", "postgres")


def test_the_database_is_reached_over_tls(mlflow: DeployedRelease) -> None:
    assert mlflow.value("extraEnvVars", "PGSSLMODE") == "require"


def test_tables_are_brought_up_to_date_by_one_pod_at_a_time(mlflow: DeployedRelease) -> None:
    assert mlflow.value("backendStore", "databaseConnectionCheck") is True
    assert mlflow.value("backendStore", "databaseMigration") is True
    assert mlflow.value("replicaCount") == 1


def test_the_pool_leaves_connections_to_flyte(mlflow: DeployedRelease) -> None:
    # Flyte may have 210 of about 400.
    size, overflow = (
        mlflow.value("extraEnvVars", f"MLFLOW_SQLALCHEMYSTORE_{name}") for name in ("POOL_SIZE", "MAX_OVERFLOW")
    )

    assert mlflow.value("replicaCount") * (size + overflow) <= 30


def test_clients_need_no_right_to_the_bucket(mlflow: DeployedRelease) -> None:
    artifacts = mlflow.value("artifactRoot")

    assert artifacts["proxiedArtifactStorage"] is True
    assert artifacts["s3"]["enabled"] is True
    assert artifacts["s3"]["bucket"].startswith("${")
    assert not {"awsAccessKeyId", "awsSecretAccessKey", "existingSecret"} & artifacts["s3"].keys()


def test_the_bucket_is_reached_by_role(mlflow: DeployedRelease) -> None:
    account = mlflow.value("serviceAccount")

    assert account["name"] == "mlflow"
    assert account["annotations"]["eks.amazonaws.com/role-arn"].startswith("${")


def test_the_server_answers_everyone_who_may_call_it(mlflow: DeployedRelease, environment: Environment) -> None:
    # The server refuses host names that it does not know. The chart adds those of the Ingress.
    allowed = [*mlflow.value("serverAllowedHosts"), *(rule["host"] for rule in mlflow.value("ingress", "hosts"))]
    pod = environment.network.cidr.network_address + 70
    callers = [
        "mlflow.mlflow",
        "mlflow.mlflow.svc.cluster.local",
        f"mlflow.{environment.access.domain_name}",
        f"{pod}:5000",
    ]

    assert [caller for caller in callers if not any(fnmatch(caller, pattern) for pattern in allowed)] == []
    assert not any(fnmatch("evil.example.org", pattern) for pattern in allowed)


def test_browsers_may_call_from_the_servers_own_page(mlflow: DeployedRelease, environment: Environment) -> None:
    assert mlflow.value("corsAllowedOrigins") == [f"https://mlflow.{environment.access.domain_name}"]


def test_metrics_have_a_place_that_can_be_written(mlflow: DeployedRelease) -> None:
    # The chart starts the server with --expose-prometheus=/mlflow/metrics, on a read-only root file system.
    assert mlflow.value("serviceMonitor", "enabled") is True
    (volume,) = mlflow.value("extraVolumes")
    (mount,) = mlflow.value("extraVolumeMounts")

    assert mount["mountPath"] == "/mlflow/metrics"
    assert (volume["name"], "emptyDir" in volume) == (mount["name"], True)


def test_the_service_monitor_names_the_services_port(mlflow: DeployedRelease) -> None:
    # By default the chart gives the Service's port name as the container's, which has another.
    assert mlflow.value("serviceMonitor", "useServicePort") is True
    assert mlflow.value("serviceMonitor", "namespace") == mlflow.namespace
    # The chart's default says that a release called "prometheus" scrapes it.
    assert mlflow.value("serviceMonitor", "labels", "release") is None


def test_the_front_door_is_the_one_of_flyte(mlflow: DeployedRelease, releases: Mapping[str, DeployedRelease]) -> None:
    annotations = mlflow.value("ingress", "annotations")
    common = releases["flyte"].value("common", "ingress", "annotations")

    assert mlflow.value("ingress", "enabled") is True
    assert mlflow.value("ingress", "className") == "alb"
    assert annotations == {key: value for key, value in common.items() if value is not None}
    assert mlflow.value("service", "annotations", "alb.ingress.kubernetes.io/healthcheck-path") == "/health"


def test_pods_meet_the_restricted_level_of_their_namespace(mlflow: DeployedRelease) -> None:
    # The rest of what it asks for is the chart's default.
    assert mlflow.value("podSecurityContext", "seccompProfile", "type") == "RuntimeDefault"
