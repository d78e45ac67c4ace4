"""Repositories for copies of what others publish."""

import json
import re
from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from constructs import Construct

# Enough to go back by, and an end to what piles up. The images of an index carry no tag: ECR keeps those as long as the
# index (https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html).
_VERSIONS = 10
_LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "description": "What an upload left behind that did not end",
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": 7,
                },
                "action": {"type": "expire"},
            },
            {
                "rulePriority": 2,
                "description": f"All but the newest {_VERSIONS} versions",
                "selection": {
                    "tagStatus": "tagged",
                    "tagPatternList": ["*"],
                    "countType": "imageCountMoreThan",
                    "countNumber": _VERSIONS,
                },
                "action": {"type": "expire"},
            },
        ]
    },
    separators=(",", ":"),
)


class MirrorRepositories(Construct):
    """A repository for each image or chart that is copied: a tag stays what it was, and each image is scanned.

    What is in them is public software. It is encrypted with the key that AWS keeps for ECR in the account, and stays
    when the stack goes: a node that starts meanwhile would find nothing to run.

    Args:
        scope: The scope.
        construct_id: The ID.
        names: The repositories' names.
    """

    def __init__(self, scope: Construct, construct_id: str, *, names: Iterable[str]) -> None:
        super().__init__(scope, construct_id)
        for name in names:
            repository = ecr.CfnRepository(
                self,
                _construct_id(name),
                repository_name=name,
                encryption_configuration=ecr.CfnRepository.EncryptionConfigurationProperty(encryption_type="KMS"),
                image_scanning_configuration=ecr.CfnRepository.ImageScanningConfigurationProperty(scan_on_push=True),
                image_tag_mutability="IMMUTABLE",
                lifecycle_policy=ecr.CfnRepository.LifecyclePolicyProperty(lifecycle_policy_text=_LIFECYCLE),
            )
            # Its name is chosen: one that stays after a deploy that failed would stand in the way of the next.
            repository.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)


def _construct_id(name: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in re.split("[^a-z0-9]+", name))
