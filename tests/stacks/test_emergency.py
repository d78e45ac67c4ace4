import json
from collections.abc import Mapping

import aws_cdk as cdk
import pytest

from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.platform import build_platform
from pytest_cdk import AssemblyFactory
from tests.iam.account import Account
from tests.stacks.conftest import StackArtifact
from tests.templates import ROOT, TemplateJson, new_app, only, statements, synthesized, text, trust


@pytest.fixture(scope="module")
def on_call() -> Environment:
    """An environment in another region than the billing services', whose name nothing else carries."""
    environment = load_environment("dev", ROOT / "environments")
    roles = tuple(f"arn:aws:iam::{environment.account}:role/{name}" for name in ("OnCall", "PlatformLead"))
    access = environment.access.model_copy(update={"break_glass": roles})
    return environment.model_copy(update={"name": "sandbox", "region": "eu-west-1", "access": access})


@pytest.fixture(scope="module")
def emergency(on_call: Environment) -> TemplateJson:
    app = new_app()
    build_platform(app, on_call)
    return synthesized(cdk.Stack.of(app.node.find_child("Emergency")))


def test_there_is_one_where_somebody_may_break_the_glass(
    artifacts: Mapping[str, StackArtifact], environment: Environment
) -> None:
    assert ("Emergency" in artifacts) is bool(environment.access.break_glass)


def test_prod_has_one() -> None:
    assert load_environment("prod", ROOT / "environments").access.break_glass


def test_the_role_has_a_name_that_can_be_written_down_and_trusts_who_is_named(
    emergency: TemplateJson, on_call: Environment
) -> None:
    role = only(emergency, "AWS::IAM::Role")
    assert role["RoleName"] == "aerodrome-sandbox-break-glass"
    (statement,) = trust(role)
    assert tuple(statement.principals) == on_call.access.break_glass
    assert statement.conditions["StringEquals"] == {"aws:RequestedRegion": "eu-west-1"}


def test_the_role_acts_on_this_environment_alone(emergency: TemplateJson) -> None:
    acting = [one for one in statements(emergency, "Rights") if one.allows and "ec2:TerminateInstances" in one.actions]
    (statement,) = acting
    assert statement.conditions["StringEquals"]["aws:ResourceTag/aerodrome:environment"] == "sandbox"


def test_the_role_administers_the_cluster(emergency: TemplateJson) -> None:
    entry = only(emergency, "AWS::EKS::AccessEntry")
    assert "Kubernetes" in text(entry["ClusterName"])
    assert text(entry["PrincipalArn"]).startswith("${BreakGlass")
    assert json.loads(text(entry["AccessPolicies"])) == [
        {
            "AccessScope": {"Type": "cluster"},
            "PolicyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        }
    ]


def test_those_in_alerts_are_told(emergency: TemplateJson) -> None:
    (target,) = only(emergency, "AWS::Events::Rule")["Targets"]
    (action,) = only(emergency, "AWS::CloudWatch::Alarm")["AlarmActions"]
    assert text(target["Arn"]) == text(action)
    assert "aerodrome-sandbox-alerts" in text(action)


# How to end data, backups, keys, logs, the trail, the alarm and what people are told.
DESTRUCTION = (
    "backup:DeleteBackupVault",
    "backup:DeleteRecoveryPoint",
    "cloudtrail:StopLogging",
    "cloudwatch:DeleteAlarms",
    "events:DeleteRule",
    "iam:PutRolePolicy",
    "kms:ScheduleKeyDeletion",
    "logs:DeleteLogGroup",
    "rds:DeleteDBInstance",
    "rds:DeleteDBSnapshot",
    "rds:ModifyDBInstance",
    "s3:DeleteObjectVersion",
    "sns:Unsubscribe",
)


def test_who_administers_the_cluster_gets_no_role_that_ends_backups_keys_logs_or_the_alarm(account: Account) -> None:
    """The role's page says so. Who administers the cluster can be any of its service accounts."""
    reachable = [role for role in account.of_type("AWS::IAM::Role") if "WebIdentity" in str(role.properties)]
    assert len(reachable) > 10
    place = f"{account.region}:{account.number}"
    targets = [
        *(resource.arn for resource in account.resources),
        *(f"{bucket.arn}/metadata/object" for bucket in account.of_type("AWS::S3::Bucket")),
        f"arn:aws:backup:{place}:recovery-point:made-up",
        f"arn:aws:cloudtrail:{place}:trail/made-up",
        f"arn:aws:rds:{place}:snapshot:made-up",
    ]
    for role in reachable:
        possible = [
            (action, target)
            for target in targets
            for action in DESTRUCTION
            if target.split(":")[2] == action.partition(":")[0]
            and account.can(account.principals[role.arn], action, target)
        ]
        assert possible == [], role.logical_id


@pytest.fixture
def prod(cdk_assembly: AssemblyFactory) -> Account:
    environment = load_environment("prod", ROOT / "environments")
    return Account(cdk_assembly("prod").stacks, environment.account, environment.region)


def test_it_reads_the_logs_of_this_environment_and_no_other(prod: Account) -> None:
    role, logs = prod.role("Emergency", "BreakGlass"), f"arn:aws:logs:{prod.region}:{prod.number}:log-group:"
    names = [str(group.properties.get("LogGroupName", "")) for group in prod.of_type("AWS::Logs::LogGroup")]
    named = [name for name in names if name.startswith("/") and not name.startswith("/aws/lambda/")]
    assert len(named) > 3
    # What CloudFormation names, it names after the stack.
    made_up = ["aerodrome-prod-network-VpcFlowLogs-1A2B3C", "/aws/lambda/aerodrome-prod-cluster-KubectlHandler-1A2B3C"]
    others = ["/aws/lambda/payments", "/aws/rds/instance/payments/postgresql", "/aerodrome/staging/batch"]
    for action in ("logs:FilterLogEvents", "logs:GetQueryResults", "logs:StartQuery"):
        for name in (*named, *made_up, *others):
            assert prod.can(role, action, f"{logs}{name}:*") is (name not in others), (action, name)


def test_it_starts_the_rotation_of_the_database(prod: Account) -> None:
    role, rotation = prod.role("Emergency", "BreakGlass"), prod.one("Database", "AWS::Lambda::Function", "Rotation")
    name = rotation.properties["FunctionName"]
    assert prod.can(role, "lambda:InvokeFunction", f"arn:aws:lambda:{prod.region}:{prod.number}:function:{name}")
    secret = prod.one("Database", "AWS::SecretsManager::Secret", "Master").arn
    tag = {"aws:ResourceTag/aerodrome:environment": "prod"}
    assert prod.can(role, "secretsmanager:RotateSecret", secret, tag)
    assert not prod.can(role, "secretsmanager:RotateSecret", secret)
    schedule = {"secretsmanager:ModifyRotationRules": "true"}
    assert not prod.can(role, "secretsmanager:RotateSecret", secret, {**tag, **schedule})
