import pytest
from aws_cdk import aws_sns as sns

from aerodrome_constructs.notifications import EmailSender, EmailSenderProps
from tests.templates import ACCOUNT, REGION, TemplateJson, new_stack, only, properties, synthesized, text


@pytest.fixture(scope="module")
def sender() -> tuple[EmailSender, TemplateJson]:
    stack = new_stack()
    made = EmailSender(
        stack,
        "Sender",
        EmailSenderProps(
            domain="ml.example.com",
            hosted_zone_id="Z0123456789EXAMPLE",
            configuration_set="mail",
            topic=sns.Topic(stack, "Alerts"),
            runbook="runbooks/flyte-emails-not-sent.md",
        ),
    )
    return made, synthesized(stack)


def test_the_domain_is_signed_for_with_a_long_key(sender: tuple[EmailSender, TemplateJson]) -> None:
    identity = only(sender[1], "AWS::SES::EmailIdentity")
    assert identity["EmailIdentity"] == "ml.example.com"
    assert identity["DkimAttributes"] == {"SigningEnabled": True}
    assert identity["DkimSigningAttributes"] == {"NextSigningKeyLength": "RSA_2048_BIT"}


def test_its_three_keys_are_in_its_zone(sender: tuple[EmailSender, TemplateJson]) -> None:
    records = properties(sender[1], "AWS::Route53::RecordSet").values()
    assert {(one["HostedZoneId"], one["Type"]) for one in records} == {("Z0123456789EXAMPLE", "CNAME")}
    pairs = {
        (text(one["Name"]).rpartition(".")[2], text(*one["ResourceRecords"]).rpartition(".")[2]) for one in records
    }
    assert pairs == {(f"DkimDNSTokenName{number}}}", f"DkimDNSTokenValue{number}}}") for number in (1, 2, 3)}


def test_emails_go_over_tls_and_not_again_to_who_refused_them(sender: tuple[EmailSender, TemplateJson]) -> None:
    settings = only(sender[1], "AWS::SES::ConfigurationSet")
    assert settings["Name"] == "mail"
    assert settings["DeliveryOptions"] == {"TlsPolicy": "REQUIRE"}
    assert settings["SuppressionOptions"] == {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
    identity = only(sender[1], "AWS::SES::EmailIdentity")
    assert text(identity["ConfigurationSetAttributes"]["ConfigurationSetName"]).startswith("${SenderSettings")


def test_somebody_is_told_before_amazon_stops_the_account(sender: tuple[EmailSender, TemplateJson]) -> None:
    alarm = only(sender[1], "AWS::CloudWatch::Alarm")
    assert (alarm["MetricName"], alarm["Threshold"]) == ("Reputation.BounceRate", 0.05)
    assert alarm["Dimensions"] == [{"Name": "ses:configuration-set", "Value": "mail"}]
    # Without them, there is no such metric for the settings.
    settings = only(sender[1], "AWS::SES::ConfigurationSet")
    assert settings["ReputationOptions"] == {"ReputationMetricsEnabled": True}


def test_rights_are_given_on_the_domain_and_the_settings(sender: tuple[EmailSender, TemplateJson]) -> None:
    made, _ = sender
    assert made.identity_arn.endswith(f":ses:{REGION}:{ACCOUNT}:identity/ml.example.com")
    assert made.configuration_set_arn.endswith(f":ses:{REGION}:{ACCOUNT}:configuration-set/mail")
