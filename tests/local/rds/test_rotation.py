"""The database of an environment whose passwords change, deployed: connections, rights and rotations are real."""

import contextlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pg8000.native
import pytest
from botocore.exceptions import ClientError

from aerodrome_stacks.database_stack import CLIENTS
from tests.local.account import Account

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_rds import RDSClient
    from types_boto3_secretsmanager import SecretsManagerClient

IDENTIFIER = "aerodrome-prod-database"

Login = Mapping[str, Any]


@dataclass(frozen=True)
class Deployed:
    """The stack's secrets by the user whose password each holds, and clients of its account."""

    account: Account
    secret_arns: Mapping[str, str]
    secrets_manager: "SecretsManagerClient"
    lambda_: "LambdaClient"
    rds: "RDSClient"

    def login(self, user: str, stage: str = "AWSCURRENT") -> Login:
        """What a version of a user's secret says."""
        value = self.secrets_manager.get_secret_value(SecretId=self.secret_arns[user], VersionStage=stage)
        login: Login = json.loads(value["SecretString"])
        return login

    def sign_in(self, login: Login) -> str:
        """Log in, and return as whom."""
        with contextlib.closing(self.account.connect(login)) as connection:
            return str((connection.run("SELECT current_user") or [[None]])[0][0])

    def rotated(self, user: str, version: str) -> None:
        """Wait until a version of a user's secret is the current one."""
        deadline = time.monotonic() + 60
        while True:
            about = self.secrets_manager.describe_secret(SecretId=self.secret_arns[user])
            if "AWSCURRENT" in about["VersionIdsToStages"].get(version, []):
                return
            assert time.monotonic() < deadline, f"{user}: {about['VersionIdsToStages']}"
            time.sleep(0.05)

    def rotate(self, user: str) -> str:
        """Rotate a user's password, and return the version."""
        version = self.secrets_manager.rotate_secret(SecretId=self.secret_arns[user])["VersionId"]
        self.rotated(user, version)
        return version

    def step(self, step: str, user: str, version: str) -> Mapping[str, str]:
        """Call the function for one step, and return how it failed; nothing if it did not."""
        arn = self.secret_arns[user]
        function = self.secrets_manager.describe_secret(SecretId=arn)["RotationLambdaARN"]
        event = {"Step": step, "SecretId": arn, "ClientRequestToken": version}
        answer = self.lambda_.invoke(FunctionName=function, Payload=json.dumps(event))
        failure: Mapping[str, str] = json.loads(answer["Payload"].read() or b"null") or {}
        return failure


@pytest.fixture(scope="module")
def deployed(prod: Account) -> Deployed:
    found = prod.logins()
    assert found.keys() == {"platform_admin", *CLIENTS}
    return Deployed(prod, found, prod.client("secretsmanager"), prod.client("lambda"), prod.client("rds"))


def test_the_instance_is_as_prod_wants_it(deployed: Deployed) -> None:
    (instance,) = deployed.rds.describe_db_instances(DBInstanceIdentifier=IDENTIFIER)["DBInstances"]
    assert {
        name: dict(instance)[name]
        for name in (
            *("BackupRetentionPeriod", "CopyTagsToSnapshot", "DeletionProtection", "MonitoringInterval", "MultiAZ"),
            *("PerformanceInsightsEnabled", "PreferredBackupWindow", "PreferredMaintenanceWindow"),
            *("PubliclyAccessible", "StorageEncrypted", "StorageType"),
        )
    } == {
        "BackupRetentionPeriod": 30,
        "CopyTagsToSnapshot": True,
        "DeletionProtection": True,
        "MonitoringInterval": 60,
        "MultiAZ": True,
        "PerformanceInsightsEnabled": True,
        "PreferredBackupWindow": "02:00-03:00",
        "PreferredMaintenanceWindow": "sun:04:00-sun:05:00",
        "PubliclyAccessible": False,
        "StorageEncrypted": True,
        "StorageType": "gp3",
    }
    assert instance["MonitoringRoleArn"].startswith(f"arn:aws:iam::{deployed.account.id}:role/")


def test_its_parameters_hold_in_the_server(deployed: Deployed) -> None:
    names = ("max_connections", "idle_in_transaction_session_timeout", "log_connections", "random_page_cost")
    with contextlib.closing(deployed.account.connect(deployed.login("platform_admin"))) as connection:
        found = {name: (connection.run(f"SHOW {name}") or [[None]])[0][0] for name in names}
    assert found == {
        "max_connections": "1600",
        "idle_in_transaction_session_timeout": "10min",
        "log_connections": "on",
        "random_page_cost": "1.1",
    }


def test_nobody_gets_in_without_tls(deployed: Deployed) -> None:
    with pytest.raises(pg8000.native.DatabaseError, match="no encryption"):
        deployed.account.connect(deployed.login("mlflow"), encrypted=False)


