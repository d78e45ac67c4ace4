"""The log groups of namespaces, deployed to the embedded AWS and read back; and a line through one of them."""

import time

import aws_cdk as cdk
import pytest

from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.environment import load_environment
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.kubernetes_logs_stack import KubernetesLogsStack, log_group_name, log_namespaces
from pytest_cdk.settings import Settings
from tests.local.account import Account
from tests.local.deployment import deployed


@pytest.fixture(scope="module")
def staging(embedded_aws: EmbeddedAws, cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The groups of an environment, and their key, in an account that no other test uses."""
    loaded = load_environment("staging", cdk_settings.root / "environments")
    environment = loaded.model_copy(update={"account": "666677778888"})

    def build(app: cdk.App, _variant: str) -> None:
        keys = KeysStack(app, "Keys", environment=environment).ports
        KubernetesLogsStack(app, "KubernetesLogs", environment=environment, log_key=keys.logs)

    return deployed(build, environment, embedded_aws, cdk_settings, tmp_path_factory)


def test_every_namespace_has_a_group_with_a_retention_and_the_key_of_logs(staging: Account) -> None:
    environment = staging.environment
    key = staging.client("kms").describe_key(KeyId="alias/aerodrome-staging/logs")["KeyMetadata"]["Arn"]
    prefix = log_group_name(environment, "")
    found = staging.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]

    assert {group["logGroupName"].removeprefix(prefix) for group in found} == {*log_namespaces(environment), "other"}
    for group in found:
        assert group["retentionInDays"] == environment.retention.logs.days
        assert group["kmsKeyId"] == key


def test_a_team_finds_its_own_by_its_tags(staging: Account) -> None:
    project, domain = staging.environment.project_domains[0]
    logs, name = staging.client("logs"), log_group_name(staging.environment, f"{project}-{domain}")
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    tags = logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]

    assert (tags["aerodrome:project"], tags["aerodrome:domain"]) == (project, domain)


def test_a_line_comes_back_as_it_was_written(staging: Account) -> None:
    logs, name = staging.client("logs"), log_group_name(staging.environment, "flyte")
    place = {"logGroupName": name, "logStreamName": "flyteadmin-7d9-x2x/flyteadmin"}
    logs.create_log_stream(**place)
    logs.put_log_events(**place, logEvents=[{"timestamp": int(time.time() * 1000), "message": "it stands"}])

    (event,) = logs.get_log_events(**place)["events"]

    assert event["message"] == "it stands"
