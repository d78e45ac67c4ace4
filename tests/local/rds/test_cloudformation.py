"""AWS::RDS types of a stack whose database is real: made, read, changed, replaced and deleted."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template
from tests.local.rds.instances import Connect

if TYPE_CHECKING:
    from types_boto3_rds import RDSClient
    from types_boto3_rds.type_defs import DBInstanceTypeDef


def template(**instance: object) -> tuple[Template, Template]:
    """A stack as the CDK writes it: a generated master secret, attached to an instance."""
    reference = {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": "Secret"}, ":SecretString:password::}}"]]}
    resources = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.77.0.0/16"}},
        "SubnetA": _subnet("10.77.0.0/24", "us-east-1a"),
        "SubnetB": _subnet("10.77.1.0/24", "us-east-1b"),
        "Subnets": {
            "Type": "AWS::RDS::DBSubnetGroup",
            "Properties": {
                "DBSubnetGroupDescription": "private",
                "SubnetIds": [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}],
            },
        },
        "Parameters": {
            "Type": "AWS::RDS::DBParameterGroup",
            "Properties": {
                "Family": "postgres16",
                "Description": "test",
                "Parameters": instance.pop("Parameters", {"rds.force_ssl": "1", "work_mem": "5000"}),
            },
        },
        "Secret": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {
                "GenerateSecretString": {
                    "SecretStringTemplate": '{"username":"platform"}',
                    "GenerateStringKey": "password",
                    "ExcludePunctuation": True,
                    "PasswordLength": 30,
                }
            },
        },
        "Attachment": {
            "Type": "AWS::SecretsManager::SecretTargetAttachment",
            "Properties": {
                "SecretId": {"Ref": "Secret"},
                "TargetId": {"Ref": "Database"},
                "TargetType": "AWS::RDS::DBInstance",
            },
        },
        "Database": {
            "Type": "AWS::RDS::DBInstance",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "AllocatedStorage": "20",
                "DBInstanceClass": "db.t4g.medium",
                "DBName": "platform",
                "DBParameterGroupName": {"Ref": "Parameters"},
                "DBSubnetGroupName": {"Ref": "Subnets"},
                "EnableCloudwatchLogsExports": ["postgresql", "upgrade"],
                "EnablePerformanceInsights": True,
                "Engine": "postgres",
                "EngineVersion": "16.14",
                "MasterUsername": "platform",
                "MasterUserPassword": reference,
                "PerformanceInsightsRetentionPeriod": 7,
                "StorageEncrypted": True,
                "StorageType": "gp3",
                **instance,
            },
        },
    }
    outputs = {
        "Address": {"Fn::GetAtt": ["Database", "Endpoint.Address"]},
        "Port": {"Fn::GetAtt": ["Database", "Endpoint.Port"]},
        "Identifier": {"Ref": "Database"},
        "Secret": {"Ref": "Secret"},
    }
    return resources, outputs


def _subnet(cidr: str, zone: str) -> dict[str, Any]:
    properties = {"VpcId": {"Ref": "Vpc"}, "CidrBlock": cidr, "AvailabilityZone": zone}
    return {"Type": "AWS::EC2::Subnet", "Properties": properties}


@pytest.fixture(scope="module")
def stack(embedded_aws: EmbeddedAws) -> Iterator[Stack]:
    made = embedded_aws.stack("rds-cloudformation")
    made.deploy(*template())
    yield made
    made.delete()


def master_secret(embedded_aws: EmbeddedAws, stack: Stack) -> dict[str, Any]:
    """The master secret's fields."""
    arn = stack.physical_id("Secret")
    fields: dict[str, Any] = json.loads(
        embedded_aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    )
    return fields


def instance_of(stack: Stack, rds: "RDSClient") -> "DBInstanceTypeDef":
    """The stack's instance, as RDS describes it."""
    return rds.describe_db_instances(DBInstanceIdentifier=stack.physical_id("Database"))["DBInstances"][0]


