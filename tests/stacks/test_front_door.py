from collections.abc import Mapping

import aws_cdk as cdk
import pytest

from aerodrome_stacks.alerts_stack import AlertsStack
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.front_door_stack import FrontDoorStack
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.storage_stack import StorageStack
from tests.iam.account import Account
from tests.templates import ROOT, TemplateJson, new_app, only, statements, synthesized, text

# The rules of the common rule set (AWS WAF Developer Guide, "Core rule set (CRS) managed rule group"). A name that is
# not among them overrides nothing, without a word.
COMMON = {
    "NoUserAgent_HEADER",
    "UserAgent_BadBots_HEADER",
    *(f"SizeRestrictions_{part}" for part in ("QUERYSTRING", "Cookie_HEADER", "BODY", "URIPATH")),
    *(f"EC2MetaDataSSRF_{part}" for part in ("BODY", "COOKIE", "URIPATH", "QUERYARGUMENTS")),
    *(f"GenericLFI_{part}" for part in ("QUERYARGUMENTS", "URIPATH", "BODY")),
    *(f"RestrictedExtensions_{part}" for part in ("URIPATH", "QUERYARGUMENTS")),
    *(f"GenericRFI_{part}" for part in ("QUERYARGUMENTS", "BODY", "URIPATH")),
    *(f"CrossSiteScripting_{part}" for part in ("COOKIE", "QUERYARGUMENTS", "BODY", "URIPATH")),
}

# What AWS WAF must not refuse of what people and programs send, whatever else is counted.
BREAKS_THE_PLATFORM = {"SizeRestrictions_BODY", "SizeRestrictions_QUERYSTRING", "RestrictedExtensions_QUERYARGUMENTS"}


def front_door_of(environment: Environment) -> FrontDoorStack:
    app = new_app()
    keys = KeysStack(app, "Keys", environment=environment).ports
    storage = StorageStack(app, "Storage", environment=environment, data_key=keys.data).ports
    alerts = AlertsStack(app, "Alerts", environment=environment, alerts_key=keys.alerts).ports
    return FrontDoorStack(
        app, "FrontDoor", environment=environment, access_logs=storage.access_logs, log_key=keys.logs, alerts=alerts
    )


@pytest.fixture(scope="module")
def dev() -> Environment:
    return load_environment("dev", ROOT / "environments")


def test_the_certificate_is_for_the_three_names_and_no_wildcard(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    certificate = only(stacks["FrontDoor"], "AWS::CertificateManager::Certificate")
    domain = environment.access.domain_name

    assert [certificate["DomainName"], *certificate["SubjectAlternativeNames"]] == [
        f"{service}.{domain}" for service in ("flyte", "mlflow", "grafana")
    ]


def test_the_firewall_lets_large_requests_and_gets_of_logs_pass(stacks: Mapping[str, TemplateJson]) -> None:
    rules = {rule["Name"]: rule for rule in only(stacks["FrontDoor"], "AWS::WAFv2::WebACL")["Rules"]}
    common = rules["AWSManagedRulesCommonRuleSet"]["Statement"]["ManagedRuleGroupStatement"]

    counted = {one["Name"] for one in common["RuleActionOverrides"]}
    assert counted >= BREAKS_THE_PLATFORM
    assert counted <= COMMON
    assert all(one["ActionToUse"] == {"Count": {}} for one in common["RuleActionOverrides"])


def test_the_firewall_has_the_groups_that_every_web_interface_wants(stacks: Mapping[str, TemplateJson]) -> None:
    names = [rule["Name"] for rule in only(stacks["FrontDoor"], "AWS::WAFv2::WebACL")["Rules"]]

    assert names == [
        "RequestsPerAddress",
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesCommonRuleSet",
    ]


def test_the_load_balancers_of_this_account_alone_write_access_logs(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    service = "logdelivery.elasticloadbalancing.amazonaws.com"
    found = [one for one in statements(stacks["Storage"], "AccessLogs") if service in one.principals]

    (statement,) = found
    assert statement.actions == ["s3:PutObject"]
    (resource,) = statement.resources
    assert text(resource).endswith(f"/front-door/AWSLogs/{environment.account}/*")


def test_people_are_told_weeks_before_the_certificate_ends_and_not_while_it_may_be_renewed(
    stacks: Mapping[str, TemplateJson],
) -> None:
    alarm = only(stacks["FrontDoor"], "AWS::CloudWatch::Alarm")

    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/CertificateManager", "DaysToExpiry")
    (dimension,) = alarm["Dimensions"]
    assert text(dimension["Value"]).startswith("${Certificate")
    # Certificate Manager begins 60 days before.
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 45)
    assert "runbooks/certificate-expiring.md" in alarm["AlarmDescription"]
    assert (ROOT / "runbooks" / "certificate-expiring.md").is_file()


def test_without_a_zone_there_is_no_certificate(dev: Environment) -> None:
    access = dev.access.model_copy(update={"hosted_zone_id": None})
    stack = front_door_of(dev.model_copy(update={"access": access}))

    assert stack.ports.certificate_arn is None
    types = {one["Type"] for one in synthesized(cdk.Stack.of(stack))["Resources"].values()}
    assert not types & {"AWS::CertificateManager::Certificate", "AWS::CloudWatch::Alarm"}
    assert "AWS::WAFv2::WebACL" in types


def test_a_private_network_has_a_certificate_and_no_firewall(dev: Environment) -> None:
    network = dev.network.model_copy(update={"private": True})
    stack = front_door_of(dev.model_copy(update={"network": network}))

    assert stack.ports.web_acl_arn is None
    assert {one["Type"] for one in synthesized(cdk.Stack.of(stack))["Resources"].values()} == {
        "AWS::CertificateManager::Certificate",
        "AWS::CloudWatch::Alarm",
    }


@pytest.mark.parametrize(
    ("name", "kind", "allowed"),
    [
        ("flyte.{domain}", "A", True),
        ("grafana.{domain}", "AAAA", True),
        ("cname-mlflow.{domain}", "TXT", True),
        ("flyte.{domain}", "CNAME", False),
        ("{domain}", "A", False),
        ("www.{domain}", "A", False),
        ("token._domainkey.{domain}", "TXT", False),
    ],
)
def test_who_keeps_records_changes_those_of_the_three_names_and_no_others(
    account: Account, environment: Environment, name: str, kind: str, *, allowed: bool
) -> None:
    role = account.role("Identity", "ExternalDns")
    zone = f"arn:aws:route53:::hostedzone/{environment.access.hosted_zone_id}"
    context = {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": name.format(domain=environment.access.domain_name),
        "route53:ChangeResourceRecordSetsRecordTypes": kind,
    }

    assert account.can(role, "route53:ChangeResourceRecordSets", zone, context) is allowed
    assert not account.can(role, "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/ZOTHER", context)
