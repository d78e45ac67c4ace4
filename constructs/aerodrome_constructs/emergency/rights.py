"""What who has broken the glass may do in AWS: look at what is no data, act on one environment, hide nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity import allow

# To find out what is wrong. What is in objects and secrets is not among it: `s3:GetObject` and
# `secretsmanager:GetSecretValue` are not here, nor is `kms:Decrypt`. `rds:Describe*` names log files, and reads none:
# that is `rds:DownloadDBLogFilePortion`. Queries of logs are not listed, as who knows the ID of somebody else's may ask
# for its results.
_LOOK = (
    "autoscaling:Describe*",
    "backup:Describe*",
    "backup:List*",
    "batch:Describe*",
    "batch:List*",
    "cloudformation:Describe*",
    "cloudformation:GetTemplate*",
    "cloudformation:List*",
    "cloudtrail:Describe*",
    "cloudtrail:GetTrailStatus",
    "cloudwatch:Describe*",
    "cloudwatch:Get*",
    "cloudwatch:List*",
    "ec2:Describe*",
    "ec2:GetConsoleOutput",
    "ecr:Describe*",
    "ecr:ListImages",
    "ecs:Describe*",
    "ecs:List*",
    "eks:Describe*",
    "eks:List*",
    "elasticloadbalancing:Describe*",
    "events:Describe*",
    "events:List*",
    "iam:GetPolicy*",
    "iam:GetRole*",
    "iam:List*",
    "kms:Describe*",
    "kms:GetKeyPolicy",
    "kms:List*",
    "lambda:GetFunctionConfiguration",
    "lambda:List*",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:DescribeMetricFilters",
    "logs:DescribeSubscriptionFilters",
    "rds:Describe*",
    "s3:GetBucket*",
    "s3:GetLifecycleConfiguration",
    "s3:ListAllMyBuckets",
    "secretsmanager:DescribeSecret",
    "secretsmanager:ListSecrets",
    "servicequotas:Get*",
    "servicequotas:List*",
    "sns:Get*",
    "sns:List*",
    "sqs:GetQueueAttributes",
    "sqs:ListQueues",
    "tag:GetResources",
)

# To mend it. Each of these looks at the tags of what it is done to, and is granted for the environment's alone.
# `batch:UpdateComputeEnvironment` is not here: it takes any image of a machine, and with it the roles of the jobs that
# run there. A queue that is switched off starts nothing either.
_ACT = (
    "batch:UpdateJobQueue",
    "ec2:RebootInstances",
    "ec2:TerminateInstances",
    "eks:UpdateNodegroupConfig",
)
# By name, as a snapshot that is about to be made has no tags yet. `rds:ModifyDBInstance` is not here: with the size it
# also sets the master's password, how long backups are kept, who reaches the instance and whether it can be deleted,
# and it has no condition key that tells them apart.
_DATABASE = ("rds:CreateDBSnapshot", "rds:RebootDBInstance")
# Of the account: a job has the tags that were given to it when it was submitted, and its name is a number.
_JOBS = ("batch:CancelJob", "batch:TerminateJob")
# A stack's next operation runs with the role of the last one, which may do everything: what brings a template of its
# own, such as UpdateStack, is not here.
_STACKS = ("cloudformation:CancelUpdateStack", "cloudformation:ContinueUpdateRollback", "cloudformation:RollbackStack")

# What nobody does who is watched: rights for themselves or others, another role, blinding those who watch, moving
# things into the reach of the role by their tags, and destroying what cannot be made again. It is not allowed anywhere
# above; denied, it stays so when somebody attaches another policy.
_NEVER = (
    "account:*",
    "backup:Delete*",
    "backup:PutBackupVault*",
    "batch:TagResource",
    "cloudtrail:Delete*",
    "cloudtrail:Put*",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
    "cloudwatch:Delete*",
    "cloudwatch:DisableAlarmActions",
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:SetAlarmState",
    "ec2:CreateTags",
    "ec2:DeleteTags",
    "eks:*AccessEntry",
    "eks:*AccessPolicy",
    "eks:DeleteCluster",
    "eks:TagResource",
    "events:Delete*",
    "events:Disable*",
    "events:Put*",
    "events:Remove*",
    "iam:Add*",
    "iam:Attach*",
    "iam:Create*",
    "iam:Delete*",
    "iam:Detach*",
    "iam:PassRole",
    "iam:Put*",
    "iam:Remove*",
    "iam:Set*",
    "iam:Tag*",
    "iam:Untag*",
    "iam:Update*",
    "kms:CancelKeyDeletion",
    "kms:CreateGrant",
    "kms:DisableKey",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "logs:Delete*",
    "organizations:*",
    "rds:AddTagsToResource",
    "rds:Delete*",
    "rds:Modify*",
    "rds:StartExportTask",
    "s3:Delete*",
    "s3:PutBucket*",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "secretsmanager:CancelRotateSecret",
    "secretsmanager:Delete*",
    "secretsmanager:PutResourcePolicy",
    "secretsmanager:TagResource",
    "secretsmanager:UntagResource",
    "sns:Delete*",
    "sns:SetTopicAttributes",
    "sns:Unsubscribe",
    "sts:AssumeRole",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far the rights go.

    Attributes:
        partition: The partition of AWS, such as ``aws``.
        account: The account.
        region: The region.
        prefix: How the names of the environment's stacks begin, such as ``aerodrome-prod``.
        tag: Key and value of the tag that the environment's resources carry.
        log_groups: The log groups whose events may be read, as names with ``*`` in them.
        rotation: The name of the function that gives the environment's secrets new values.
    """

    partition: str
    account: str
    region: str
    prefix: str
    tag: tuple[str, str]
    log_groups: Sequence[str]
    rotation: str


def emergency_statements(reach: Reach) -> Sequence[iam.PolicyStatement]:
    """The statements of the role's policy.

    Args:
        reach: How far they go.
    """
    place = f"{reach.region}:{reach.account}"
    key, value = reach.tag
    here = {"aws:RequestedRegion": reach.region}
    own = {f"aws:ResourceTag/{key}": value, **here}
    return (
        allow(_LOOK),
        # These two know no resource.
        allow(["cloudtrail:LookupEvents", "logs:StopQuery"], conditions={"StringEquals": here}),
        allow(
            ["logs:FilterLogEvents", "logs:GetLogEvents", "logs:GetQueryResults", "logs:StartQuery"],
            [f"arn:{reach.partition}:logs:{place}:log-group:{group}:*" for group in reach.log_groups],
        ),
        allow(_ACT, conditions={"StringEquals": own}),
        # With the schedule and the function that the platform gave it. Who starts a rotation needs the right to invoke
        # the function as well (Secrets Manager, API reference, RotateSecret).
        allow(
            ["secretsmanager:RotateSecret"],
            conditions={"StringEquals": own, "BoolIfExists": {"secretsmanager:ModifyRotationRules": "false"}},
        ),
        allow(["lambda:InvokeFunction"], [f"arn:{reach.partition}:lambda:{place}:function:{reach.rotation}"]),
        allow(_DATABASE, [f"arn:{reach.partition}:rds:{place}:{kind}:{reach.prefix}-*" for kind in ("db", "snapshot")]),
        allow(_JOBS, [f"arn:{reach.partition}:batch:{place}:job/*"]),
        allow(_STACKS, [f"arn:{reach.partition}:cloudformation:{place}:stack/{reach.prefix}-*"]),
        iam.PolicyStatement(sid="Never", effect=iam.Effect.DENY, actions=list(_NEVER), resources=["*"]),
    )
