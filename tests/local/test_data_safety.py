"""Keys, buckets, vaults and backups of prod on the embedded AWS: what AWS would have been told, read back."""

import json

import pytest

from tests.constructs.storage.requests import (
    ALGORITHM,
    CUSTOMER_ALGORITHM,
    HTTPS,
    KEY,
    OLD_TLS,
    PLAIN_HTTP,
    refused,
)
from tests.local.account import Account

DATA = ("Metadata", "RawData", "MlflowArtifacts", "BatchInput", "BatchOutput")


def test_every_key_rotates(prod: Account) -> None:
    kms = prod.client("kms")
    aliases = [
        alias for alias in kms.list_aliases()["Aliases"] if alias["AliasName"].startswith("alias/aerodrome-prod/")
    ]
    assert len(aliases) >= 6
    assert len({alias["TargetKeyId"] for alias in aliases}) == len(aliases)
    assert all(kms.get_key_rotation_status(KeyId=alias["TargetKeyId"])["KeyRotationEnabled"] for alias in aliases)


@pytest.mark.parametrize("name", [*DATA, "AccessLogs"])
def test_a_bucket_is_private_versioned_and_refuses_plain_text(prod: Account, name: str) -> None:
    s3, bucket = prod.client("s3"), prod.bucket(name)
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (ownership,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}
    policy = prod.policy(name)
    for request in (PLAIN_HTTP, OLD_TLS):
        assert refused(policy, "s3:GetObject", request)
        assert refused(policy, "s3:PutObject", request)
    assert not refused(policy, "s3:GetObject", HTTPS)


@pytest.mark.parametrize("name", DATA)
def test_an_object_is_encrypted_with_the_key_for_data_or_not_written(prod: Account, name: str) -> None:
    s3, bucket = prod.client("s3"), prod.bucket(name)
    ours = prod.client("kms").describe_key(KeyId="alias/aerodrome-prod/data")["KeyMetadata"]["Arn"]
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": ours}
    assert rule["BucketKeyEnabled"] is True
    policy = prod.policy(name)
    theirs = "arn:aws:kms:us-east-1:999988887777:key/theirs"
    for wish in ({ALGORITHM: "AES256"}, {ALGORITHM: "aws:kms"}, {KEY: theirs}, {CUSTOMER_ALGORITHM: "AES256"}):
        assert refused(policy, "s3:PutObject", {**HTTPS, **wish}), wish
    assert not refused(policy, "s3:PutObject", HTTPS)
    assert not refused(policy, "s3:PutObject", {**HTTPS, ALGORITHM: "aws:kms", KEY: ours})


def test_raw_data_expires_by_domain(prod: Account) -> None:
    rules = prod.client("s3").get_bucket_lifecycle_configuration(Bucket=prod.bucket("RawData"))["Rules"]
    days = {
        rule["Filter"]["Prefix"]: rule["Expiration"]["Days"] for rule in rules if "Days" in rule.get("Expiration", {})
    }
    assert days == {
        "": max(prod.environment.retention.raw_data.values()).days,
        **{
            f"{project.name}/{domain}/": prod.environment.retention.raw_data[domain].days
            for project in prod.environment.projects
            for domain in project.domains
        },
    }


@pytest.mark.parametrize("name", DATA)
def test_what_is_there_is_listed_every_week_and_told_at_once(prod: Account, name: str) -> None:
    s3, bucket = prod.client("s3"), prod.bucket(name)
    (inventory,) = s3.list_bucket_inventory_configurations(Bucket=bucket)["InventoryConfigurationList"]
    assert (inventory["IsEnabled"], inventory["Schedule"]) == (True, {"Frequency": "Weekly"})
    logs = prod.bucket("AccessLogs")
    assert inventory["Destination"]["S3BucketDestination"]["Bucket"] == f"arn:aws:s3:::{logs}"
    (delivery,) = [one for one in prod.policy("AccessLogs") if one.get("Sid") == f"Inventory{name}"]
    assert delivery["Condition"]["ArnLike"] == {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}
    assert delivery["Resource"] == f"arn:aws:s3:::{logs}/inventory/{bucket}/*"
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_an_object_that_was_deleted_comes_back(prod: Account) -> None:
    # The steps of docs/how-to/restore-from-a-backup.md.
    s3, bucket = prod.client("s3"), prod.bucket("MlflowArtifacts")
    s3.put_object(Bucket=bucket, Key="1/model.bin", Body=b"weights")
    s3.delete_object(Bucket=bucket, Key="1/model.bin")
    (marker,) = s3.list_object_versions(Bucket=bucket, Prefix="1/model.bin")["DeleteMarkers"]
    assert marker["IsLatest"] is True
    s3.delete_object(Bucket=bucket, Key="1/model.bin", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="1/model.bin")["Body"].read() == b"weights"


