"""Who is told of what in prod: deployed to the embedded AWS, read back, and the role taken in an emergency."""

import json

import pytest

from tests.local.account import Account

ROLE = "aerodrome-prod-break-glass"


@pytest.fixture(scope="module")
def topic(prod: Account) -> str:
    return f"arn:aws:sns:{prod.environment.region}:{prod.id}:aerodrome-prod-alerts"


@pytest.fixture(scope="module")
def role(prod: Account) -> str:
    return f"arn:aws:iam::{prod.id}:role/{ROLE}"


class TestTopic:
    def test_its_messages_are_encrypted_with_the_key_for_alerts(self, prod: Account, topic: str) -> None:
        attributes = prod.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
        kms = prod.client("kms")
        used = kms.describe_key(KeyId=attributes["KmsMasterKeyId"])["KeyMetadata"]["Arn"]
        assert used == kms.describe_key(KeyId="alias/aerodrome-prod/alerts")["KeyMetadata"]["Arn"]
        policy = json.loads(kms.get_key_policy(KeyId=used, PolicyName="default")["Policy"])
        (lent,) = [one for one in policy["Statement"] if one.get("Sid") == "PublishAlerts"]
        assert lent["Condition"]["StringEquals"]["kms:EncryptionContext:aws:sns:topicArn"] == topic

    def test_its_policy_lets_services_publish_and_nobody_without_tls(self, prod: Account, topic: str) -> None:
        attributes = prod.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
        statements = json.loads(attributes["Policy"])["Statement"]
        publishers = {
            service for one in statements if one["Effect"] == "Allow" for service in one["Principal"]["Service"]
        }
        assert publishers == {
            f"{service}.amazonaws.com" for service in ("backup", "budgets", "cloudwatch", "costalerts", "events")
        }
        (refused,) = [one for one in statements if one["Effect"] == "Deny"]
        assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_everybody_is_subscribed(self, prod: Account, topic: str) -> None:
        found = prod.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert sorted(one["Endpoint"] for one in found if one["Protocol"] == "email") == sorted(
            prod.environment.alerts.emails
        )


class TestCosts:
    def test_the_budget_tells_the_topic_four_times(self, prod: Account, topic: str) -> None:
        budgets = prod.client("budgets")
        (budget,) = budgets.describe_budgets(AccountId=prod.id)["Budgets"]
        assert float(budget["BudgetLimit"]["Amount"]) == prod.environment.costs.monthly_usd
        assert budget["CostFilters"] == {"TagKeyValue": ["user:aerodrome:environment$prod"]}
        name = budget["BudgetName"]
        notifications = budgets.describe_notifications_for_budget(AccountId=prod.id, BudgetName=name)["Notifications"]
        assert sorted((one["NotificationType"], one["Threshold"]) for one in notifications) == [
            ("ACTUAL", 50),
            ("ACTUAL", 80),
            ("ACTUAL", 100),
            ("FORECASTED", 100),
        ]
        for one in notifications:
            told = budgets.describe_subscribers_for_notification(AccountId=prod.id, BudgetName=name, Notification=one)
            assert told["Subscribers"] == [{"SubscriptionType": "SNS", "Address": topic}]

    def test_anomalies_are_watched_for_and_told(self, prod: Account, topic: str) -> None:
        explorer = prod.client("ce")
        (monitor,) = explorer.get_anomaly_monitors()["AnomalyMonitors"]
        assert (monitor["MonitorType"], monitor["MonitorDimension"]) == ("DIMENSIONAL", "SERVICE")
        (told,) = explorer.get_anomaly_subscriptions(MonitorArn=monitor["MonitorArn"])["AnomalySubscriptions"]
        assert told["Subscribers"] == [{"Type": "SNS", "Address": topic}]
        assert told["ThresholdExpression"]["Dimensions"]["Values"] == [str(prod.environment.costs.anomaly_usd)]

    def test_costs_are_exported_with_the_shares_of_pods(self, prod: Account) -> None:
        exports = prod.client("bcm-data-exports")
        (listed,) = exports.list_exports()["Exports"]
        export = exports.get_export(ExportArn=listed["ExportArn"])["Export"]
        table = export["DataQuery"]["TableConfigurations"]["COST_AND_USAGE_REPORT"]
        assert table["INCLUDE_SPLIT_COST_ALLOCATION_DATA"] == "TRUE"
        bucket = export["DestinationConfigurations"]["S3Destination"]["S3Bucket"]
        public = prod.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert set(public.values()) == {True}


class TestBreakGlass:
    def test_only_those_who_are_named_may_take_it_and_must_say_who_they_are(self, prod: Account) -> None:
        role = prod.client("iam").get_role(RoleName=ROLE)["Role"]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert tuple(trust["Principal"]["AWS"]) == prod.environment.access.break_glass
        assert trust["Condition"] == {
            "StringLike": {"sts:SourceIdentity": "*"},
            "StringEquals": {"aws:RequestedRegion": prod.environment.region},
        }
        assert role["MaxSessionDuration"] == 3600

    def test_it_administers_the_cluster(self, prod: Account, role: str) -> None:
        policies = prod.client("eks").list_associated_access_policies(clusterName="aerodrome-prod", principalArn=role)[
            "associatedAccessPolicies"
        ]
        assert [(one["policyArn"].rpartition("/")[2], one["accessScope"]["type"]) for one in policies] == [
            ("AmazonEKSClusterAdminPolicy", "cluster")
        ]

    def test_whoever_takes_it_is_named_in_a_mail(self, prod: Account, topic: str, role: str) -> None:
        sqs, sns, sts = prod.client("sqs"), prod.client("sns"), prod.client("sts")
        url = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
        try:
            sts.assume_role(
                RoleArn=f"arn:aws:iam::{prod.id}:role/another", RoleSessionName="daily", SourceIdentity="john.doe"
            )
            sts.assume_role(RoleArn=role, RoleSessionName="INC-1234", SourceIdentity="jane.doe")
            messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)["Messages"]
        finally:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
            sqs.delete_queue(QueueUrl=url)
        (message,) = [json.loads(one["Body"])["Message"] for one in messages]
        assert f"jane.doe took the role {ROLE} on 20" in message
        assert "from 127.0.0.1, and called the session INC-1234" in message
        assert "runbooks/break-glass-used.md" in message
        assert "<" not in message

    def test_its_use_raises_an_alarm(self, prod: Account, topic: str) -> None:
        (alarm,) = prod.client("cloudwatch").describe_alarms(AlarmNames=[f"{ROLE}-used"])["MetricAlarms"]
        assert alarm["AlarmActions"] == [topic]
        assert alarm["Dimensions"] == [{"Name": "RuleName", "Value": ROLE}]
        assert prod.client("events").describe_rule(Name=ROLE)["State"] == "ENABLED"


def test_alarms_on_the_database_tell_the_topic(prod: Account, topic: str) -> None:
    alarms = prod.client("cloudwatch").describe_alarms(AlarmNamePrefix="aerodrome-prod-database-")["MetricAlarms"]
    assert len(alarms) == 3
    for alarm in alarms:
        assert (alarm["AlarmActions"], alarm["OKActions"]) == ([topic], [topic])
        assert "What to do: runbooks/database-" in alarm["AlarmDescription"]
