from collections.abc import Mapping
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from aerodrome_constructs.policy.mandatory_tags import RULE, UNTAGGABLE
from tests.constructs.policy.findings import findings, resource

MAPPING = {"aerodrome:environment": "dev", "aerodrome:stack": "Batch"}
PAIRS = [{"Key": key, "Value": value} for key, value in MAPPING.items()]


@pytest.mark.parametrize(
    "tagged",
    [
        resource("AWS::S3::Bucket", Tags=PAIRS),
        resource("AWS::Batch::JobQueue", Tags=MAPPING),
        resource("AWS::Backup::BackupVault", BackupVaultTags=MAPPING),
        resource("AWS::Budgets::Budget", ResourceTags=PAIRS),
        resource("AWS::EFS::AccessPoint", AccessPointTags=PAIRS),
        resource("AWS::EC2::LaunchTemplate", TagSpecifications=[{"ResourceType": "launch-template", "Tags": PAIRS}]),
    ],
    ids=lambda tagged: tagged["Type"],
)
def test_both_tags_are_found_wherever_a_service_keeps_them(tagged: Mapping[str, Any]) -> None:
    assert findings(RULE, Thing=tagged) == []


def test_a_resource_without_tags_is_found() -> None:
    assert findings(RULE, Data=resource("AWS::S3::Bucket")) == [
        "Data Properties.Tags: AWS::S3::Bucket without aerodrome:environment and aerodrome:stack"
    ]


def test_one_tag_is_not_enough() -> None:
    assert findings(
        RULE, Vault=resource("AWS::Backup::BackupVault", BackupVaultTags={"aerodrome:stack": "Backup"})
    ) == ["Vault Properties.BackupVaultTags: AWS::Backup::BackupVault without aerodrome:environment"]


def test_what_takes_no_tags_needs_none() -> None:
    custom, metadata = resource("Custom::AerodromeDatabases"), resource("AWS::CDK::Metadata")
    assert findings(RULE, Policy=resource("AWS::IAM::Policy"), Databases=custom, CDKMetadata=metadata) == []


@pytest.mark.parametrize("resource_type", sorted(UNTAGGABLE))
def test_the_types_listed_as_taking_no_tags_take_none(resource_type: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    assert not schema.get("tagging", {}).get("taggable", schema.get("taggable", False))
    assert "Tags" not in schema["properties"]
