"""Every resource says whose it is: costs, backups and access by tag rely on it."""

from collections.abc import Iterator, Mapping
from typing import Final

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Json, Resource, Stacks

MANDATORY_TAGS: Final = ("aerodrome:environment", "aerodrome:stack")
"""What every resource that takes tags carries."""

UNTAGGABLE: Final = frozenset(
    {
        "AWS::Backup::BackupSelection",
        "AWS::Cognito::UserPoolClient",
        "AWS::Cognito::UserPoolDomain",
        "AWS::Cognito::UserPoolGroup",
        "AWS::Cognito::UserPoolResourceServer",
        "AWS::EC2::Route",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPCCidrBlock",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ECR::PullThroughCacheRule",
        "AWS::EFS::MountTarget",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::KMS::Alias",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Logs::MetricFilter",
        "AWS::Route53::RecordSet",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SecretsManager::ResourcePolicy",
        "AWS::SecretsManager::RotationSchedule",
        "AWS::SecretsManager::SecretTargetAttachment",
        "AWS::WAFv2::LoggingConfiguration",
    }
)
"""Types that take no tags in CloudFormation. Any other, a new one too, has to carry them."""

# Properties that hold the tags where they are not called Tags.
_TAG_PROPERTIES: Final = {
    "AWS::Backup::BackupPlan": "BackupPlanTags",
    "AWS::Backup::BackupVault": "BackupVaultTags",
    "AWS::Budgets::Budget": "ResourceTags",
    "AWS::CE::AnomalyMonitor": "ResourceTags",
    "AWS::CE::AnomalySubscription": "ResourceTags",
    "AWS::Cognito::UserPool": "UserPoolTags",
    "AWS::EC2::LaunchTemplate": "TagSpecifications",
    "AWS::EFS::AccessPoint": "AccessPointTags",
    "AWS::EFS::FileSystem": "FileSystemTags",
    "AWS::Route53::HostedZone": "HostedZoneTags",
}


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for resource in stack.resources:
            if resource.type in UNTAGGABLE or resource.type.startswith(("Custom::", "AWS::CDK::")):
                continue
            missing = [tag for tag in MANDATORY_TAGS if tag not in _tags(resource)]
            if missing:
                name = _TAG_PROPERTIES.get(resource.type, "Tags")
                yield found(resource, f"{resource.type} without {' and '.join(missing)}", name)


def _tags(resource: Resource) -> set[str]:
    tags: Json = resource.properties.get(_TAG_PROPERTIES.get(resource.type, "Tags"), [])
    if isinstance(tags, Mapping):
        return set(tags)
    # What a launch template tags is listed by kind, each with tags of its own.
    pairs = [pair for one in tags for pair in one.get("Tags", [one])]
    return {pair["Key"] for pair in pairs if "Key" in pair}


RULE = Rule(
    name="mandatory-tags",
    asks=f"Every resource that takes tags carries {' and '.join(MANDATORY_TAGS)}.",
    mend="make it in a stack of the platform, which tags what is in it, or set the tags on a raw CfnResource; a type "
    "that takes no tags belongs into UNTAGGABLE",
    check=_check,
)
