"""Flyte's emails and events in dev: deployed to the embedded AWS, with messages on their way."""

import base64
import json

import aws_cdk as cdk
import pytest

from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.alerts_stack import AlertsStack
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.notifications_stack import NotificationsStack
from pytest_cdk.settings import Settings
from tests.local.account import Account
from tests.local.deployment import deployed

NAME = "aerodrome-dev-flyte-emails"


def build(app: cdk.App, environment: Environment) -> None:
    keys = KeysStack(app, "Keys", environment=environment).ports
    alerts = AlertsStack(app, "Alerts", environment=environment, alerts_key=keys.alerts).ports
    NotificationsStack(app, "Notifications", environment=environment, alerts=alerts, alerts_key=keys.alerts)


@pytest.fixture(scope="module")
def account(embedded_aws: EmbeddedAws, cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """What is needed of dev, in an account of its own."""
    dev = load_environment("dev", cdk_settings.root / "environments")
    environment = dev.model_copy(update={"account": "333344445555"})
    return deployed(lambda app, _: build(app, environment), environment, embedded_aws, cdk_settings, tmp_path_factory)


@pytest.fixture
def topic(account: Account) -> str:
    return f"arn:aws:sns:{account.environment.region}:{account.id}:{NAME}"


def test_what_flyteadmin_publishes_reaches_its_queue_as_sns_wraps_it(account: Account, topic: str) -> None:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName=NAME)["QueueUrl"]
    email = base64.b64encode(b"an email, as flyteadmin writes it").decode()

    account.client("sns").publish(TopicArn=topic, Message=email)

    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    # flyteadmin reads `Message` of the body, and decodes that.
    assert json.loads(message["Body"])["Message"] == email
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_what_is_never_dealt_with_is_put_aside(account: Account, topic: str) -> None:
    sqs = account.client("sqs")
    url, aside = (sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in (NAME, f"{NAME}-dead-letters"))
    account.client("sns").publish(TopicArn=topic, Message="ends flyteadmin")

    for _ in range(5):
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)

    (message,) = sqs.receive_message(QueueUrl=aside, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"])["Message"] == "ends flyteadmin"
    (subscription,) = account.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    attributes = account.client("sns").get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])
    # What SNS cannot deliver ends there, too.
    redrive = json.loads(attributes["Attributes"]["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(f":{NAME}-dead-letters")
    assert attributes["Attributes"].get("RawMessageDelivery", "false") == "false"


def test_both_topics_are_encrypted_with_the_key_for_alerts(account: Account) -> None:
    kms, sns = account.client("kms"), account.client("sns")
    key = kms.describe_key(KeyId="alias/aerodrome-dev/alerts")["KeyMetadata"]["Arn"]
    topics = [one["TopicArn"] for one in sns.list_topics()["Topics"] if "-flyte-" in one["TopicArn"]]
    assert [one.rpartition(":")[2] for one in sorted(topics)] == [NAME, "aerodrome-dev-flyte-events"]
    for arn in topics:
        used = sns.get_topic_attributes(TopicArn=arn)["Attributes"]["KmsMasterKeyId"]
        assert kms.describe_key(KeyId=used)["KeyMetadata"]["Arn"] == key


def test_emails_come_from_a_domain_whose_keys_are_in_its_zone(account: Account) -> None:
    access, ses = account.environment.access, account.client("sesv2")
    identity = ses.get_email_identity(EmailIdentity=access.domain_name)
    assert identity["ConfigurationSetName"] == NAME
    settings = ses.get_configuration_set(ConfigurationSetName=NAME)
    assert settings["DeliveryOptions"]["TlsPolicy"] == "REQUIRE"
    records = account.client("route53").list_resource_record_sets(HostedZoneId=str(access.hosted_zone_id))
    keys = {one["Name"]: one["ResourceRecords"] for one in records["ResourceRecordSets"] if one["Type"] == "CNAME"}
    assert keys == {
        f"{token}._domainkey.{access.domain_name}.": [{"Value": f"{token}.dkim.amazonses.com"}]
        for token in identity["DkimAttributes"]["Tokens"]
    }
    sent = account.client("ses").send_email(
        Source=f"flyte@{access.domain_name}",
        Destination={"ToAddresses": ["fraud@example.com"]},
        Message={"Subject": {"Data": "Flyte"}, "Body": {"Html": {"Data": "<p>succeeded</p>"}}},
    )
    assert sent["MessageId"]
