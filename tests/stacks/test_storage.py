from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment
from pytest_cdk.stateful import STATEFUL_TYPES
from tests.constructs.storage.requests import ALGORITHM, HTTPS, PLAIN_HTTP, refused
from tests.templates import TemplateJson, plain, resources, statements, text, with_id

DATA = ["Metadata", "RawData", "MlflowArtifacts", "BatchInput", "BatchOutput"]
MOST_RULES = 1000  # that S3 takes for a bucket

# Buckets that AWS's own services write to, with S3's own key, and why.
WITHOUT_OUR_KEY = {
    "AccessLogs": "S3 delivers access logs under its own key only",
    "ExportBucket": "Data Exports documents no key policy with which it could write under ours",
}


@pytest.fixture
def storage(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Storage"]


def rules(storage: TemplateJson, bucket: str) -> dict[str, Mapping[str, Any]]:
    """The lifecycle rules of a bucket by prefix, the general ones that expire objects under ``""``."""
    every = with_id(storage, "AWS::S3::Bucket", bucket)["LifecycleConfiguration"]["Rules"]
    assert len(every) <= MOST_RULES
    assert all(rule["Status"] == "Enabled" for rule in every)
    return {rule.get("Prefix", ""): rule for rule in every if rule["Id"].startswith("expire")}


def lifetime(storage: TemplateJson, bucket: str, key: str = "some/object") -> int | None:
    """How many days an object is kept: of the rules that fit it, S3 takes the one with the shortest period."""
    return min(
        (
            rule["ExpirationInDays"]
            for prefix, rule in rules(storage, bucket).items()
            if key.startswith(prefix)
            if "ExpirationInDays" in rule
        ),
        default=None,
    )


def test_there_is_a_bucket_for_each_use(storage: TemplateJson) -> None:
    assert {key[:-8] for key in resources(storage, "AWS::S3::Bucket")} == {*DATA, "AccessLogs"}


def test_names_are_left_to_cloudformation(storage: TemplateJson) -> None:
    # Bucket names are unique in the world: somebody may have ours.
    assert all("BucketName" not in bucket["Properties"] for bucket in resources(storage, "AWS::S3::Bucket").values())


@pytest.mark.parametrize("bucket", DATA)
def test_data_is_encrypted_with_the_key_for_data(storage: TemplateJson, bucket: str) -> None:
    (rule,) = with_id(storage, "AWS::S3::Bucket", bucket)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert "keys:ExportsOutputFnGetAttData" in text(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"])


def test_what_tasks_hand_to_each_other_goes_when_decided_for_the_domain(
    storage: TemplateJson, environment: Environment
) -> None:
    for project in environment.projects:
        for domain in project.domains:
            key = f"{project.name}/{domain}/ab/f12/0/out.parquet"
            assert lifetime(storage, "RawData", key) == environment.retention.raw_data[domain].days


def test_every_project_and_domain_has_a_rule(storage: TemplateJson, environment: Environment) -> None:
    prefixes = {f"{project.name}/{domain}/" for project in environment.projects for domain in project.domains}
    assert prefixes
    assert set(rules(storage, "RawData")) == {"", *prefixes}


def test_what_lies_outside_the_projects_prefixes_goes_last(storage: TemplateJson, environment: Environment) -> None:
    longest = max(environment.retention.raw_data.values()).days
    assert lifetime(storage, "RawData", "zz/left-by-an-older-flyte") == longest


def test_access_logs_go_when_logs_do(storage: TemplateJson, environment: Environment) -> None:
    assert lifetime(storage, "AccessLogs") == environment.retention.logs.days


@pytest.mark.parametrize("bucket", ["Metadata", "MlflowArtifacts", "BatchInput", "BatchOutput"])
def test_what_somebody_may_still_want_is_kept(storage: TemplateJson, bucket: str) -> None:
    assert lifetime(storage, bucket) is None


def test_what_is_large_kept_and_seldom_read_gets_cheaper(storage: TemplateJson) -> None:
    tiered = [
        bucket
        for bucket in [*DATA, "AccessLogs"]
        if rules(storage, bucket)[""].get("Transitions")
        == [{"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 0}]
    ]
    assert tiered == ["MlflowArtifacts", "BatchInput", "BatchOutput"]


def test_eventbridge_hears_of_all_data(storage: TemplateJson) -> None:
    # AWS Backup for S3 is told of changes that way, whatever else listens.
    told = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert [
        bucket for bucket in DATA if with_id(storage, "AWS::S3::Bucket", bucket)["NotificationConfiguration"] != told
    ] == []


def test_a_list_of_all_data_is_taken_every_week(storage: TemplateJson) -> None:
    for bucket in DATA:
        (inventory,) = with_id(storage, "AWS::S3::Bucket", bucket)["InventoryConfigurations"]
        assert inventory["ScheduleFrequency"] == "Weekly", bucket
        assert text(inventory["Destination"]["BucketArn"]).startswith("${AccessLogs"), bucket


class TestPeersTraps:
    """What other platforms ship: buckets that a destroy empties, without a key, without versions (rows 9 to 11)."""

    @pytest.fixture
    def everything(self, stacks: Mapping[str, TemplateJson]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        return (
            (f"{stack}/{key}", resource)
            for stack, template in stacks.items()
            for key, resource in template["Resources"].items()
        )

    def test_nothing_empties_a_bucket_before_it_is_deleted(
        self, everything: Iterator[tuple[str, Mapping[str, Any]]]
    ) -> None:
        types = dict(everything)
        assert any(one["Type"] == "AWS::S3::Bucket" for one in types.values())
        assert [
            key
            for key, one in types.items()
            if one["Type"] == "Custom::S3AutoDeleteObjects" or "aws-cdk:auto-delete" in text(one)
        ] == []

    def test_no_bucket_key_database_or_vault_is_deleted_with_its_stack(
        self, everything: Iterator[tuple[str, Mapping[str, Any]]]
    ) -> None:
        # Log groups and secrets have a reviewed list in test_platform.py.
        kept = STATEFUL_TYPES - {"AWS::Logs::LogGroup", "AWS::SecretsManager::Secret", "AWS::SQS::Queue"}
        holding = {key: one for key, one in everything if one["Type"] in kept}
        assert len(holding) > 10
        assert [
            key
            for key, one in holding.items()
            if one.get("DeletionPolicy") not in {"Retain", "RetainExceptOnCreate", "Snapshot"}
            or one.get("UpdateReplacePolicy") not in {"Retain", "Snapshot"}
        ] == []

    def test_a_database_is_protected_and_leaves_its_backups_behind(
        self, everything: Iterator[tuple[str, Mapping[str, Any]]]
    ) -> None:
        databases = [one["Properties"] for _, one in everything if one["Type"] == "AWS::RDS::DBInstance"]
        assert databases
        assert all(database["DeletionProtection"] is True for database in databases)
        assert all(database["DeleteAutomatedBackups"] is False for database in databases)
        assert all(database["BackupRetentionPeriod"] >= 1 for database in databases)

    def test_every_bucket_has_our_key_and_versions(self, everything: Iterator[tuple[str, Mapping[str, Any]]]) -> None:
        buckets = {key: one["Properties"] for key, one in everything if one["Type"] == "AWS::S3::Bucket"}
        assert len(buckets) > len(DATA)
        assert [key for key, one in buckets.items() if one["VersioningConfiguration"] != {"Status": "Enabled"}] == []
        defaults = {
            key: one["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"]
            for key, one in buckets.items()
        }
        own_key = [key for key, default in defaults.items() if "KMSMasterKeyID" not in default]
        assert {key.partition("/")[2][:-8] for key in own_key} == set(WITHOUT_OUR_KEY)
        assert all(default["SSEAlgorithm"] == "aws:kms" for key, default in defaults.items() if key not in own_key)

    @pytest.mark.parametrize("bucket", DATA)
    def test_a_bucket_takes_nothing_in_plain_text_or_without_our_key(self, storage: TemplateJson, bucket: str) -> None:
        policy = [plain(one.document) for one in statements(storage, f"{bucket}Policy")]
        assert refused(policy, "s3:PutObject", PLAIN_HTTP)
        assert refused(policy, "s3:PutObject", {**HTTPS, ALGORITHM: "AES256"})
        assert not refused(policy, "s3:PutObject", HTTPS)