def test_a_deploy_changes_no_password(deployed: Deployed) -> None:
    for user, arn in deployed.secret_arns.items():
        about = deployed.secrets_manager.describe_secret(SecretId=arn)
        assert about["RotationEnabled"] is True
        assert about["RotationRules"] == {"ScheduleExpression": "rate(30 days)", "Duration": "2h"}
        assert [stages for stages in about["VersionIdsToStages"].values() if "AWSPENDING" in stages] == []
        assert deployed.sign_in(deployed.login(user)) == user


@pytest.mark.parametrize("user", ["platform_admin", *CLIENTS])
def test_a_rotation_changes_the_password_and_nothing_else(deployed: Deployed, user: str) -> None:
    old = deployed.login(user)
    deployed.rotate(user)
    new = deployed.login(user)
    assert deployed.sign_in(new) == user
    with pytest.raises(pg8000.native.DatabaseError, match="password authentication failed"):
        deployed.sign_in(old)
    # Flyte puts it into a connection string without quoting it.
    assert len(new["password"]) == 40
    assert new["password"].isalnum()
    assert {**new, "password": ""} == {**old, "password": ""}
    assert deployed.login(user, "AWSPREVIOUS") == old


def test_a_connection_outlives_the_password_that_it_was_opened_with(deployed: Deployed) -> None:
    with contextlib.closing(deployed.account.connect(deployed.login("mlflow"))) as connection:
        deployed.rotate("mlflow")
        assert connection.run("SELECT 1") == [[1]]


@pytest.mark.parametrize("last", [None, "createSecret", "setSecret", "testSecret"])
def test_a_rotation_that_broke_off_is_completed_by_the_next_try(deployed: Deployed, last: str | None) -> None:
    old, version = deployed.login("datacatalog"), secrets.token_hex(16)
    deployed.secrets_manager.put_secret_value(
        SecretId=deployed.secret_arns["datacatalog"],
        ClientRequestToken=version,
        SecretString=json.dumps({**old, "password": secrets.token_hex(20)}),
        VersionStages=["AWSPENDING"],
    )
    steps = ["createSecret", "setSecret", "testSecret"]
    for step in steps[: 0 if last is None else steps.index(last) + 1]:
        assert deployed.step(step, "datacatalog", version) == {}
    assert deployed.login("datacatalog") == old

    with pytest.raises(ClientError, match="That rotation will be reattempted"):
        deployed.secrets_manager.rotate_secret(SecretId=deployed.secret_arns["datacatalog"])
    deployed.rotated("datacatalog", version)
    assert deployed.sign_in(deployed.login("datacatalog")) == "datacatalog"


def test_a_database_that_was_restored_with_an_older_password_is_rotated_all_the_same(deployed: Deployed) -> None:
    before = deployed.login("flyteadmin")
    deployed.rotate("flyteadmin")
    with contextlib.closing(deployed.account.connect(deployed.login("flyteadmin"))) as connection:
        connection.run(f"ALTER ROLE flyteadmin PASSWORD '{before['password']}'")
    deployed.rotate("flyteadmin")
    assert deployed.sign_in(deployed.login("flyteadmin")) == "flyteadmin"


def test_a_password_that_a_deploy_took_back_is_not_handed_to_the_clients(deployed: Deployed) -> None:
    old, version = deployed.login("mlflow"), secrets.token_hex(16)
    deployed.secrets_manager.put_secret_value(
        SecretId=deployed.secret_arns["mlflow"],
        ClientRequestToken=version,
        SecretString=json.dumps({**old, "password": "0" * 40}),
        VersionStages=["AWSPENDING"],
    )
    # The user still has the old password: setSecret has not run, or somebody undid it.
    answer = deployed.step("finishSecret", "mlflow", version)
    assert "password authentication failed" in answer["errorMessage"]
    assert "0" * 40 not in json.dumps(answer)
    assert deployed.login("mlflow") == old
    with pytest.raises(ClientError, match="will be reattempted"):
        deployed.secrets_manager.rotate_secret(SecretId=deployed.secret_arns["mlflow"])
    deployed.rotated("mlflow", version)


@pytest.mark.parametrize(
    ("step", "version", "complaint"),
    [
        ("setSecret", "0" * 32, "has no pending version"),
        ("dropSecret", "0" * 32, "is no step of a rotation; those are createSecret, setSecret"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(deployed: Deployed, step: str, version: str, complaint: str) -> None:
    assert complaint in deployed.step(step, "mlflow", version)["errorMessage"]


def test_the_master_users_new_password_outlives_a_restart(deployed: Deployed) -> None:
    deployed.rotate("platform_admin")
    deployed.rds.stop_db_instance(DBInstanceIdentifier=IDENTIFIER)
    deployed.rds.start_db_instance(DBInstanceIdentifier=IDENTIFIER)
    deadline = time.monotonic() + 60
    while True:
        (instance,) = deployed.rds.describe_db_instances(DBInstanceIdentifier=IDENTIFIER)["DBInstances"]
        if instance["DBInstanceStatus"] == "available":
            break
        assert time.monotonic() < deadline, instance["DBInstanceStatus"]
        time.sleep(0.05)
    assert deployed.sign_in(deployed.login("platform_admin")) == "platform_admin"
