from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from tests.templates import TemplateJson, properties, resources, statements, with_id


@pytest.fixture
def keys(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Keys"]


def test_data_logs_secrets_and_cluster_have_a_key_each(keys: TemplateJson, environment: Environment) -> None:
    aliases = {alias["AliasName"] for alias in properties(keys, "AWS::KMS::Alias").values()}
    assert aliases == {f"alias/aerodrome-{environment.name}/{use}" for use in ("data", "logs", "secrets", "cluster")}
    assert len(resources(keys, "AWS::KMS::Key")) == 4


@pytest.mark.parametrize("name", ["Data", "Logs", "Secrets", "Cluster"])
def test_every_key_rotates_and_is_kept(keys: TemplateJson, name: str) -> None:
    (key,) = [value for key, value in resources(keys, "AWS::KMS::Key").items() if key.startswith(name)]
    assert key["Properties"]["EnableKeyRotation"] is True
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_every_alias_stands_for_the_key_of_its_name(keys: TemplateJson) -> None:
    for name in ("Data", "Logs", "Secrets", "Cluster"):
        alias = with_id(keys, "AWS::KMS::Alias", f"{name}Alias")
        assert alias["AliasName"].endswith(f"/{name.lower()}")
        assert alias["TargetKeyId"]["Fn::GetAtt"][0].startswith(name)


def test_the_right_to_logs_is_no_right_to_data_or_secrets(keys: TemplateJson, environment: Environment) -> None:
    account = f"arn:aws:iam::{environment.account}:root"
    others = {
        (one.owner[:-8], principal) for one in statements(keys) for principal in one.principals if principal != account
    }
    assert others == {("Logs", f"logs.{environment.region}.amazonaws.com")}
