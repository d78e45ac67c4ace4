from collections.abc import Mapping
from dataclasses import fields

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.keys_stack import KeysPorts
from tests.templates import TemplateJson, properties, resources, statements, text

CONCERNS = [field.name for field in fields(KeysPorts)]


@pytest.fixture
def keys(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Keys"]


def test_every_concern_has_a_key_of_its_own(keys: TemplateJson, environment: Environment) -> None:
    assert {"data", "logs", "secrets", "cluster", "backup"} <= set(CONCERNS)
    key_of = {
        alias["AliasName"]: alias["TargetKeyId"]["Fn::GetAtt"][0]
        for alias in properties(keys, "AWS::KMS::Alias").values()
    }
    assert set(key_of) == {f"alias/aerodrome-{environment.name}/{concern}" for concern in CONCERNS}
    assert len(set(key_of.values())) == len(CONCERNS), "two concerns share a key"
    assert set(key_of.values()) == set(resources(keys, "AWS::KMS::Key"))


def test_every_alias_stands_for_the_key_of_its_name(keys: TemplateJson) -> None:
    for alias in properties(keys, "AWS::KMS::Alias").values():
        assert alias["TargetKeyId"]["Fn::GetAtt"][0][:-8].lower() == alias["AliasName"].rpartition("/")[2]


def test_every_key_rotates_and_is_kept(keys: TemplateJson) -> None:
    for name, key in resources(keys, "AWS::KMS::Key").items():
        assert key["Properties"]["EnableKeyRotation"] is True, name
        assert key["Properties"]["PendingWindowInDays"] == 30, name
        assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("Retain", "Retain"), name


def test_the_right_to_logs_is_no_right_to_data_secrets_or_backups(keys: TemplateJson, environment: Environment) -> None:
    account = f"arn:aws:iam::{environment.account}:root"
    of_services = {
        (one.owner[:-8], principal)
        for one in statements(keys)
        if one.allows
        for principal in one.principals
        if principal != account and one.owner[:-8] in {"Data", "Logs", "Secrets", "Cluster", "Backup"}
    }
    assert of_services == {("Logs", f"logs.{environment.region}.amazonaws.com")}


def test_a_service_uses_a_key_for_this_account_only(keys: TemplateJson, environment: Environment) -> None:
    # A service acts for everybody: without such a condition it would use our key for another account, too, the
    # "confused deputy" (https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html).
    of_services = [one for one in statements(keys) if any(".amazonaws.com" in who for who in one.principals)]
    assert of_services
    for one in of_services:
        assert environment.account in text(one.conditions), one.owner
