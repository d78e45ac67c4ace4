from datetime import timedelta

import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from aerodrome_constructs.database import PostgresInstance, PostgresInstanceProps
from aerodrome_constructs.database.postgres_instance import PORT
from tests.constructs.surroundings import NODE_SUBNETS, vpc_in
from tests.templates import (
    ACCOUNT,
    REGION,
    TemplateJson,
    new_stack,
    only,
    properties,
    resources,
    synthesized,
    text,
    trust,
    with_id,
)


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    vpc = vpc_in(stack)
    data, secrets, log = (kms.Key(stack, name) for name in ("Data", "Secrets", "Log"))
    postgres = PostgresInstance(
        stack,
        "Postgres",
        PostgresInstanceProps(
            identifier="test-database",
            vpc=vpc,
            subnets=NODE_SUBNETS,
            instance_type=ec2.InstanceType("r7g.large"),
            storage_gib=50,
            max_storage_gib=400,
            multi_az=True,
            max_connections=1600,
            backup_retention=timedelta(days=14),
            data_key=data,
            secrets_key=secrets,
            log_key=log,
            log_retention=logs.RetentionDays.THREE_MONTHS,
        ),
    )
    clients = ec2.SecurityGroup(stack, "Clients", vpc=vpc, allow_all_outbound=False)
    postgres.allow_from(clients, "Clients")
    return synthesized(stack)


def test_it_is_what_the_props_ask_for(template: TemplateJson) -> None:
    instance = only(template, "AWS::RDS::DBInstance")
    assert {name: instance[name] for name in ("AllocatedStorage", "MaxAllocatedStorage", "StorageType")} == {
        "AllocatedStorage": "50",
        "MaxAllocatedStorage": 400,
        "StorageType": "gp3",
    }
    assert instance["DBInstanceIdentifier"] == "test-database"
    assert instance["DBInstanceClass"] == "db.r7g.large"
    assert instance["MultiAZ"] is True
    assert instance["BackupRetentionPeriod"] == 14


def test_it_is_postgresql_16_and_takes_minor_upgrades(template: TemplateJson) -> None:
    instance = only(template, "AWS::RDS::DBInstance")
    assert instance["Engine"] == "postgres"
    assert instance["EngineVersion"].startswith("16.")
    assert instance["AutoMinorVersionUpgrade"] is True
    assert only(template, "AWS::RDS::DBParameterGroup")["Family"] == "postgres16"


def test_what_rds_does_by_itself_it_does_at_night_one_after_the_other(template: TemplateJson) -> None:
    instance = only(template, "AWS::RDS::DBInstance")
    # RDS refuses windows that overlap.
    assert (instance["PreferredBackupWindow"], instance["PreferredMaintenanceWindow"]) == (
        "02:00-03:00",
        "sun:04:00-sun:05:00",
    )


def test_it_is_sized_by_its_class(template: TemplateJson) -> None:
    parameters = only(template, "AWS::RDS::DBParameterGroup")["Parameters"]
    assert parameters["max_connections"] == "1600"
    # RDS works out what stands in {} for the class that the instance has.
    assert all("{DBInstanceClassMemory" in parameters[name] for name in ("work_mem", "effective_cache_size"))


def test_no_transaction_is_left_open_and_no_value_is_logged(template: TemplateJson) -> None:
    parameters = only(template, "AWS::RDS::DBParameterGroup")["Parameters"]
    assert 0 < int(parameters["idle_in_transaction_session_timeout"]) <= 15 * 60 * 1000
    assert parameters["log_parameter_max_length"] == "0"
    assert {parameters[name] for name in ("log_connections", "log_disconnections", "log_lock_waits")} == {"1"}
    assert parameters["log_statement"] == "ddl"


def test_a_password_is_checked_with_scram_only(template: TemplateJson) -> None:
    parameters = only(template, "AWS::RDS::DBParameterGroup")["Parameters"]
    assert parameters["rds.accepted_password_auth_method"] == "scram"
    assert parameters["password_encryption"] == "scram-sha-256"


def test_its_operating_system_is_watched_by_a_role_of_its_own(template: TemplateJson) -> None:
    instance = only(template, "AWS::RDS::DBInstance")
    (name,) = (name for name in resources(template, "AWS::IAM::Role") if "Monitoring" in name)
    assert instance["MonitoringInterval"] == 60
    assert text(instance["MonitoringRoleArn"]) == f"${{{name}.Arn}}"
    role = with_id(template, "AWS::IAM::Role", "Monitoring")
    assert "ManagedPolicyArns" not in role
    (who,) = trust(role)
    assert who.principals == ["monitoring.rds.amazonaws.com"]
    assert who.conditions == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:test-database"},
    }
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:RDSOSMetrics"
    # In the role: RDS asks for them when it makes the instance, which waits for the role and for no policy.
    (inline,) = role["Policies"]
    rights = inline["PolicyDocument"]["Statement"]
    assert {text(statement["Resource"]) for statement in rights} == {group, f"{group}:log-stream:*"}


