"""Where Flyte keeps its records and its data, and as whom: traps of flyte-core v1.16.8 that bite on EKS."""

from collections.abc import Mapping

import pytest

from aerodrome_constructs.database.postgres_instance import PORT
from aerodrome_stacks.certificate_authorities import ca_bundle
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import FLYTEADMIN_LEAST, clients_of
from tests.charts.deployed import DeployedRelease, mebibytes


@pytest.mark.parametrize("component", ["admin", "datacatalog"])
def test_the_deprecated_fields_of_the_database_are_removed(flyte: DeployedRelease, component: str) -> None:
    database = flyte.value("db", component, "database")

    assert {key: database[key] for key in ("host", "port", "username", "dbname")} == {
        "host": None,
        "port": None,
        "username": None,
        "dbname": None,
    }
    assert database["postgres"]["host"].startswith("${")
    assert database["postgres"]["port"] == PORT


@pytest.mark.parametrize("component", ["admin", "datacatalog"])
def test_the_database_is_reached_over_tls_and_verified(
    flyte: DeployedRelease, releases: Mapping[str, DeployedRelease], environment: Environment, component: str
) -> None:
    # Flyte's default is sslmode=disable; sslmode=require would take any certificate.
    options = flyte.value("db", component, "database", "postgres", "options")
    assert options == "sslmode=verify-full sslrootcert=/etc/db/ca.pem"
    # Every container that connects mounts this Secret there (templates/_helpers.tpl, databaseSecret.volumeMount).
    mounted = flyte.value("common", "databaseSecret", "name")
    certificates = releases["flyte-secrets"].value("secrets", mounted, "ca.pem", "certificates")
    assert certificates == ca_bundle(environment.region).read_text(encoding="ascii")


