import pytest

from aerodrome_constructs.encryption import CustomerKey, CustomerKeyProps
from tests.templates import (
    ACCOUNT,
    REGION,
    Statement,
    TemplateJson,
    new_stack,
    only,
    resources,
    statements,
    synthesized,
)


def key_with(*, for_cloudwatch_logs: bool) -> TemplateJson:
    stack = new_stack()
    CustomerKey(
        stack,
        "Data",
        CustomerKeyProps(alias="ours/data", description="Data", for_cloudwatch_logs=for_cloudwatch_logs),
    )
    return synthesized(stack)


@pytest.fixture(scope="module")
def plain() -> TemplateJson:
    return key_with(for_cloudwatch_logs=False)


@pytest.fixture(scope="module")
def for_logs() -> TemplateJson:
    return key_with(for_cloudwatch_logs=True)


def of_services(template: TemplateJson) -> list[Statement]:
    """What the key's policy gives to others than the account itself."""
    account = f"arn:aws:iam::{ACCOUNT}:root"
    return [statement for statement in statements(template) if statement.principals != [account]]


def test_the_key_rotates(plain: TemplateJson) -> None:
    assert only(plain, "AWS::KMS::Key")["EnableKeyRotation"] is True


def test_the_key_survives_its_stack_and_its_replacement(plain: TemplateJson) -> None:
    (key,) = resources(plain, "AWS::KMS::Key").values()
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_key_is_found_by_its_alias(plain: TemplateJson) -> None:
    assert only(plain, "AWS::KMS::Alias")["AliasName"] == "alias/ours/data"


def test_nobody_but_the_account_may_use_the_key(plain: TemplateJson) -> None:
    assert statements(plain)
    assert of_services(plain) == []


def test_cloudwatch_logs_may_use_a_key_that_is_lent_to_it(for_logs: TemplateJson) -> None:
    (lent,) = of_services(for_logs)
    assert lent.principals == [f"logs.{REGION}.amazonaws.com"]
    assert {"kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"} == set(
        lent.actions
    )


def test_cloudwatch_logs_may_use_it_for_log_groups_of_this_account_only(for_logs: TemplateJson) -> None:
    (lent,) = of_services(for_logs)
    assert lent.conditions == {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:*"}}


def test_there_are_thirty_days_to_notice_that_the_key_is_about_to_go(plain: TemplateJson) -> None:
    assert only(plain, "AWS::KMS::Key")["PendingWindowInDays"] == 30
