from fnmatch import fnmatchcase

import pytest

from aerodrome_constructs.emergency import BreakGlassRole, BreakGlassRoleProps, Reach
from tests.templates import (
    ACCOUNT,
    REGION,
    Properties,
    Statement,
    TemplateJson,
    new_stack,
    only,
    statements,
    synthesized,
    text,
    trust,
)

TRUSTED = (f"arn:aws:iam::{ACCOUNT}:role/OnCall", f"arn:aws:iam::{ACCOUNT}:role/team/PlatformLead")
TAG = "aws:ResourceTag/aerodrome:environment"


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    reach = Reach(
        partition="aws",
        account=ACCOUNT,
        region=REGION,
        prefix="aerodrome-prod",
        tag=("aerodrome:environment", "prod"),
        log_groups=["/aerodrome/prod/*", "aerodrome-prod-*"],
        rotation="aerodrome-prod-password-rotation",
    )
    BreakGlassRole(stack, "BreakGlass", BreakGlassRoleProps(name="break-glass", trusted=TRUSTED, reach=reach))
    return synthesized(stack)


@pytest.fixture(scope="module")
def role(template: TemplateJson) -> Properties:
    return only(template, "AWS::IAM::Role")


@pytest.fixture(scope="module")
def rights(template: TemplateJson) -> list[Statement]:
    found = statements(template, "Rights")
    assert [text(one) for one in only(template, "AWS::IAM::ManagedPolicy")["Roles"]] == ["${BreakGlass397E96D8}"]
    return found


def matching(rights: list[Statement], action: str) -> list[Statement]:
    return [one for one in rights if any(fnmatchcase(action.lower(), pattern.lower()) for pattern in one.actions)]


def test_nobody_takes_it_but_the_roles_that_are_named(role: Properties) -> None:
    (statement,) = trust(role)
    assert tuple(statement.principals) == TRUSTED


def test_who_takes_it_says_who_they_are(role: Properties) -> None:
    (statement,) = trust(role)
    assert statement.actions == ["sts:AssumeRole", "sts:SetSourceIdentity"]
    assert statement.conditions["StringLike"] == {"sts:SourceIdentity": "*"}


def test_it_is_taken_where_the_rule_hears_of_it(role: Properties) -> None:
    (statement,) = trust(role)
    assert statement.conditions["StringEquals"] == {"aws:RequestedRegion": REGION}


def test_it_ends_after_an_hour(role: Properties) -> None:
    assert role["MaxSessionDuration"] == 3600


@pytest.mark.parametrize(
    "action",
    [
        "batch:UpdateComputeEnvironment",
        "cloudformation:UpdateStack",
        "cloudformation:CreateChangeSet",
        "ec2:AuthorizeSecurityGroupIngress",
        "eks:UpdateClusterConfig",
        "kms:Decrypt",
        "lambda:GetFunction",
        "lambda:UpdateFunctionCode",
        "logs:DescribeQueries",
        "rds:DownloadDBLogFilePortion",
        "rds:RestoreDBInstanceFromDBSnapshot",
        "s3:GetObject",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
    ],
)
def test_data_and_secrets_stay_closed_and_nothing_is_made(rights: list[Statement], action: str) -> None:
    assert [one for one in matching(rights, action) if one.allows] == []


@pytest.mark.parametrize(
    "action",
    [
        "backup:DeleteBackupVaultLockConfiguration",
        "backup:DeleteRecoveryPoint",
        "backup:PutBackupVaultAccessPolicy",
        "cloudtrail:PutEventSelectors",
        "cloudtrail:StopLogging",
        "cloudwatch:DisableAlarmActions",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:SetAlarmState",
        "ec2:CreateTags",
        "eks:AssociateAccessPolicy",
        "eks:CreateAccessEntry",
        "events:DisableRule",
        "events:PutTargets",
        "events:RemoveTargets",
        "iam:AttachRolePolicy",
        "iam:CreateUser",
        "iam:PassRole",
        "iam:UpdateAssumeRolePolicy",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "logs:DeleteLogStream",
        "organizations:LeaveOrganization",
        "rds:AddTagsToResource",
        "rds:DeleteDBInstance",
        "rds:ModifyDBInstance",
        "rds:ModifyDBSnapshotAttribute",
        "rds:StartExportTask",
        "s3:DeleteBucketPolicy",
        "s3:DeleteObjectVersion",
        "secretsmanager:CancelRotateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:UntagResource",
        "sns:SetTopicAttributes",
        "sns:Unsubscribe",
        "sts:AssumeRole",
    ],
)
def test_it_can_neither_grow_nor_hide_nor_destroy_whatever_is_attached_to_it(
    rights: list[Statement], action: str
) -> None:
    (denied,) = [one for one in matching(rights, action) if not one.allows]
    assert denied.resources == ["*"]
    assert not denied.conditions


def test_nothing_is_allowed_that_is_denied(rights: list[Statement]) -> None:
    (never,) = [one for one in rights if not one.allows]
    allowed = [action for one in rights if one.allows for action in one.actions]
    assert len(allowed) > 20
    # Either may be the wider of the two patterns.
    assert [
        (action, denied)
        for action in allowed
        for denied in never.actions
        if fnmatchcase(action, denied) or fnmatchcase(denied.replace("*", ""), action)
    ] == []


@pytest.mark.parametrize("action", ["ec2:TerminateInstances", "batch:UpdateJobQueue", "eks:UpdateNodegroupConfig"])
def test_it_acts_on_what_carries_the_environments_tag(rights: list[Statement], action: str) -> None:
    (allowed,) = matching(rights, action)
    assert allowed.conditions == {"StringEquals": {TAG: "prod", "aws:RequestedRegion": REGION}}


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        (
            "rds:RebootDBInstance",
            [
                f"arn:aws:rds:{REGION}:{ACCOUNT}:db:aerodrome-prod-*",
                f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:aerodrome-prod-*",
            ],
        ),
        ("cloudformation:RollbackStack", [f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/aerodrome-prod-*"]),
        ("batch:TerminateJob", [f"arn:aws:batch:{REGION}:{ACCOUNT}:job/*"]),
        *(
            (
                action,
                [
                    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aerodrome/prod/*:*",
                    f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aerodrome-prod-*:*",
                ],
            )
            for action in ("logs:FilterLogEvents", "logs:GetLogEvents", "logs:GetQueryResults", "logs:StartQuery")
        ),
        (
            "lambda:InvokeFunction",
            [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:aerodrome-prod-password-rotation"],
        ),
    ],
)
def test_it_acts_on_what_is_named(rights: list[Statement], action: str, resources: list[str]) -> None:
    (allowed,) = matching(rights, action)
    assert allowed.resources == resources


def test_it_rotates_passwords_and_leaves_the_schedule(rights: list[Statement]) -> None:
    (allowed,) = matching(rights, "secretsmanager:RotateSecret")
    assert allowed.conditions == {
        "StringEquals": {TAG: "prod", "aws:RequestedRegion": REGION},
        "BoolIfExists": {"secretsmanager:ModifyRotationRules": "false"},
    }


def test_without_a_condition_it_only_looks(rights: list[Statement]) -> None:
    (looking,) = [one for one in rights if one.allows and one.resources == ["*"] and not one.conditions]
    verbs = {action.partition(":")[2][:3] for action in looking.actions}
    assert verbs <= {"Des", "Get", "Lis"}
