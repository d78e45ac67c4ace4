from datetime import timedelta

import aws_cdk as cdk
import pytest

from aerodrome_constructs.database import PasswordRotation, PasswordRotationProps
from aerodrome_constructs.database.lambda_asset import CA_BUNDLE, ROTATION
from tests.constructs.database.databases import USERS, databases_in
from tests.templates import (
    ACCOUNT,
    REGION,
    TemplateJson,
    new_stack,
    only,
    properties,
    resources,
    statements,
    synthesized,
    text,
    with_id,
)


def rotation_in(stack: cdk.Stack, days: int, keys: cdk.Stack | None = None) -> None:
    databases = databases_in(stack, USERS, keys)
    PasswordRotation(
        stack,
        "Rotation",
        PasswordRotationProps(
            name="rotation",
            secrets={"master": databases.instance.master_secret, **databases.provisioner.secrets},
            period=timedelta(days=days),
            surroundings=databases.surroundings,
            users=databases.provisioner.resource,
        ),
    )


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    rotation_in(stack, 30)
    return synthesized(stack)


def test_every_password_changes_in_its_time_and_none_on_deploy(template: TemplateJson) -> None:
    schedules = properties(template, "AWS::SecretsManager::RotationSchedule")
    secrets = set(resources(template, "AWS::SecretsManager::Secret"))
    (attachment,) = resources(template, "AWS::SecretsManager::SecretTargetAttachment")
    rotated = {text(schedule["SecretId"]) for schedule in schedules.values()}
    # The master user's secret goes by its attachment, which adds the instance's address to it.
    assert rotated == {f"${{{name}}}" for name in secrets if "Master" not in name} | {f"${{{attachment}}}"}
    for schedule in schedules.values():
        assert schedule["RotationRules"] == {"ScheduleExpression": "rate(30 days)", "Duration": "2h"}
        assert schedule["RotateImmediatelyOnUpdate"] is False


def test_a_day_is_one_day() -> None:
    stack = new_stack()
    rotation_in(stack, 1)
    schedules = properties(synthesized(stack), "AWS::SecretsManager::RotationSchedule")
    assert {schedule["RotationRules"]["ScheduleExpression"] for schedule in schedules.values()} == {"rate(1 day)"}


def test_secrets_manager_of_this_account_may_call_the_function_and_nobody_else(template: TemplateJson) -> None:
    permission = only(template, "AWS::Lambda::Permission")
    assert permission["Principal"] == "secretsmanager.amazonaws.com"
    assert permission["SourceAccount"] == ACCOUNT
    for schedule in resources(template, "AWS::SecretsManager::RotationSchedule").values():
        assert set(resources(template, "AWS::Lambda::Permission")) < set(schedule["DependsOn"])
        assert set(resources(template, "Custom::AerodromeDatabases")) < set(schedule["DependsOn"])
        assert schedule["Properties"]["RotationLambdaARN"] == permission["FunctionName"]


def test_the_function_may_change_these_secrets_and_nothing_else(template: TemplateJson) -> None:
    rights = {action: statement for statement in statements(template, "RotationRole") for action in statement.actions}
    assert {action for action in rights if action.startswith("secretsmanager:")} == {
        f"secretsmanager:{action}"
        for action in ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
    }
    schedules = properties(template, "AWS::SecretsManager::RotationSchedule").values()
    assert set(rights["secretsmanager:PutSecretValue"].resources) == {text(each["SecretId"]) for each in schedules}
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert rights[action].conditions == {
            "StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
        }
    everywhere = {action for action, statement in rights.items() if "*" in statement.resources}
    assert {action.split(":")[0] for action in everywhere} == {"ec2"}


def test_the_function_verifies_the_instance_that_lets_it_in(template: TemplateJson) -> None:
    function = with_id(template, "AWS::Lambda::Function", "Rotation")
    assert function["Handler"] == ROTATION
    assert function["Environment"]["Variables"] == {"PGSSLROOTCERT": f"/var/task/{CA_BUNDLE}"}
    (group,) = function["VpcConfig"]["SecurityGroupIds"]
    assert group == only(template, "AWS::EC2::SecurityGroupIngress")["SourceSecurityGroupId"]


def test_keys_of_another_stack_do_not_come_to_need_this_one() -> None:
    app = new_stack().node.root
    assert isinstance(app, cdk.App)
    keys, stack = (cdk.Stack(app, name) for name in ("KeysStack", "DatabaseStack"))
    rotation_in(stack, 30, keys)
    app.synth()  # fails where two stacks need each other
    assert keys.dependencies == []
