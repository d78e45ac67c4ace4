"""MLflow's values as Helm gets them."""

from collections.abc import Mapping
from fnmatch import fnmatch

import pytest

from aerodrome_constructs.database.postgres_instance import PORT
from aerodrome_stacks.certificate_authorities import ca_bundle
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import MLFLOW
from tests.charts.deployed import DeployedRelease


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


def test_the_database_is_reached_over_tls_and_verified_by_the_server_and_by_the_migration(
    mlflow: DeployedRelease, releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    # libpq's default, prefer, takes plain text; `require` takes any certificate.
    verified = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/db/ca.pem"}
    server = {name: mlflow.value("extraEnvVars", name) for name in verified}
    (migration,) = mlflow.value("initContainers")
    of_migration = {variable["name"]: variable.get("value") for variable in migration["env"]}

    assert server == verified
    assert {name: of_migration[name] for name in verified} == verified
    volumes = {volume["name"]: volume.get("secret") for volume in mlflow.value("extraVolumes")}
    for mounts in (mlflow.value("extraVolumeMounts"), migration["volumeMounts"]):
        (mount,) = [mount for mount in mounts if mount["mountPath"] == "/etc/db"]
        assert volumes[mount["name"]] == {
            "secretName": "mlflow-database",
            "items": [{"key": "ca.pem", "path": "ca.pem"}],
        }
    certificates = releases["mlflow-secrets"].value("secrets", "mlflow-database", "ca.pem", "certificates")
    assert certificates == ca_bundle(environment.region).read_text(encoding="ascii")


def test_the_migration_logs_in_as_the_server_does(mlflow: DeployedRelease) -> None:
    (migration,) = mlflow.value("initContainers")
    existing = mlflow.value("backendStore", "existingDatabaseSecret")
    taken = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]
        for variable in migration["env"]
        if "valueFrom" in variable
    }

    assert taken == {
        "PGUSER": {"name": existing["name"], "key": existing["usernameKey"]},
        "PGPASSWORD": {"name": existing["name"], "key": existing["passwordKey"]},
    }
    # Host, port and database: templates/configmap.yaml.
    assert migration["envFrom"] == [{"configMapRef": {"name": f"{mlflow.name}-env-configmap"}}]


def test_tables_are_brought_up_to_date_by_one_pod_at_a_time(mlflow: DeployedRelease) -> None:
    (migration,) = mlflow.value("initContainers")

    assert mlflow.value("backendStore", "databaseConnectionCheck") is True
    # The chart's own takes no volume, and so could not verify the database.
    assert mlflow.value("backendStore", "databaseMigration") is False
    assert "_initialize_tables" in migration["command"][-1]
    assert migration["image"] == f"burakince/mlflow:{mlflow.value('image', 'tag')}"
    assert mlflow.value("replicaCount") == 1


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


def test_the_server_is_restarted_when_its_password_has_changed(
    mlflow: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    secret = mlflow.value("backendStore", "existingDatabaseSecret", "name")

    assert mlflow.value("deploymentAnnotations") == {"secret.reloader.stakater.com/reload": secret}
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
    (mount,) = [mount for mount in mlflow.value("extraVolumeMounts") if mount["mountPath"] == "/mlflow/metrics"]
    (volume,) = [volume for volume in mlflow.value("extraVolumes") if volume["name"] == mount["name"]]

    assert "emptyDir" in volume


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