@pytest.mark.parametrize("far", [False, True], ids=["first region", "second region"])
def test_both_vaults_are_locked_and_have_a_key_of_their_own(prod: Account, far: bool) -> None:  # noqa: FBT001 - pytest passes parameters by name
    region = prod.environment.backup.copy_region if far else prod.environment.region
    vault = prod.client("backup", region).describe_backup_vault(BackupVaultName="aerodrome-prod-backups")
    assert vault["Locked"] is True
    assert vault["MinRetentionDays"] == prod.environment.backup.keep.days
    assert ("LockDate" in vault) == (prod.environment.backup.lock == "compliance")
    alias = "alias/aerodrome-prod/backup-copy" if far else "alias/aerodrome-prod/backup"
    assert vault["EncryptionKeyArn"] == prod.client("kms", region).describe_key(KeyId=alias)["KeyMetadata"]["Arn"]
    policy = prod.client("backup", region).get_backup_vault_access_policy(BackupVaultName="aerodrome-prod-backups")
    (refusal,) = json.loads(policy["Policy"])["Statement"]
    assert (refusal["Effect"], refusal["Principal"]) == ("Deny", {"AWS": "*"})
    assert "backup:DeleteRecoveryPoint" in refusal["Action"]


def test_the_plan_puts_backups_into_the_vault_and_copies_them_to_the_other(prod: Account) -> None:
    backup = prod.client("backup")
    (plan,) = backup.list_backup_plans()["BackupPlansList"]
    (rule,) = backup.get_backup_plan(BackupPlanId=plan["BackupPlanId"])["BackupPlan"]["Rules"]
    keep = {"DeleteAfterDays": prod.environment.backup.keep.days}
    assert (rule["TargetBackupVaultName"], rule["Lifecycle"]) == ("aerodrome-prod-backups", keep)
    (copy,) = rule["CopyActions"]
    far = prod.client("backup", prod.environment.backup.copy_region)
    vault = far.describe_backup_vault(BackupVaultName="aerodrome-prod-backups")
    assert (copy["DestinationBackupVaultArn"], copy["Lifecycle"]) == (vault["BackupVaultArn"], keep)


def test_the_database_and_the_buckets_are_selected_with_the_role_that_may_read_them(prod: Account) -> None:
    backup = prod.client("backup")
    (plan,) = backup.list_backup_plans()["BackupPlansList"]
    selections = [
        backup.get_backup_selection(BackupPlanId=plan["BackupPlanId"], SelectionId=one["SelectionId"])[
            "BackupSelection"
        ]
        for one in backup.list_backup_selections(BackupPlanId=plan["BackupPlanId"])["BackupSelectionsList"]
    ]
    # The other one is that of the files (test_file_systems.py).
    (chosen,) = [one for one in selections if not any(":elasticfilesystem:" in arn for arn in one["Resources"])]
    (database,) = prod.client("rds").describe_db_instances()["DBInstances"]
    assert set(chosen["Resources"]) == {
        database["DBInstanceArn"],
        *(f"arn:aws:s3:::{prod.bucket(name)}" for name in ("Metadata", "MlflowArtifacts", "BatchOutput")),
    }
    role = prod.resource("backup", "AWS::IAM::Role", "Role")
    assert chosen["IamRoleArn"] == f"arn:aws:iam::{prod.environment.account}:role/{role}"
    iam = prod.client("iam")
    (attached,) = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"]
    reads = [one for one in document["Statement"] if "s3:GetObjectVersion" in one["Action"]]
    assert [set(one["Resource"]) for one in reads] == [
        {f"arn:aws:s3:::{prod.bucket(name)}/*" for name in ("Metadata", "MlflowArtifacts", "BatchOutput")}
    ]


def test_people_are_told_of_what_failed(prod: Account) -> None:
    events = prod.client("events")
    rules = [rule for rule in events.list_rules()["Rules"] if "aws.backup" in rule.get("EventPattern", "")]
    assert {json.loads(rule["EventPattern"])["detail-type"][0] for rule in rules} == {
        "Backup Job State Change",
        "Copy Job State Change",
    }
    targets = {target["Arn"] for rule in rules for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]}
    told = prod.client("backup").get_backup_vault_notifications(BackupVaultName="aerodrome-prod-backups")
    assert targets == {told["SNSTopicArn"]}
    assert told["BackupVaultEvents"] == ["S3_BACKUP_OBJECT_FAILED"]
