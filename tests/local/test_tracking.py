"""MLflow as a deployment makes it: what its releases get of the cluster, the database and the issuer."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_constructs.database.postgres_instance import PORT
from tests.local.account import Account


@pytest.fixture
def releases(dev: Account) -> Mapping[str, Mapping[str, Any]]:
    """The values of dev's releases, as Helm got them."""
    found = {one["release"]: one["values"] for one in dev.aws.view("releases") if one["account"] == dev.id}
    assert {"mlflow", "aerodrome-mlflow", "mlflow-secrets"} <= found.keys()
    return found


@pytest.mark.parametrize(("name", "length"), [("session-key", 32), ("form-key", 64)])
def test_secrets_manager_makes_up_what_mlflow_encrypts_and_signs_with(dev: Account, name: str, length: int) -> None:
    secret = dev.client("secretsmanager").get_secret_value(SecretId=f"aerodrome/dev/mlflow/{name}")

    assert re.fullmatch(rf"[A-Za-z0-9]{{{length}}}", secret["SecretString"])


def test_external_secrets_finds_them(dev: Account, releases: Mapping[str, Mapping[str, Any]]) -> None:
    sources = releases["mlflow-secrets"]["secrets"]
    named = [source["secret"] for keys in sources.values() for source in keys.values() if "secret" in source]
    secrets = dev.client("secretsmanager")

    assert len(named) >= 5
    for secret in named:
        tags = {tag["Key"]: tag["Value"] for tag in secrets.describe_secret(SecretId=secret)["Tags"]}
        # The operator's role reads what carries it, and nothing else.
        assert tags["aerodrome:environment"] == "dev"


def test_the_proxy_takes_tokens_of_this_cluster_and_of_the_user_pool(
    dev: Account, releases: Mapping[str, Mapping[str, Any]]
) -> None:
    cluster = dev.client("eks").describe_cluster(name="aerodrome-dev")["cluster"]
    (pool,) = dev.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"]
    (proxy,) = releases["mlflow"]["extraContainers"]

    assert f"--extra-jwt-issuers={cluster['identity']['oidc']['issuer']}=mlflow" in proxy["args"]
    (issuer,) = [argument for argument in proxy["args"] if argument.startswith("--oidc-issuer-url=")]
    assert issuer.endswith(f"/{pool['Id']}")


def test_the_migration_is_for_the_database_that_stands(dev: Account, releases: Mapping[str, Mapping[str, Any]]) -> None:
    instances = dev.client("rds").describe_db_instances()["DBInstances"]
    (instance,) = (one for one in instances if one["DBInstanceIdentifier"].startswith("aerodrome-dev-"))
    database = releases["aerodrome-mlflow"]["database"]

    # The port is the one on AWS: here the instance stands on a port of this machine's.
    assert (database["host"], database["port"]) == (instance["Endpoint"]["Address"], PORT)
    assert database["name"] == "mlflow"