def test_the_attached_secret_opens_the_database(embedded_aws: EmbeddedAws, stack: Stack, connect: Connect) -> None:
    outputs, fields = stack.deploy(*template()), master_secret(embedded_aws, stack)
    assert {name: str(fields[name]) for name in ("host", "port", "dbname", "engine")} == {
        "host": outputs["Address"],
        "port": outputs["Port"],
        "dbname": "platform",
        "engine": "postgres",
    }
    assert re.fullmatch("[A-Za-z0-9]{30}", fields["password"])
    instance = {"Endpoint": {"Address": fields["host"], "Port": fields["port"]}}
    connection = connect(instance, user=fields["username"], password=fields["password"], database=fields["dbname"])
    assert connection.run("SELECT current_setting('work_mem')") == [["5000kB"]]
    connection.close()


def test_the_instance_is_described_with_the_stacks_properties(stack: Stack, rds: "RDSClient") -> None:
    instance = instance_of(stack, rds)
    assert instance["DBInstanceStatus"] == "available"
    assert instance["EnabledCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    assert instance["PerformanceInsightsEnabled"] is True
    assert instance["StorageEncrypted"] is True
    assert instance["StorageType"] == "gp3"
    assert len(instance["DBSubnetGroup"]["Subnets"]) == 2
    assert instance["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"


def test_an_update_changes_the_running_database_in_place(
    embedded_aws: EmbeddedAws, stack: Stack, rds: "RDSClient", connect: Connect
) -> None:
    before = stack.deploy(*template())
    after = stack.deploy(
        *template(
            AllocatedStorage="30",
            MasterUserPassword="a-plain-Password1",
            Parameters={"rds.force_ssl": "1", "work_mem": "6000"},
        )
    )
    assert after == before
    instance = instance_of(stack, rds)
    assert instance["AllocatedStorage"] == 30
    connection = connect(instance, password="a-plain-Password1")
    deadline = time.monotonic() + 10  # a reload is a signal: the server takes it up in its own time
    while (setting := connection.run("SELECT current_setting('work_mem')")) != [["6000kB"]]:
        assert time.monotonic() < deadline, setting
    connection.close()

    stack.deploy(*template())
    connect(instance, password=master_secret(embedded_aws, stack)["password"]).close()


def test_a_value_that_postgresql_refuses_is_rolled_back(stack: Stack, rds: "RDSClient") -> None:
    with pytest.raises(DeployError, match='invalid value for parameter "work_mem": "plenty"'):
        stack.deploy(*template(Parameters={"work_mem": "plenty"}))
    assert instance_of(stack, rds)["DBInstanceStatus"] == "available"


def test_another_major_version_is_rolled_back(stack: Stack, rds: "RDSClient") -> None:
    with pytest.raises(DeployError, match="the embedded AWS has PostgreSQL 16"):
        stack.deploy(*template(EngineVersion="13.4"))
    assert instance_of(stack, rds)["EngineVersion"] == "16.14"


def test_a_replaced_instance_leaves_no_server_behind(stack: Stack, rds: "RDSClient", databases_directory: Path) -> None:
    old = instance_of(stack, rds)
    stack.deploy(*template(DBName="other"))
    assert instance_of(stack, rds)["DBInstanceIdentifier"] != old["DBInstanceIdentifier"]
    deadline = time.monotonic() + 20
    while (databases_directory / old["DbiResourceId"]).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_deletion_protection_keeps_the_stack_until_it_is_lifted(
    stack: Stack, rds: "RDSClient", databases_directory: Path
) -> None:
    stack.deploy(*template(DBName="other", DeletionProtection=True))
    instance = instance_of(stack, rds)
    with pytest.raises(DeployError, match=f"Cannot delete protected DB Instance {instance['DBInstanceIdentifier']}"):
        stack.delete()
    assert (databases_directory / instance["DbiResourceId"]).exists()

    rds.modify_db_instance(DBInstanceIdentifier=instance["DBInstanceIdentifier"], DeletionProtection=False)
    stack.delete()
    assert not (databases_directory / instance["DbiResourceId"]).exists()


@pytest.mark.usefixtures("shared")
def test_an_instance_that_another_stack_has_left_is_not_overwritten(embedded_aws: EmbeddedAws) -> None:
    another = embedded_aws.stack("rds-already-there")
    try:
        with pytest.raises(DeployError, match="DB instance shared already exists"):
            another.deploy(*template(DBInstanceIdentifier="shared"))
    finally:
        another.delete()
