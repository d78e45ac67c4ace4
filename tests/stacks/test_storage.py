from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from tests.templates import TemplateJson, resources, text, with_id

DATA = ["Metadata", "RawData", "MlflowArtifacts", "BatchInput", "BatchOutput"]


@pytest.fixture
def storage(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Storage"]


def lifetime(storage: TemplateJson, bucket: str) -> int | None:
    """How many days objects are kept."""
    (rule,) = with_id(storage, "AWS::S3::Bucket", bucket)["LifecycleConfiguration"]["Rules"]
    days: int | None = rule.get("ExpirationInDays")
    return days


def test_there_is_a_bucket_for_each_use(storage: TemplateJson) -> None:
    assert {key[:-8] for key in resources(storage, "AWS::S3::Bucket")} == {*DATA, "AccessLogs"}


def test_names_are_left_to_cloudformation(storage: TemplateJson) -> None:
    # Bucket names are unique in the world: somebody may have ours.
    assert all("BucketName" not in bucket["Properties"] for bucket in resources(storage, "AWS::S3::Bucket").values())


@pytest.mark.parametrize("bucket", DATA)
def test_data_is_encrypted_with_the_key_for_data(storage: TemplateJson, bucket: str) -> None:
    (rule,) = with_id(storage, "AWS::S3::Bucket", bucket)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert "keys:ExportsOutputFnGetAttData" in text(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"])


def test_what_tasks_hand_to_each_other_goes_when_decided(storage: TemplateJson, environment: Environment) -> None:
    assert lifetime(storage, "RawData") == environment.retention.raw_data.days


def test_access_logs_go_when_logs_do(storage: TemplateJson, environment: Environment) -> None:
    assert lifetime(storage, "AccessLogs") == environment.retention.logs.days


@pytest.mark.parametrize("bucket", ["Metadata", "MlflowArtifacts", "BatchInput", "BatchOutput"])
def test_what_somebody_may_still_want_is_kept(storage: TemplateJson, bucket: str) -> None:
    assert lifetime(storage, bucket) is None


def test_eventbridge_hears_of_batch_input_and_of_nothing_else(storage: TemplateJson) -> None:
    told = [bucket for bucket in DATA if "NotificationConfiguration" in with_id(storage, "AWS::S3::Bucket", bucket)]
    assert told == ["BatchInput"]
