from collections.abc import Mapping

import pytest

from aerodrome_constructs.database.postgres_instance import PORT
from aerodrome_stacks.database_stack import CLIENTS, DatabaseStack
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.environment.connections import max_connections, memory_gib
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


def test_the_instance_accepts_as_many_connections_as_the_rules_count_on(
    database: TemplateJson, environment: Environment
) -> None:
    accepted = only(database, "AWS::RDS::DBParameterGroup")["Parameters"]["max_connections"]
    memory = memory_gib(environment.database.instance_class)
    assert memory is not None
    assert accepted == str(max_connections(memory))


def test_what_peers_forget_is_there_in_every_environment(database: TemplateJson) -> None:
    """Rows of a comparison of such platforms: each was wrong in one that people run."""
    instance = only(database, "AWS::RDS::DBInstance")
    (resource,) = resources(database, "AWS::RDS::DBInstance").values()
    # A database without TLS.
    assert only(database, "AWS::RDS::DBParameterGroup")["Parameters"]["rds.force_ssl"] == "1"
    # An instance that one call deletes.
    assert instance["DeletionProtection"] is True
    # No final snapshot: here the instance itself stays, with its automated backups.
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert instance["DeleteAutomatedBackups"] is False
    # No backups to restore a point in time from.
    assert instance["BackupRetentionPeriod"] >= 7
    # Storage that anybody with its disk can read, and an address on the internet.
    assert (instance["StorageEncrypted"], instance["PubliclyAccessible"]) == (True, False)


def test_a_password_stands_in_no_template(stacks: Mapping[str, TemplateJson]) -> None:
    # By reference only: CloudFormation asks Secrets Manager when it makes the instance.
    instance = only(stacks["Database"], "AWS::RDS::DBInstance")
    assert text(instance["MasterUserPassword"]).startswith("{{resolve:secretsmanager:")
    secrets = properties(stacks["Database"], "AWS::SecretsManager::Secret")
    assert len(secrets) == len(CLIENTS) + 1
    assert [name for name, secret in secrets.items() if "SecretString" in secret] == []
    # Helm keeps the values of a release in the cluster, for all who may read Secrets there.
    releases = [
        text(resource["Properties"]["Values"])
        for stack in ("Orchestrator", "Tracking")
        for resource in stacks[stack]["Resources"].values()
        if resource["Type"] == "Custom::AWSCDK-EKS-HelmChart"
    ]
    assert len(releases) >= 4
    assert [values for values in releases if "{{resolve:" in values] == []


def test_passwords_change_where_the_environment_says_so(database: TemplateJson, environment: Environment) -> None:
    period = environment.database.password_rotation
    schedules = [
        resource["Properties"]["RotationRules"]["ScheduleExpression"]
        for resource in database["Resources"].values()
        if resource["Type"] == "AWS::SecretsManager::RotationSchedule"
    ]
    # Each client's, and the master user's.
    expected = [] if period is None else [f"rate({period.days} days)"] * (len(CLIENTS) + 1)
    assert schedules == expected


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


def test_only_what_carries_the_group_of_clients_may_connect(database: TemplateJson) -> None:
    assert "SecurityGroupIngress" not in with_id(database, "AWS::EC2::SecurityGroup", "Postgres")
    rule = only(database, "AWS::EC2::SecurityGroupIngress")
    assert "DatabaseClients" in text(rule["SourceSecurityGroupId"])
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", PORT, PORT)
    functions = [
        function
        for name, function in properties(database, "AWS::Lambda::Function").items()
        if name.startswith(("Databases", "Rotation"))
    ]
    assert functions
    for function in functions:
        assert function["VpcConfig"]["SecurityGroupIds"] == [rule["SourceSecurityGroupId"]]