def test_passwords_come_from_the_files_that_the_secret_has(
    flyte: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    mounted = flyte.value("common", "databaseSecret", "name")
    keys = releases["flyte-secrets"].value("secrets", mounted)
    files = {f"/etc/db/{key}" for key, source in keys.items() if "certificates" not in source}
    read = {
        flyte.value("db", component, "database", "postgres", "passwordPath") for component in ("admin", "datacatalog")
    }

    assert read == files == {"/etc/db/pass.txt", "/etc/db/datacatalog.txt"}


READ_AT_THE_START = {
    "flyteadmin": {"flyte-database", "flyte-oidc"},
    "datacatalog": {"flyte-database"},
    "flytescheduler": {"flyte-database", "flyte-secret-auth"},
    "flytepropeller": {"flyte-secret-auth"},
    "cluster_resource_manager": {"flyte-database"},
}


def test_what_reads_a_secret_at_its_start_is_restarted_when_it_has_changed(
    flyte: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    reloader = releases["reloader"]
    assert flyte.namespace in reloader.value("reloader", "namespaces")
    assert reloader.value("reloader", "watchGlobally") is False
    # No Secret of the namespace is read by nobody.
    assert releases["flyte-secrets"].value("secrets").keys() == set().union(*READ_AT_THE_START.values())
    for component, secrets in READ_AT_THE_START.items():
        (annotation,) = flyte.value(component, "annotations").items()

        assert annotation[0] == "secret.reloader.stakater.com/reload"
        assert set(annotation[1].split(",")) == secrets


def test_a_changed_password_is_read_within_a_minute_where_passwords_change(
    releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    often = environment.database.password_rotation is not None
    assert releases["flyte-secrets"].value("refreshInterval") == ("1m" if often else "1h")


def test_flyteadmin_and_datacatalog_have_a_database_and_a_user_each(flyte: DeployedRelease) -> None:
    admin, datacatalog = (
        flyte.value("db", component, "database", "postgres") for component in ("admin", "datacatalog")
    )

    assert admin["dbname"] != datacatalog["dbname"]
    assert admin["username"] != datacatalog["username"]


def test_pods_and_pools_are_those_of_the_budget(flyte: DeployedRelease, environment: Environment) -> None:
    budget = {clients.name: (clients.replicas, clients.connections) for clients in clients_of(environment.flyte.bears)}
    pools = {name: flyte.value("db", name, "database", "maxOpenConnections") for name in ("admin", "datacatalog")}
    scaled = flyte.value("flyteadmin", "autoscaling")

    # The scheduler and syncresources have one pod each, which the chart fixes, and flyteadmin's configuration.
    assert {name: pods for name, pods in budget.items() if name != "mlflow"} == {
        "flyteadmin": (scaled["maxReplicas"], pools["admin"]),
        "flytescheduler": (1, pools["admin"]),
        "syncresources": (1, pools["admin"]),
        "datacatalog": (flyte.value("datacatalog", "replicaCount"), pools["datacatalog"]),
    }
    assert (scaled["enabled"], scaled["minReplicas"]) == (True, FLYTEADMIN_LEAST)


def test_no_rollout_has_more_pods_than_the_budget(flyte: DeployedRelease) -> None:
    # It has twice as many: all that go, and all that come.
    for component in ("flyteadmin", "datacatalog", "flytescheduler", "cluster_resource_manager"):
        assert flyte.value(component, "strategy") == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }


def test_storage_is_s3_with_roles_and_not_the_sandbox(flyte: DeployedRelease, environment: Environment) -> None:
    storage = flyte.value("storage")

    assert (storage["type"], storage["s3"]["authType"]) == ("s3", "iam")
    assert storage["s3"]["region"] == environment.region


def test_raw_data_have_a_bucket_of_their_own_that_flyte_may_read(flyte: DeployedRelease) -> None:
    raw_data = flyte.value("configmap", "core", "propeller", "rawoutput-prefix")

    assert raw_data.startswith("s3://${")
    assert raw_data.endswith("}/")
    assert flyte.value("storage", "bucketName") not in raw_data
    # Flyte refuses to read outside of storage.bucketName without this.
    assert flyte.value("storage", "enableMultiContainer") is True


def test_signed_urls_are_s3_urls_of_the_region(flyte: DeployedRelease, environment: Environment) -> None:
    assert flyte.value("configmap", "remoteData", "remoteData") == {"scheme": "aws", "region": environment.region}


def flag(flyte: DeployedRelease, name: str) -> int:
    """What one of flytepropeller's own flags, which go before the file of all components, is set to."""
    (found,) = [one for one in flyte.value("flytepropeller", "extraArgs") if one.startswith(f"--{name}=")]
    return int(found.removeprefix(f"--{name}="))


def test_what_is_put_away_can_be_read_again(flyte: DeployedRelease, environment: Environment) -> None:
    most_read = flag(flyte, "storage.limits.maxDownloadMBs")
    offloading = flyte.value("configmap", "core", "propeller", "literal-offloading-config")

    # The code's own: up to 1000. The chart's limit for reading is 10.
    assert 10 < offloading["max-size-in-mb-for-offloading"] <= most_read
    # Some ten bytes in S3 are more than 200 in memory.
    assert 20 * most_read < environment.flyte.bears.propeller_memory_gib * 1024 / 2


def test_no_result_is_too_large_to_be_handed_to_a_connector(flyte: DeployedRelease) -> None:
    offloading = flyte.value("configmap", "core", "propeller", "literal-offloading-config")

    # What stays within the inputs is smaller. gRPC's own limit for what a server reads, which `pyflyte serve connector`
    # does not set: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html (GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH).
    assert 0 < offloading["min-size-in-mb-for-offloading"] < 4


def test_the_blob_cache_fits_into_the_memory_of_every_component_that_has_one(
    flyte: DeployedRelease, environment: Environment
) -> None:
    of_propeller = flag(flyte, "storage.cache.max_size_mbs")
    limits = {
        component: mebibytes(flyte.value(component, "resources", "limits", "memory"))
        for component in ("flyteadmin", "datacatalog", "flytepropeller")
    }

    # The flag goes before the file, whose settings all three get.
    assert of_propeller == environment.flyte.bears.cache_mib <= limits.pop("flytepropeller") / 4
    assert 0 < flyte.value("storage", "cache", "maxSizeMBs") <= min(limits.values()) / 2


def test_each_component_that_uses_aws_has_a_role_of_its_own(flyte: DeployedRelease) -> None:
    roles = [
        flyte.value(component, "serviceAccount", "annotations", "eks.amazonaws.com/role-arn")
        for component in ("flyteadmin", "datacatalog", "flytepropeller")
    ]

    assert all(role.startswith("${") for role in roles)
    assert len(set(roles)) == 3


def test_roles_of_launch_plans_go_where_eks_looks_for_them(flyte: DeployedRelease) -> None:
    # The chart's default, iam.amazonaws.com/role, is kube2iam's.
    key = flyte.value("configmap", "adminServer", "flyteadmin", "roleNameKey")

    assert key == "eks.amazonaws.com/role-arn"
    assert flyte.value("configmap", "k8s", "plugins", "aws", "batch", "roleAnnotationKey") == key
