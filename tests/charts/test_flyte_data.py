"""Where Flyte keeps its records and its data, and as whom: traps of flyte-core v1.16.8 that bite on EKS."""

from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
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
    assert database["postgres"]["port"] == 5432


@pytest.mark.parametrize("component", ["admin", "datacatalog"])
def test_the_database_is_reached_over_tls(flyte: DeployedRelease, component: str) -> None:
    # Flyte's default is sslmode=disable.
    assert flyte.value("db", component, "database", "postgres", "options") == "sslmode=require"


def test_passwords_come_from_the_files_that_the_secret_has(
    flyte: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    mounted = flyte.value("common", "databaseSecret", "name")
    files = {f"/etc/db/{key}" for key in releases["flyte-secrets"].value("secrets", mounted)}
    read = {
        flyte.value("db", component, "database", "postgres", "passwordPath") for component in ("admin", "datacatalog")
    }

    assert read == files == {"/etc/db/pass.txt", "/etc/db/datacatalog.txt"}


def test_flyteadmin_and_datacatalog_have_a_database_and_a_user_each(flyte: DeployedRelease) -> None:
    admin, datacatalog = (
        flyte.value("db", component, "database", "postgres") for component in ("admin", "datacatalog")
    )

    assert admin["dbname"] != datacatalog["dbname"]
    assert admin["username"] != datacatalog["username"]


def test_the_pools_together_fit_into_the_database(flyte: DeployedRelease) -> None:
    # RDS gives PostgreSQL DBInstanceClassMemory / 9531392 connections: about 400 for the smallest class that an
    # environment may have (4 GiB, of which RDS keeps some); some stay free for people and for MLflow's 30.
    pods = flyte.value("flyteadmin", "replicaCount") + flyte.value("datacatalog", "replicaCount")
    scheduler_sync_and_one_that_is_being_replaced = 3
    connections = flyte.value("db", "admin", "database", "maxOpenConnections")

    assert connections == flyte.value("db", "datacatalog", "database", "maxOpenConnections")
    assert (pods + scheduler_sync_and_one_that_is_being_replaced) * connections <= 300


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


def test_the_blob_cache_fits_into_the_memory_of_every_component_that_has_one(flyte: DeployedRelease) -> None:
    # All three get the same storage settings.
    limits = [
        mebibytes(flyte.value(component, "resources", "limits", "memory"))
        for component in ("flyteadmin", "datacatalog", "flytepropeller")
    ]

    assert 0 < flyte.value("storage", "cache", "maxSizeMBs") <= min(limits) / 2


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
