from datetime import timedelta

import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from aerodrome_constructs.database import PostgresInstance, PostgresInstanceProps
from tests.constructs.surroundings import NODE_SUBNETS, vpc_in
from tests.templates import TemplateJson, new_stack, only, properties, resources, synthesized, text, with_id


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
            backup_retention=timedelta(days=14),
            data_key=data,
            secrets_key=secrets,
            log_key=log,
            log_retention=logs.RetentionDays.THREE_MONTHS,
        ),
    )
    postgres.allow_from(ec2.Peer.ipv4("10.1.0.0/18"), "Nodes")
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


def test_it_is_retained_and_protected_with_all_that_it_is_in(template: TemplateJson) -> None:
    assert only(template, "AWS::RDS::DBInstance")["DeletionProtection"] is True
    assert only(template, "AWS::RDS::DBInstance")["DeleteAutomatedBackups"] is False
    for kind in (
        "AWS::RDS::DBInstance",
        "AWS::RDS::DBParameterGroup",
        "AWS::RDS::DBSubnetGroup",
        "AWS::EC2::SecurityGroup",
        "AWS::SecretsManager::Secret",
    ):
        for name, resource in resources(template, kind).items():
            assert resource.get("DeletionPolicy") == "Retain", name


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
    (rule,) = group["SecurityGroupIngress"]
    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("10.1.0.0/18", 5432, 5432)
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
