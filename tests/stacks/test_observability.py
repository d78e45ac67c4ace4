"""Metrics and alerts in AWS: the heartbeat, Grafana's secrets, and the rights of who measures and tells."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment
from pytest_cdk import AssemblyFactory
from tests.iam.account import Account
from tests.iam.evaluator import allowed_actions
from tests.templates import TemplateJson, only, properties, text, with_id


@pytest.fixture
def observability(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Observability"]


def test_silence_is_told_of(
    observability: TemplateJson, stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    alarm = only(observability, "AWS::CloudWatch::Alarm")
    heartbeat = with_id(stacks["Alerts"], "AWS::SNS::Topic", "Heartbeat")

    assert alarm["Dimensions"] == [{"Name": "TopicName", "Value": heartbeat["TopicName"]}]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SNS", "NumberOfMessagesPublished")
    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["Statistic"]) == ("LessThanThreshold", 1, "Sum")
    # No message is no data.
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["AlarmName"] == f"aerodrome-{environment.name}-prometheus-silent"
    # One that does not come in time is no silence yet.
    assert alarm["Period"] * alarm["EvaluationPeriods"] >= 3 * 300


def test_nobody_listens_to_the_heartbeat(stacks: Mapping[str, TemplateJson]) -> None:
    subscriptions = properties(stacks["Alerts"], "AWS::SNS::Subscription").values()

    assert [one for one in subscriptions if "Heartbeat" in text(one["TopicArn"])] == []


def test_grafanas_secrets_are_made_and_encrypted_with_our_key(
    observability: TemplateJson, environment: Environment
) -> None:
    secrets = properties(observability, "AWS::SecretsManager::Secret").values()

    assert {one["Name"] for one in secrets} == {
        f"aerodrome/{environment.name}/grafana/admin",
        f"aerodrome/{environment.name}/grafana/secret-key",
    }
    for secret in secrets:
        assert "Secrets" in text(secret["KmsKeyId"])
        assert secret["GenerateSecretString"]["PasswordLength"] == 32


def test_logs_have_a_place_and_addons_stand_before_anything_is_installed(
    cdk_assembly: AssemblyFactory, cdk_variant: str
) -> None:
    manifest = json.loads((cdk_assembly(cdk_variant).directory / "manifest.json").read_text(encoding="utf-8"))
    assert {"Addons", "KubernetesLogs"} <= set(manifest["artifacts"]["Observability"]["dependencies"])


def test_every_queue_that_is_asked_about_is_made(account: Account, environment: Environment) -> None:
    made = {one.properties["QueueName"] for one in account.of_type("AWS::SQS::Queue") if "QueueName" in one.properties}
    asked = {
        dimension["value"]
        for job in exporter(account)["static"]
        for dimension in job["dimensions"]
        if job["namespace"] == "AWS/SQS"
    }
    # Karpenter's has the name that CloudFormation makes.
    (made_up,) = [name for name in asked if not name.startswith(f"aerodrome-{environment.name}-")]

    assert "interruptions" in made_up
    assert asked - made == {made_up}
    # Whoever waits in vain, and for whom nobody looks.
    assert {name for name in made if name.endswith(("-dead-letters", "-uncounted", "-unhandled"))} <= asked


def test_the_database_that_is_asked_about_is_made(account: Account) -> None:
    (database,) = account.of_type("AWS::RDS::DBInstance")
    asked = [job["dimensions"] for job in exporter(account)["static"] if job["namespace"] == "AWS/RDS"]

    assert asked == [[{"name": "DBInstanceIdentifier", "value": database.properties["DBInstanceIdentifier"]}]]


def exporter(account: Account) -> Any:  # noqa: ANN401 - any JSON value
    """The values of the exporter's release, with every reference resolved."""
    (release,) = [
        one
        for one in account.of_type("Custom::AWSCDK-EKS-HelmChart")
        if one.properties["Release"] == "aerodrome-cloudwatch-exporter"
    ]
    return json.loads(release.properties["Values"])


def test_alertmanager_publishes_to_the_two_topics_with_their_key_and_does_nothing_else(
    account: Account, environment: Environment
) -> None:
    role = account.role("Identity", "Alertmanager")
    topics = [one.arn for one in account.of_type("AWS::SNS::Topic") if one.stack == "Alerts"]
    key = account.one("Keys", "AWS::KMS::Key", "Alerts").arn
    through_sns = {"kms:ViaService": f"sns.{environment.region}.amazonaws.com"}

    assert len(topics) == 2
    assert all(account.can(role, "sns:Publish", topic) for topic in topics)
    assert account.can(role, "kms:GenerateDataKey", key, through_sns)
    assert not account.can(role, "kms:GenerateDataKey", key)
    assert set(allowed_actions(role.policies)) == {"sns:Publish", "kms:Decrypt", "kms:GenerateDataKey"}


@pytest.mark.parametrize("topic", ["flyte-events", "another"])
def test_alertmanager_publishes_nowhere_else(account: Account, environment: Environment, topic: str) -> None:
    arn = f"arn:aws:sns:{environment.region}:{environment.account}:aerodrome-{environment.name}-{topic}"

    assert not account.can(account.role("Identity", "Alertmanager"), "sns:Publish", arn)


def test_the_exporter_reads_metrics_and_nothing_else(account: Account) -> None:
    assert set(allowed_actions(account.role("Identity", "CloudWatchExporter").policies)) == {
        "cloudwatch:GetMetricData",
        "cloudwatch:GetMetricStatistics",
        "cloudwatch:ListMetrics",
    }


@pytest.mark.cdk_variants("prod")
def test_prometheus_writes_to_the_workspace_that_the_environment_names(
    account: Account, environment: Environment
) -> None:
    role, here = account.role("Identity", "Prometheus"), f"{environment.region}:{environment.account}"
    url = environment.monitoring.remote_write
    assert url

    (workspace,) = [part for part in url.split("/") if part.startswith("ws-")]
    assert account.can(role, "aps:RemoteWrite", f"arn:aws:aps:{here}:workspace/{workspace}")
    assert not account.can(role, "aps:RemoteWrite", f"arn:aws:aps:{here}:workspace/ws-another")
    assert set(allowed_actions(role.policies)) == {"aps:RemoteWrite"}


@pytest.mark.cdk_variants("dev")
def test_prometheus_has_no_role_where_it_writes_nowhere(account: Account) -> None:
    assert [one for one in account.of_type("AWS::IAM::Role") if one.logical_id.startswith("Prometheus")] == []
