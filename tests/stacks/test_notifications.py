"""Whom Flyte tells of executions, and that flyteadmin may do that and no more."""

from collections.abc import Mapping

import pytest

from aerodrome_stacks.alerts_stack import AlertsStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.network_stack import NetworkStack
from aerodrome_stacks.notifications_stack import NotificationsPorts, NotificationsStack, has_notifications
from aerodrome_stacks.roles.flyte_notifications import notification_statements
from tests.iam.account import Account
from tests.iam.evaluator import Principal
from tests.templates import TemplateJson, new_app, properties, resources, synthesized, text


def notifications_of(environment: Environment) -> tuple[NotificationsPorts, TemplateJson]:
    """The stack alone, of an environment that is in no file."""
    app = new_app()
    keys = KeysStack(app, "Keys", environment=environment).ports
    alerts = AlertsStack(app, "Alerts", environment=environment, alerts_key=keys.alerts).ports
    stack = NotificationsStack(app, "Notifications", environment=environment, alerts=alerts, alerts_key=keys.alerts)
    return stack.ports, synthesized(stack)


@pytest.fixture
def flyteadmin(account: Account) -> Principal:
    return account.role("Identity", "Flyteadmin")


def test_every_environment_has_both_so_that_both_are_tested(environment: Environment) -> None:
    assert environment.flyte.notifications
    assert environment.flyte.events


class TestRights:
    def test_it_publishes_to_both_topics_with_their_key(
        self, environment: Environment, account: Account, flyteadmin: Principal
    ) -> None:
        topics = [one for one in account.of_type("AWS::SNS::Topic") if one.stack == "Notifications"]
        prefix = f"aerodrome-{environment.name}-flyte"
        assert {one.properties["TopicName"] for one in topics} == {f"{prefix}-emails", f"{prefix}-events"}
        (key,) = {one.properties["KmsMasterKeyId"] for one in topics}
        for topic in topics:
            of_topic = {"kms:EncryptionContext:aws:sns:topicArn": topic.arn}
            assert account.can(flyteadmin, "sns:Publish", topic.arn)
            for action in ("kms:GenerateDataKey", "kms:Decrypt"):
                assert account.can(flyteadmin, action, key, of_topic)
        # The same key encrypts what people are told of the platform itself.
        assert not account.can(flyteadmin, "kms:Decrypt", key)
        others = [one for one in account.of_type("AWS::SNS::Topic") if one.stack != "Notifications"]
        assert others
        for topic in others:
            of_topic = {"kms:EncryptionContext:aws:sns:topicArn": topic.arn}
            assert not account.can(flyteadmin, "sns:Publish", topic.arn)
            assert not account.can(flyteadmin, "kms:Decrypt", key, of_topic)

    def test_it_takes_from_its_queue_and_from_no_other(
        self, environment: Environment, account: Account, flyteadmin: Principal
    ) -> None:
        queues = account.of_type("AWS::SQS::Queue")
        name = f"aerodrome-{environment.name}-flyte-emails"
        (own,) = [one for one in queues if one.properties.get("QueueName") == name]
        for action in ("sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage"):
            assert [one.logical_id for one in queues if account.can(flyteadmin, action, one.arn)] == [own.logical_id]
        # SNS puts messages in.
        assert not account.can(flyteadmin, "sqs:SendMessage", own.arn)

    @pytest.mark.parametrize(("local_part", "may"), [("flyte", True), ("ceo", False), ("", False)])
    def test_it_sends_emails_from_one_address(
        self, environment: Environment, account: Account, flyteadmin: Principal, local_part: str, *, may: bool
    ) -> None:
        prefix, domain = f"arn:aws:ses:{account.region}:{account.number}", environment.access.domain_name
        sender = {"ses:FromAddress": f"{local_part}@{domain}"}
        for of_ours in (f"identity/{domain}", f"configuration-set/aerodrome-{environment.name}-flyte-emails"):
            assert account.can(flyteadmin, "ses:SendEmail", f"{prefix}:{of_ours}", sender) is may
        assert not account.can(flyteadmin, "ses:SendEmail", f"{prefix}:identity/example.org", sender)
        assert not account.can(flyteadmin, "ses:SendRawEmail", f"{prefix}:identity/{domain}", sender)

    def test_where_nobody_is_told_it_has_none(self) -> None:
        assert notification_statements(None) == []

    def test_with_events_alone_it_publishes_to_their_topic_and_no_more(self) -> None:
        ports = NotificationsPorts(emails=None, events_topic_arn="arn:aws:sns:::events", key_arn="arn:aws:kms:::key/k")
        found = [statement.to_statement_json() for statement in notification_statements(ports)]
        assert [one["Action"] for one in found] == ["sns:Publish", ["kms:Decrypt", "kms:GenerateDataKey"]]
        assert found[0]["Resource"] == "arn:aws:sns:::events"


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize(
    ("emails", "events", "types"),
    [
        (False, True, {"AWS::SNS::Topic", "AWS::SNS::TopicPolicy"}),
        (True, False, {"AWS::SES::EmailIdentity", "AWS::SQS::Queue", "AWS::Route53::RecordSet"}),
    ],
)
def test_of_each_there_is_what_is_asked_for(
    environment: Environment, types: set[str], *, emails: bool, events: bool
) -> None:
    asked = environment.flyte.model_copy(update={"notifications": emails, "events": events})
    changed = environment.model_copy(update={"flyte": asked})
    assert has_notifications(changed)
    made, template = notifications_of(changed)
    assert (made.emails is not None, made.events_topic_arn is not None) == (emails, events)
    assert types <= {one["Type"] for one in template["Resources"].values()}
    assert ("AWS::SES::EmailIdentity" in str(template)) == emails


