from typing import Any

import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from aerodrome_constructs.front_door import ManagedRules, WebAcl, WebAclProps
from tests.templates import TemplateJson, new_stack, only, resources, synthesized, text

COMMON = ManagedRules(name="AWSManagedRulesCommonRuleSet", counted={"SizeRestrictions_BODY": "uploads"})
OTHER = ManagedRules(name="AWSManagedRulesAmazonIpReputationList")


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    WebAcl(
        stack,
        "WebAcl",
        WebAclProps(
            name="ours",
            managed=[OTHER, COMMON],
            requests_per_address=1000,
            log_key=kms.Key(stack, "Key"),
            log_retention=logs.RetentionDays.ONE_YEAR,
        ),
    )
    return synthesized(stack)


def rules(template: TemplateJson) -> dict[str, Any]:
    return {rule["Name"]: rule for rule in only(template, "AWS::WAFv2::WebACL")["Rules"]}


def test_it_stands_before_load_balancers_of_the_region_and_lets_pass_what_no_rule_refuses(
    template: TemplateJson,
) -> None:
    acl = only(template, "AWS::WAFv2::WebACL")

    assert (acl["Scope"], acl["DefaultAction"]) == ("REGIONAL", {"Allow": {}})


def test_each_rule_has_a_place_of_its_own_and_can_be_seen(template: TemplateJson) -> None:
    assert sorted(rule["Priority"] for rule in rules(template).values()) == [0, 1, 2]
    for name, rule in rules(template).items():
        assert rule["VisibilityConfig"] == {
            "CloudWatchMetricsEnabled": True,
            "MetricName": name,
            "SampledRequestsEnabled": True,
        }


def test_who_sends_too_much_is_told_to_wait(template: TemplateJson) -> None:
    rule = rules(template)["RequestsPerAddress"]

    assert rule["Statement"]["RateBasedStatement"] == {
        "AggregateKeyType": "IP",
        "EvaluationWindowSec": 300,
        "Limit": 1000,
    }
    assert rule["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429


def test_what_awss_rules_say_is_done_but_for_those_that_only_count(template: TemplateJson) -> None:
    for name in (COMMON.name, OTHER.name):
        assert rules(template)[name]["OverrideAction"] == {"None": {}}
    common = rules(template)[COMMON.name]["Statement"]["ManagedRuleGroupStatement"]
    assert common["RuleActionOverrides"] == [{"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}}]
    assert "RuleActionOverrides" not in rules(template)[OTHER.name]["Statement"]["ManagedRuleGroupStatement"]


def test_its_log_has_a_key_and_an_end_and_stays(template: TemplateJson) -> None:
    ((name, group),) = resources(template, "AWS::Logs::LogGroup").items()

    assert group["Properties"]["LogGroupName"] == "aws-waf-logs-ours"
    assert group["Properties"]["RetentionInDays"] == 365
    assert text(group["Properties"]["KmsKeyId"]).startswith("${Key")
    assert group["DeletionPolicy"] == "RetainExceptOnCreate"
    (logging,) = resources(template, "AWS::WAFv2::LoggingConfiguration").values()
    assert name in logging["DependsOn"]


def test_the_log_has_what_was_refused_without_what_lets_people_in(template: TemplateJson) -> None:
    logging = only(template, "AWS::WAFv2::LoggingConfiguration")

    (destination,) = logging["LogDestinationConfigs"]
    assert text(destination).endswith(":log-group:aws-waf-logs-ours")
    assert [field["SingleHeader"]["Name"] for field in logging["RedactedFields"]] == [
        "authorization",
        "cookie",
        "flyte-authorization",
    ]
    assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"
    (kept,) = logging["LoggingFilter"]["Filters"]
    assert {one["ActionCondition"]["Action"] for one in kept["Conditions"]} == {"BLOCK", "COUNT", "EXCLUDED_AS_COUNT"}
