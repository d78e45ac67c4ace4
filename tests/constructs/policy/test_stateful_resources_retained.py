import pytest

from aerodrome_constructs.policy.stateful_resources_retained import RULE
from aerodrome_constructs.policy.stateful_types import STATEFUL_TYPES
from pytest_cdk.stateful import STATEFUL_TYPES as SNAPSHOT_TYPES
from tests.constructs.policy.findings import findings, resource

BUCKET = resource("AWS::S3::Bucket")


@pytest.mark.parametrize("deletion", ["Retain", "RetainExceptOnCreate"])
def test_a_bucket_that_stays_is_right(deletion: str) -> None:
    assert findings(RULE, Data={**BUCKET, "DeletionPolicy": deletion, "UpdateReplacePolicy": "Retain"}) == []


def test_a_bucket_without_policies_goes_with_its_stack() -> None:
    assert findings(RULE, Data=BUCKET) == [
        "Data DeletionPolicy: DeletionPolicy is not set, which deletes; allowed: Retain, RetainExceptOnCreate",
        "Data UpdateReplacePolicy: UpdateReplacePolicy is not set, which deletes; allowed: Retain",
    ]


@pytest.mark.parametrize("policy", ["Delete", "Snapshot"])
def test_a_key_that_is_replaced_takes_what_it_encrypts_along(policy: str) -> None:
    key = {**resource("AWS::KMS::Key"), "DeletionPolicy": "Retain", "UpdateReplacePolicy": policy}
    assert findings(RULE, Key=key) == [f"Key UpdateReplacePolicy: UpdateReplacePolicy is {policy}; allowed: Retain"]


def test_what_can_be_made_again_may_go() -> None:
    assert findings(RULE, Role=resource("AWS::IAM::Role"), Queue=resource("AWS::SQS::Queue")) == []


def test_the_snapshots_list_the_same_types_and_queues() -> None:
    assert {"AWS::SQS::Queue"} == SNAPSHOT_TYPES - STATEFUL_TYPES
    assert STATEFUL_TYPES <= SNAPSHOT_TYPES