@pytest.mark.cdk_variants("dev")
def test_emails_without_a_zone_are_refused(environment: Environment) -> None:
    access = environment.access.model_copy(update={"hosted_zone_id": None})
    with pytest.raises(ValueError, match=r"access\.hosted_zone_id is not given; .* or write false"):
        notifications_of(environment.model_copy(update={"access": access}))


@pytest.mark.cdk_variants("dev")
def test_without_either_there_is_no_stack(environment: Environment) -> None:
    silent = environment.flyte.model_copy(update={"notifications": False, "events": False})
    assert not has_notifications(environment.model_copy(update={"flyte": silent}))


def test_the_emails_come_from_the_domain_of_the_environment_with_keys_in_its_zone(
    environment: Environment, stacks: Mapping[str, TemplateJson]
) -> None:
    template = stacks["Notifications"]
    (identity,) = properties(template, "AWS::SES::EmailIdentity").values()
    records = properties(template, "AWS::Route53::RecordSet").values()
    assert identity["EmailIdentity"] == environment.access.domain_name
    assert {one["HostedZoneId"] for one in records} == {environment.access.hosted_zone_id}
    assert len(records) == 3


def test_flyte_comes_after_what_it_asks_for_when_it_starts(stacks: Mapping[str, TemplateJson]) -> None:
    # With a queue that is not there, flyteadmin panics. What Orchestrator imports of Notifications is there before.
    names = set(resources(stacks["Notifications"], "AWS::SNS::Topic"))
    exported = {
        output["Export"]["Name"]
        for output in stacks["Notifications"]["Outputs"].values()
        if any(name in str(output["Value"]) for name in names)
    }
    assert exported
    assert all(name in str(stacks["Orchestrator"]) for name in exported)


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize("emails", [True, False])
def test_in_a_private_network_emails_have_a_way_to_amazon_ses(environment: Environment, *, emails: bool) -> None:
    private = environment.network.model_copy(update={"private": True, "nat_gateways": 0})
    flyte = environment.flyte.model_copy(update={"notifications": emails})
    app = new_app()
    changed = environment.model_copy(update={"network": private, "flyte": flyte})
    keys = KeysStack(app, "Keys", environment=changed).ports
    network = synthesized(NetworkStack(app, "Network", environment=changed, log_key=keys.logs))
    services = {text(one["ServiceName"]) for one in properties(network, "AWS::EC2::VPCEndpoint").values()}
    assert (f"com.amazonaws.{environment.region}.email" in services) is emails
    assert {f"com.amazonaws.{environment.region}.{service}" for service in ("sns", "sqs")} <= services
