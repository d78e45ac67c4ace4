from collections.abc import Mapping

import pytest

from aerodrome_stacks.database_stack import CLIENTS, DatabaseStack
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.network_stack import NetworkStack
from tests.templates import ROOT, TemplateJson, new_app, only, properties, resources, synthesized, text, with_id


@pytest.fixture
def database(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Database"]


def test_the_instance_has_the_capacity_that_the_environment_gives_it(
    database: TemplateJson, environment: Environment
) -> None:
    instance = only(database, "AWS::RDS::DBInstance")
    wanted = environment.database
    assert instance["DBInstanceIdentifier"] == f"aerodrome-{environment.name}-database"
    assert instance["DBInstanceClass"] == wanted.instance_class
    assert instance["AllocatedStorage"] == str(wanted.storage_gib)
    assert instance["MaxAllocatedStorage"] == wanted.max_storage_gib
    assert instance["MultiAZ"] is wanted.multi_az
    assert instance["BackupRetentionPeriod"] == environment.retention.database_backups.days


@pytest.mark.parametrize(("largest", "ceiling"), [(100, None), (110, 110)])
def test_storage_has_a_ceiling_only_if_it_may_grow(largest: int, ceiling: int | None) -> None:
    # RDS refuses to create an instance whose ceiling is its storage.
    environment = load_environment("dev", ROOT / "environments")
    sizes = {"storage_gib": 100, "max_storage_gib": largest}
    environment = environment.model_copy(update={"database": environment.database.model_copy(update=sizes)})
    app = new_app()
    keys = KeysStack(app, "Keys", environment=environment).ports
    network = NetworkStack(app, "Network", environment=environment, log_key=keys.logs).ports
    stack = DatabaseStack(app, "Database", environment=environment, network=network, keys=keys)
    instance = only(synthesized(stack), "AWS::RDS::DBInstance")
    assert (instance["AllocatedStorage"], instance.get("MaxAllocatedStorage")) == ("100", ceiling)


def test_each_client_has_a_database_and_a_user_of_its_name(database: TemplateJson) -> None:
    clients = only(database, "Custom::AerodromeDatabases")["Clients"]
    assert [(client["Database"], client["Username"]) for client in clients] == [(name, name) for name in CLIENTS]
    secrets = {text(client["SecretArn"]) for client in clients}
    assert len(secrets) == len(CLIENTS)


def test_every_secret_is_encrypted_with_the_key_for_secrets(database: TemplateJson) -> None:
    keys = {text(secret["KmsKeyId"]) for secret in properties(database, "AWS::SecretsManager::Secret").values()}
    assert len(keys) == 1
    assert "Secrets" in keys.pop()


def test_the_instance_is_where_there_is_no_way_out_and_the_function_where_there_is(database: TemplateJson) -> None:
    instance_subnets = [text(subnet) for subnet in only(database, "AWS::RDS::DBSubnetGroup")["SubnetIds"]]
    assert len(instance_subnets) == 3
    assert all("Database" in subnet for subnet in instance_subnets)
    function = with_id(database, "AWS::Lambda::Function", "Databases")
    function_subnets = [text(subnet) for subnet in function["VpcConfig"]["SubnetIds"]]
    assert len(function_subnets) == 3
    assert all("Nodes" in subnet for subnet in function_subnets)


def test_only_nodes_and_the_function_may_connect(database: TemplateJson, stacks: Mapping[str, TemplateJson]) -> None:
    rules = with_id(database, "AWS::EC2::SecurityGroup", "Postgres")["SecurityGroupIngress"]
    nodes = {
        subnet["CidrBlock"]
        for name, subnet in properties(stacks["Network"], "AWS::EC2::Subnet").items()
        if "Nodes" in name
    }
    assert {rule["CidrIp"] for rule in rules} == nodes
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(5432, 5432)}
    (ingress,) = resources(database, "AWS::EC2::SecurityGroupIngress").values()
    assert "Databases" in text(ingress["Properties"]["SourceSecurityGroupId"])
