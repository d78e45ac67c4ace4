import pytest
from aws_cdk import aws_kms as kms

from aerodrome_constructs.alerts import AlertTopic, AlertTopicProps, publishing_statement
from tests.templates import ACCOUNT, TemplateJson, new_stack, only, properties, statements, synthesized, text

EMAILS = ("platform@example.com", "oncall@example.com")
TOPIC_ARN = f"arn:aws:sns:eu-west-1:{ACCOUNT}:alerts"


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    key = kms.Key(stack, "Key")
    key.add_to_resource_policy(publishing_statement(TOPIC_ARN))
    AlertTopic(stack, "Alerts", AlertTopicProps(name="alerts", key=key, emails=EMAILS))
    return synthesized(stack)


def test_the_topic_has_its_name_and_is_encrypted_with_the_key(template: TemplateJson) -> None:
    topic = only(template, "AWS::SNS::Topic")
    assert topic["TopicName"] == "alerts"
    assert text(topic["KmsMasterKeyId"]).startswith("${Key")


def test_every_address_is_mailed(template: TemplateJson) -> None:
    found = properties(template, "AWS::SNS::Subscription").values()
    assert {(one["Protocol"], one["Endpoint"]) for one in found} == {("email", address) for address in EMAILS}


def test_nobody_publishes_without_tls(template: TemplateJson) -> None:
    (refusal,) = [one for one in statements(template, "AlertsPolicy") if not one.allows]
    assert (refusal.principals, refusal.actions) == (["*"], ["sns:Publish"])
    assert refusal.conditions == {"Bool": {"aws:SecureTransport": "false"}}


def test_only_services_publish_and_for_this_account_where_they_can_say_so(template: TemplateJson) -> None:
    allowed = [one for one in statements(template, "AlertsPolicy") if one.allows]
    assert {action for one in allowed for action in one.actions} == {"sns:Publish"}
    assert {resource for one in allowed for resource in one.resources} == {text(reference(template))}
    assert {service: dict(one.conditions) for one in allowed for service in one.principals} == {
        "cloudwatch.amazonaws.com": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        "budgets.amazonaws.com": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        "costalerts.amazonaws.com": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        "events.amazonaws.com": {},
        "backup.amazonaws.com": {},
    }


def test_the_key_serves_those_services_for_this_topic_alone(template: TemplateJson) -> None:
    (lent,) = [one for one in statements(template, "Key") if "kms:Decrypt" in one.actions]
    publishers = {service for one in statements(template, "AlertsPolicy") if one.allows for service in one.principals}
    assert set(lent.principals) == publishers
    assert lent.actions == ["kms:Decrypt", "kms:GenerateDataKey*"]
    # With aws:SourceAccount or aws:SourceArn here, SNS would drop what EventBridge publishes.
    assert lent.conditions == {"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": TOPIC_ARN}}


def reference(template: TemplateJson) -> dict[str, str]:
    """A reference to the topic."""
    (logical_id,) = [key for key, one in template["Resources"].items() if one["Type"] == "AWS::SNS::Topic"]
    return {"Ref": logical_id}
