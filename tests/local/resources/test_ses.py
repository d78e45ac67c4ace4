"""Amazon SES: a domain that emails come from, the records that prove it, and the settings with which they are sent."""

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.testing import EmbeddedAws, Stack, Template

DOMAIN, ZONE = "mail.example.com", "Z0MAILEXAMPLE"


def template(ttl: str = "1800", tls: str = "REQUIRE") -> Template:
    return {
        "Settings": {
            "Type": "AWS::SES::ConfigurationSet",
            "Properties": {
                "Name": "mail-test",
                "DeliveryOptions": {"TlsPolicy": tls},
                "ReputationOptions": {"ReputationMetricsEnabled": True},
                "SuppressionOptions": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
                "Tags": [{"Key": "team", "Value": "ml"}],
            },
        },
        "Identity": {
            "Type": "AWS::SES::EmailIdentity",
            "Properties": {
                "EmailIdentity": DOMAIN,
                "ConfigurationSetAttributes": {"ConfigurationSetName": {"Ref": "Settings"}},
                "DkimAttributes": {"SigningEnabled": True},
                "DkimSigningAttributes": {"NextSigningKeyLength": "RSA_2048_BIT"},
                "FeedbackAttributes": {"EmailForwardingEnabled": False},
                "Tags": [{"Key": "team", "Value": "ml"}],
            },
        },
        "Key": {
            "Type": "AWS::Route53::RecordSet",
            "Properties": {
                "HostedZoneId": ZONE,
                "Name": {"Fn::GetAtt": ["Identity", "DkimDNSTokenName1"]},
                "Type": "CNAME",
                "TTL": ttl,
                "ResourceRecords": [{"Fn::GetAtt": ["Identity", "DkimDNSTokenValue1"]}],
            },
        },
    }


def test_a_domain_is_signed_for_and_its_key_is_in_the_zone(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    stack.deploy(template())

    identity = embedded_aws.client("sesv2").get_email_identity(EmailIdentity=DOMAIN)
    dkim = identity["DkimAttributes"]
    assert (identity["ConfigurationSetName"], identity["FeedbackForwardingStatus"]) == ("mail-test", False)
    assert (dkim["SigningEnabled"], dkim["NextSigningKeyLength"], len(set(dkim["Tokens"]))) == (True, "RSA_2048_BIT", 3)
    route53 = embedded_aws.client("route53")
    assert route53.get_hosted_zone(Id=ZONE)["HostedZone"]["Name"] == f"{DOMAIN}."
    (record,) = [
        one
        for one in route53.list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
        if one["Type"] == "CNAME"
    ]
    token = dkim["Tokens"][0]
    assert (record["Name"], record["TTL"]) == (f"{token}._domainkey.{DOMAIN}.", 1800)
    assert record["ResourceRecords"] == [{"Value": f"{token}.dkim.amazonses.com"}]


def test_what_changes_keeps_the_keys(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    client, route53 = embedded_aws.client("sesv2"), embedded_aws.client("route53")
    stack.deploy(template())
    before = client.get_email_identity(EmailIdentity=DOMAIN)["DkimAttributes"]["Tokens"]

    stack.deploy(template(ttl="60", tls="OPTIONAL"))

    assert client.get_email_identity(EmailIdentity=DOMAIN)["DkimAttributes"]["Tokens"] == before
    settings = client.get_configuration_set(ConfigurationSetName="mail-test")
    assert settings["DeliveryOptions"]["TlsPolicy"] == "OPTIONAL"
    assert settings["SuppressionOptions"]["SuppressedReasons"] == ["BOUNCE", "COMPLAINT"]
    records = route53.list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    assert [one["TTL"] for one in records if one["Type"] == "CNAME"] == [60]


def test_what_is_deleted_leaves_the_zone_and_nothing_in_it(embedded_aws: EmbeddedAws) -> None:
    stack = embedded_aws.stack("mail-that-goes")
    stack.deploy(template())
    stack.delete()

    with pytest.raises(ClientError, match="NotFound"):
        embedded_aws.client("sesv2").get_email_identity(EmailIdentity=DOMAIN)
    records = embedded_aws.client("route53").list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    assert {one["Type"] for one in records} == {"NS", "SOA"}