def test_the_master_users_secret_is_told_from_others(template: TemplateJson) -> None:
    assert {"Key": "aerodrome:secret", "Value": "master"} in only(template, "AWS::SecretsManager::Secret")["Tags"]


def test_it_is_retained_and_protected_with_all_that_it_is_in(template: TemplateJson) -> None:
    assert only(template, "AWS::RDS::DBInstance")["DeletionProtection"] is True
    assert only(template, "AWS::RDS::DBInstance")["DeleteAutomatedBackups"] is False
    for kind, part in {
        "AWS::RDS::DBInstance": "",
        "AWS::RDS::DBParameterGroup": "",
        "AWS::RDS::DBSubnetGroup": "",
        "AWS::EC2::SecurityGroup": "Postgres",
        "AWS::SecretsManager::Secret": "",
    }.items():
        for name, resource in resources(template, kind).items():
            if part in name:
                assert (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) == ("Retain", "Retain"), (
                    name
                )


def test_a_connection_without_tls_is_refused(template: TemplateJson) -> None:
    instance = only(template, "AWS::RDS::DBInstance")
    (group,) = resources(template, "AWS::RDS::DBParameterGroup")
    assert text(instance["DBParameterGroupName"]) == f"${{{group}}}"
    assert only(template, "AWS::RDS::DBParameterGroup")["Parameters"]["rds.force_ssl"] == "1"
    assert instance["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"


def test_storage_insights_secret_and_logs_are_encrypted_each_with_its_key(template: TemplateJson) -> None:
    keys = {
        name: key for key in resources(template, "AWS::KMS::Key") for name in ("Data", "Secrets", "Log") if name in key
    }
    instance = only(template, "AWS::RDS::DBInstance")
    assert instance["StorageEncrypted"] is True
    assert instance["EnablePerformanceInsights"] is True
    assert text(instance["KmsKeyId"]) == f"${{{keys['Data']}.Arn}}"
    assert text(instance["PerformanceInsightsKMSKeyId"]) == f"${{{keys['Data']}.Arn}}"
    assert text(only(template, "AWS::SecretsManager::Secret")["KmsKeyId"]) == f"${{{keys['Secrets']}.Arn}}"
    for group in properties(template, "AWS::Logs::LogGroup").values():
        assert text(group["KmsKeyId"]) == f"${{{keys['Log']}.Arn}}"


def test_its_logs_are_kept_as_long_as_asked_and_there_before_it(template: TemplateJson) -> None:
    instance = only(template, "AWS::RDS::DBInstance")
    groups = properties(template, "AWS::Logs::LogGroup")
    assert {group["LogGroupName"] for group in groups.values()} == {
        f"/aws/rds/instance/test-database/{export}" for export in instance["EnableCloudwatchLogsExports"]
    }
    assert instance["EnableCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    assert {group["RetentionInDays"] for group in groups.values()} == {90}
    (resource,) = resources(template, "AWS::RDS::DBInstance").values()
    assert set(groups) <= set(resource["DependsOn"])


def test_nobody_can_reach_it_but_who_was_let_in(template: TemplateJson) -> None:
    assert only(template, "AWS::RDS::DBInstance")["PubliclyAccessible"] is False
    subnets = {text(subnet) for subnet in only(template, "AWS::RDS::DBSubnetGroup")["SubnetIds"]}
    assert len(subnets) == 3
    assert all("Nodes" in subnet for subnet in subnets)
    group = with_id(template, "AWS::EC2::SecurityGroup", "Postgres")
    assert "SecurityGroupIngress" not in group
    rule = only(template, "AWS::EC2::SecurityGroupIngress")
    assert "Clients" in text(rule["SourceSecurityGroupId"])
    assert (rule["FromPort"], rule["ToPort"]) == (PORT, PORT)
    # A rule of the other group would make its stack need this one.
    assert "AWS::EC2::SecurityGroupEgress" not in {each["Type"] for each in template["Resources"].values()}
    (egress,) = group["SecurityGroupEgress"]
    assert egress["CidrIp"] == "255.255.255.255/32"  # the CDK's way to write: none


def test_the_master_password_breaks_no_connection_string_and_is_attached(template: TemplateJson) -> None:
    generate = only(template, "AWS::SecretsManager::Secret")["GenerateSecretString"]
    assert generate["ExcludePunctuation"] is True
    assert generate["PasswordLength"] == 40
    assert not generate.get("IncludeSpace")
    instance = only(template, "AWS::RDS::DBInstance")
    (secret,) = resources(template, "AWS::SecretsManager::Secret")
    assert (
        text(instance["MasterUserPassword"]) == f"{{{{resolve:secretsmanager:${{{secret}}}:SecretString:password::}}}}"
    )
    attachment = only(template, "AWS::SecretsManager::SecretTargetAttachment")
    assert text(attachment["SecretId"]) == f"${{{secret}}}"
    assert attachment["TargetType"] == "AWS::RDS::DBInstance"


def test_iam_authentication_is_off(template: TemplateJson) -> None:
    assert only(template, "AWS::RDS::DBInstance")["EnableIAMDatabaseAuthentication"] is False
