"""Who is told of what in prod: deployed to the embedded AWS, read back, and the role taken in an emergency."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_local.cloudformation import StackResult, make_client
from aerodrome_local.deploy import deploy_assembly
from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.environment import Environment, load_environment
from pytest_cdk.settings import Settings
from pytest_cdk.synth import load_app_function, synthesize
from tests.templates import ROOT

STACKS = ["aerodrome-prod-alarms", "aerodrome-prod-costs", "aerodrome-prod-emergency"]
ROLE = "aerodrome-prod-break-glass"


@pytest.fixture(scope="module")
def prod() -> Environment:
    """The environment that has people who may break the glass."""
    environment = load_environment("prod", ROOT / "environments")
    assert environment.access.break_glass
    return environment


@pytest.fixture(scope="module")
def deployed(
    embedded_aws: EmbeddedAws, cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, StackResult]:
    """What tells of things in prod, and all that it needs."""
    assembly = synthesize(
        load_app_function(cdk_settings.app, cdk_settings.root),
        "prod",
        cdk_json=cdk_settings.cdk_json,
        outdir=tmp_path_factory.mktemp("cdk.out"),
        stage_assets=True,
    )
    return deploy_assembly(assembly.directory, embedded_aws.endpoint, stacks=STACKS)


@pytest.fixture(scope="module")
def aws(embedded_aws: EmbeddedAws, prod: Environment, deployed: Mapping[str, StackResult]) -> "Account":
    assert set(STACKS) <= set(deployed)
    assert {result.status for result in deployed.values()} == {"CREATE_COMPLETE"}
    return Account(embedded_aws.endpoint, prod)


class Account:
    """What a person with an AWS CLI would see in prod's account."""

    def __init__(self, endpoint: str, environment: Environment) -> None:
        self._endpoint = endpoint
        self._environment = environment
        place = f"{environment.region}:{environment.account}"
        self.id = environment.account
        self.topic = f"arn:aws:sns:{place}:aerodrome-prod-alerts"
        self.role = f"arn:aws:iam::{environment.account}:role/{ROLE}"

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return make_client(service, self._endpoint, self._environment.account, self._environment.region)


class TestTopic:
    def test_its_messages_are_encrypted_with_the_key_for_alerts(self, aws: Account) -> None:
        attributes = aws.client("sns").get_topic_attributes(TopicArn=aws.topic)["Attributes"]
        kms = aws.client("kms")
        used = kms.describe_key(KeyId=attributes["KmsMasterKeyId"])["KeyMetadata"]["Arn"]
        assert used == kms.describe_key(KeyId="alias/aerodrome-prod/alerts")["KeyMetadata"]["Arn"]
        policy = json.loads(kms.get_key_policy(KeyId=used, PolicyName="default")["Policy"])
        (lent,) = [one for one in policy["Statement"] if one.get("Sid") == "PublishAlerts"]
        assert lent["Condition"]["StringEquals"]["kms:EncryptionContext:aws:sns:topicArn"] == aws.topic

    def test_its_policy_lets_services_publish_and_nobody_without_tls(self, aws: Account) -> None:
        attributes = aws.client("sns").get_topic_attributes(TopicArn=aws.topic)["Attributes"]
        statements = json.loads(attributes["Policy"])["Statement"]
        publishers = {
            service for one in statements if one["Effect"] == "Allow" for service in one["Principal"]["Service"]
        }
        assert publishers == {
            f"{service}.amazonaws.com" for service in ("backup", "budgets", "cloudwatch", "costalerts", "events")
        }
        (refused,) = [one for one in statements if one["Effect"] == "Deny"]
        assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_everybody_is_subscribed(self, aws: Account, prod: Environment) -> None:
        found = aws.client("sns").list_subscriptions_by_topic(TopicArn=aws.topic)["Subscriptions"]
        assert sorted(one["Endpoint"] for one in found if one["Protocol"] == "email") == sorted(prod.alerts.emails)


