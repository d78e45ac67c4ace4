"""AWS::RDS types of a stack whose database is real: made, read, changed, replaced and deleted."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pg8000.native
import pytest

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_rds import RDSClient

STACK = "rds-cloudformation"

Instance = dict[str, Any]
Connect = Callable[..., pg8000.native.Connection]


class EmbeddedAws(Protocol):
    """What the fixture ``embedded_aws`` is."""

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        """A boto3 client of it."""


def template(**instance: object) -> str:
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
        "Address": {"Value": {"Fn::GetAtt": ["Database", "Endpoint.Address"]}},
        "Port": {"Value": {"Fn::GetAtt": ["Database", "Endpoint.Port"]}},
        "Identifier": {"Value": {"Ref": "Database"}},
        "Secret": {"Value": {"Ref": "Secret"}},
    }
    return json.dumps({"Resources": resources, "Outputs": outputs})


def _subnet(cidr: str, zone: str) -> dict[str, Any]:
    properties = {"VpcId": {"Ref": "Vpc"}, "CidrBlock": cidr, "AvailabilityZone": zone}
    return {"Type": "AWS::EC2::Subnet", "Properties": properties}


class Stack:
    """One stack whose template changes."""

    def __init__(self, cloudformation: "CloudFormationClient") -> None:
        self._client = cloudformation

    def create(self, **instance: object) -> str:
        """Create it and return how that ended."""
        self._client.create_stack(StackName=STACK, TemplateBody=template(**instance))
        return self._finished()

    def update(self, **instance: object) -> str:
        """Update it and return how that ended."""
        self._client.update_stack(StackName=STACK, TemplateBody=template(**instance))
        return self._finished()

    def delete(self) -> str:
        """Delete it and return how that ended."""
        identifier = self._describe(STACK)["StackId"]
        self._client.delete_stack(StackName=STACK)
        return self._finished(identifier)

    def outputs(self) -> dict[str, str]:
        """Its outputs by name."""
        return {output["OutputKey"]: output["OutputValue"] for output in self._describe(STACK)["Outputs"]}

    def reasons(self) -> str:
        """Why resources failed."""
        events = self._client.describe_stack_events(StackName=STACK)["StackEvents"]
        return "\n".join(
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in events
            if event.get("ResourceStatusReason")
        )

    def _describe(self, name: str) -> dict[str, Any]:
        return dict(self._client.describe_stacks(StackName=name)["Stacks"][0])

    def _finished(self, name: str = STACK) -> str:
        deadline = time.monotonic() + 90
        while (status := str(self._describe(name)["StackStatus"])).endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline, status
            time.sleep(0.1)
        return status


@pytest.fixture(scope="module")
def stack(embedded_aws: EmbeddedAws) -> Iterator[Stack]:
    cloudformation = embedded_aws.client("cloudformation")
    made = Stack(cloudformation)
    status = made.create()
    assert status == "CREATE_COMPLETE", made.reasons()
    yield made
    cloudformation.delete_stack(StackName=STACK)


def secret(embedded_aws: EmbeddedAws, stack: Stack) -> dict[str, Any]:
    """The master secret's fields."""
    value = embedded_aws.client("secretsmanager").get_secret_value(SecretId=stack.outputs()["Secret"])["SecretString"]
    fields: dict[str, Any] = json.loads(value)
    return fields


def test_the_attached_secret_opens_the_database(embedded_aws: EmbeddedAws, stack: Stack, connect: Connect) -> None:
    outputs, fields = stack.outputs(), secret(embedded_aws, stack)
    assert {name: str(fields[name]) for name in ("host", "port", "dbname", "engine")} == {
        "host": outputs["Address"],
        "port": outputs["Port"],
        "dbname": "platform",
        "engine": "postgres",
    }
    instance = {"Endpoint": {"Address": fields["host"], "Port": fields["port"]}}
    connection = connect(instance, user=fields["username"], password=fields["password"], database=fields["dbname"])
    assert connection.run("SELECT current_setting('work_mem')") == [["5000kB"]]
    connection.close()


def test_the_instance_is_described_with_the_stacks_properties(stack: Stack, rds: "RDSClient") -> None:
    instance = rds.describe_db_instances(DBInstanceIdentifier=stack.outputs()["Identifier"])["DBInstances"][0]
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
    before = stack.outputs()
    changes: dict[str, Any] = {
        "AllocatedStorage": "30",
        "MasterUserPassword": "a-plain-Password1",
        "Parameters": {"rds.force_ssl": "1", "work_mem": "6000"},
    }
    assert stack.update(**changes) == "UPDATE_COMPLETE", stack.reasons()
    assert stack.outputs() == before
    instance = rds.describe_db_instances(DBInstanceIdentifier=before["Identifier"])["DBInstances"][0]
    assert instance["AllocatedStorage"] == 30
    connection = connect(instance, password="a-plain-Password1")
    deadline = time.monotonic() + 10  # a reload is a signal: the server takes it up in its own time
    while (setting := connection.run("SELECT current_setting('work_mem')")) != [["6000kB"]]:
        assert time.monotonic() < deadline, setting
    connection.close()

    assert stack.update() == "UPDATE_COMPLETE", stack.reasons()
    connect(instance, password=secret(embedded_aws, stack)["password"]).close()


def test_a_value_that_postgresql_refuses_rolls_the_stack_back(stack: Stack, rds: "RDSClient") -> None:
    assert stack.update(Parameters={"work_mem": "plenty"}) == "UPDATE_ROLLBACK_COMPLETE"
    assert 'invalid value for parameter "work_mem": "plenty"' in stack.reasons()
    instance = rds.describe_db_instances(DBInstanceIdentifier=stack.outputs()["Identifier"])["DBInstances"][0]
    assert instance["DBInstanceStatus"] == "available"


def test_another_major_version_rolls_the_stack_back(stack: Stack) -> None:
    assert stack.update(EngineVersion="13.4") == "UPDATE_ROLLBACK_COMPLETE"
    assert "the embedded AWS has PostgreSQL 16" in stack.reasons()


def test_a_replaced_instance_leaves_no_server_behind(stack: Stack, rds: "RDSClient", databases_directory: Path) -> None:
    before = stack.outputs()
    old = rds.describe_db_instances(DBInstanceIdentifier=before["Identifier"])["DBInstances"][0]["DbiResourceId"]
    assert stack.update(DBName="other") == "UPDATE_COMPLETE", stack.reasons()
    assert stack.outputs()["Identifier"] != before["Identifier"]
    deadline = time.monotonic() + 20
    while (databases_directory / old).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_deletion_protection_keeps_the_stack_until_it_is_lifted(
    stack: Stack, rds: "RDSClient", databases_directory: Path
) -> None:
    assert stack.update(DBName="other", DeletionProtection=True) == "UPDATE_COMPLETE", stack.reasons()
    identifier = stack.outputs()["Identifier"]
    resource_id = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]["DbiResourceId"]
    assert stack.delete() == "DELETE_FAILED"
    assert f"Cannot delete protected DB Instance {identifier}" in stack.reasons()
    assert (databases_directory / resource_id).exists()

    rds.modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=False)
    assert stack.delete() == "DELETE_COMPLETE"
    assert not (databases_directory / resource_id).exists()