class TestCosts:
    def test_the_budget_tells_the_topic_four_times(self, aws: Account, prod: Environment) -> None:
        budgets = aws.client("budgets")
        (budget,) = budgets.describe_budgets(AccountId=aws.id)["Budgets"]
        assert float(budget["BudgetLimit"]["Amount"]) == prod.costs.monthly_usd
        assert budget["CostFilters"] == {"TagKeyValue": ["user:aerodrome:environment$prod"]}
        name = budget["BudgetName"]
        notifications = budgets.describe_notifications_for_budget(AccountId=aws.id, BudgetName=name)["Notifications"]
        assert sorted((one["NotificationType"], one["Threshold"]) for one in notifications) == [
            ("ACTUAL", 50),
            ("ACTUAL", 80),
            ("ACTUAL", 100),
            ("FORECASTED", 100),
        ]
        for one in notifications:
            told = budgets.describe_subscribers_for_notification(AccountId=aws.id, BudgetName=name, Notification=one)
            assert told["Subscribers"] == [{"SubscriptionType": "SNS", "Address": aws.topic}]

    def test_anomalies_are_watched_for_and_told(self, aws: Account, prod: Environment) -> None:
        explorer = aws.client("ce")
        (monitor,) = explorer.get_anomaly_monitors()["AnomalyMonitors"]
        assert (monitor["MonitorType"], monitor["MonitorDimension"]) == ("DIMENSIONAL", "SERVICE")
        (told,) = explorer.get_anomaly_subscriptions(MonitorArn=monitor["MonitorArn"])["AnomalySubscriptions"]
        assert told["Subscribers"] == [{"Type": "SNS", "Address": aws.topic}]
        assert told["ThresholdExpression"]["Dimensions"]["Values"] == [str(prod.costs.anomaly_usd)]

    def test_costs_are_exported_with_the_shares_of_pods(self, aws: Account) -> None:
        exports = aws.client("bcm-data-exports")
        (listed,) = exports.list_exports()["Exports"]
        export = exports.get_export(ExportArn=listed["ExportArn"])["Export"]
        table = export["DataQuery"]["TableConfigurations"]["COST_AND_USAGE_REPORT"]
        assert table["INCLUDE_SPLIT_COST_ALLOCATION_DATA"] == "TRUE"
        bucket = export["DestinationConfigurations"]["S3Destination"]["S3Bucket"]
        public = aws.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert set(public.values()) == {True}


class TestBreakGlass:
    def test_only_those_who_are_named_may_take_it_and_must_say_who_they_are(
        self, aws: Account, prod: Environment
    ) -> None:
        role = aws.client("iam").get_role(RoleName=ROLE)["Role"]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert tuple(trust["Principal"]["AWS"]) == prod.access.break_glass
        assert trust["Condition"] == {
            "StringLike": {"sts:SourceIdentity": "*"},
            "StringEquals": {"aws:RequestedRegion": prod.region},
        }
        assert role["MaxSessionDuration"] == 3600

    def test_it_administers_the_cluster(self, aws: Account) -> None:
        policies = aws.client("eks").list_associated_access_policies(
            clusterName="aerodrome-prod", principalArn=aws.role
        )["associatedAccessPolicies"]
        assert [(one["policyArn"].rpartition("/")[2], one["accessScope"]["type"]) for one in policies] == [
            ("AmazonEKSClusterAdminPolicy", "cluster")
        ]

    def test_whoever_takes_it_is_named_in_a_mail(self, aws: Account) -> None:
        sqs, sns, sts = aws.client("sqs"), aws.client("sns"), aws.client("sts")
        url = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        subscription = sns.subscribe(TopicArn=aws.topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
        try:
            sts.assume_role(
                RoleArn=f"arn:aws:iam::{aws.id}:role/another", RoleSessionName="daily", SourceIdentity="john.doe"
            )
            sts.assume_role(RoleArn=aws.role, RoleSessionName="INC-1234", SourceIdentity="jane.doe")
            messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)["Messages"]
        finally:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
            sqs.delete_queue(QueueUrl=url)
        (message,) = [json.loads(one["Body"])["Message"] for one in messages]
        assert f"jane.doe took the role {ROLE} on 20" in message
        assert "from 127.0.0.1, and called the session INC-1234" in message
        assert "runbooks/break-glass-used.md" in message
        assert "<" not in message

    def test_its_use_raises_an_alarm(self, aws: Account) -> None:
        (alarm,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[f"{ROLE}-used"])["MetricAlarms"]
        assert alarm["AlarmActions"] == [aws.topic]
        assert alarm["Dimensions"] == [{"Name": "RuleName", "Value": ROLE}]
        assert aws.client("events").describe_rule(Name=ROLE)["State"] == "ENABLED"


def test_alarms_on_the_database_tell_the_topic(aws: Account) -> None:
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="aerodrome-prod-database-")["MetricAlarms"]
    assert len(alarms) == 3
    for alarm in alarms:
        assert (alarm["AlarmActions"], alarm["OKActions"]) == ([aws.topic], [aws.topic])
        assert "What to do: runbooks/database-" in alarm["AlarmDescription"]
