"""What every function in a VPC has, whatever it does."""

from collections.abc import Sequence

import aws_cdk as cdk
import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.batch.cleaner import HANDLER
from aerodrome_constructs.functions import VpcFunctionProps, https_only, rule_may_start, vpc_function
from aerodrome_constructs.identity import allow
from aerodrome_constructs.policy import Acknowledgement, acknowledgements
from tests.constructs.surroundings import place_in
from tests.templates import TemplateJson, new_stack, only, plain, resources, statements, synthesized, text, with_id


def function_in(stack: cdk.Stack, *, dead_letters: sqs.IQueue | str, because: str = "") -> lambda_.Function:
    place = place_in(stack)
    group = https_only(stack, "Group", vpc=place.vpc, carried_by="the counter", calls="what counts")
    return vpc_function(
        Construct(stack, "Counter"),
        VpcFunctionProps(
            place=place,
            security_group=group,
            description="Counts",
            handler=HANDLER,
            timeout=cdk.Duration.minutes(1),
            statements=[allow(["sns:Publish"], ["arn:aws:sns:us-east-1:111122223333:one"])],
            why_unlimited="a schedule starts it",
            dead_letters=dead_letters,
            because=because,
            wildcards=["Resource::one/[*]"] if because else [],
        ),
    )


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    function = function_in(stack, dead_letters=sqs.Queue(stack, "Failed"))
    rule = events.CfnRule(stack, "Rule", schedule_expression="rate(1 day)")
    rule_may_start(stack, "MayStart", function=function, rule=rule)
    return synthesized(stack)


def test_it_runs_in_the_subnets_that_it_is_given(template: TemplateJson) -> None:
    network = with_id(template, "AWS::Lambda::Function", "CounterFunction")["VpcConfig"]
    assert len(network["SubnetIds"]) == 3
    assert all("NodesSubnet" in text(subnet) for subnet in network["SubnetIds"])
    assert [text(group).startswith("${Group") for group in network["SecurityGroupIds"]] == [True]


def test_its_security_group_lets_out_over_https_and_nobody_in(template: TemplateJson) -> None:
    group = only(template, "AWS::EC2::SecurityGroup")
    assert group["GroupDescription"] == "Carried by the counter"
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [
        ("tcp", 443, 443)
    ]
    assert "SecurityGroupIngress" not in group


def test_its_log_is_encrypted_kept_for_a_while_and_stays(template: TemplateJson) -> None:
    ((name, group),) = resources(template, "AWS::Logs::LogGroup").items()
    assert group["DeletionPolicy"] == group["UpdateReplacePolicy"] == "Retain"
    assert group["Properties"]["RetentionInDays"] == 30
    assert text(group["Properties"]["KmsKeyId"]).startswith("${LogKey")
    assert with_id(template, "AWS::Lambda::Function", "CounterFunction")["LoggingConfig"] == {"LogGroup": {"Ref": name}}


def test_its_role_writes_its_own_log_and_does_what_it_is_given(template: TemplateJson) -> None:
    found = {action: one for one in statements(template, "CounterRoleDefaultPolicy") for action in one.actions}
    assert {action for action in found if not action.startswith("ec2:")} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sns:Publish",
        "sqs:SendMessage",
    }
    assert text(found["logs:PutLogEvents"].document["Resource"]).startswith("${CounterLog")
    assert {action for action, one in found.items() if one.resources == ["*"]} == {
        action for action in found if action.startswith("ec2:")
    }


def test_its_code_has_the_entry_point_and_its_own_variables_only(template: TemplateJson) -> None:
    function = with_id(template, "AWS::Lambda::Function", "CounterFunction")
    assert (function["Handler"], function["MemorySize"], function["Timeout"]) == (HANDLER, 256, 60)
    assert "Environment" not in function


def test_events_that_it_failed_on_go_to_the_queue_that_it_is_given(template: TemplateJson) -> None:
    function = plain(with_id(template, "AWS::Lambda::Function", "CounterFunction"))
    assert function["DeadLetterConfig"]["TargetArn"].startswith("${Failed")


def test_the_one_rule_may_start_it(template: TemplateJson) -> None:
    permission = plain(only(template, "AWS::Lambda::Permission"))
    assert (permission["Principal"], permission["SourceArn"]) == ("events.amazonaws.com", "${Rule.Arn}")
    assert permission["FunctionName"].startswith("${CounterFunction")


def reasons(given: Sequence[Acknowledgement]) -> dict[str, str]:
    assert len(given) == len({one.rule.name for one in given})
    return {one.rule.name: one.reason for one in given}


def test_without_a_queue_for_what_it_failed_on_it_says_why() -> None:
    stack = new_stack()
    with acknowledgements() as given:
        function_in(stack, dead_letters="the next night does what this one did not")
    assert reasons(given)["LambdaDLQ"] == "the next night does what this one did not"
    assert "DeadLetterConfig" not in with_id(synthesized(stack), "AWS::Lambda::Function", "CounterFunction")


def test_with_such_a_queue_there_is_nothing_to_say() -> None:
    stack = new_stack()
    with acknowledgements() as given:
        function_in(stack, dead_letters=sqs.Queue(stack, "Failed"))
    assert reasons(given).keys() == {"IAMNoWildcardPermissions", "IAMNoInlinePolicy", "LambdaConcurrency"}
    assert reasons(given)["LambdaConcurrency"].startswith("a schedule starts it; a reservation would")


@pytest.mark.parametrize(
    ("because", "expected"),
    [("", "network interfaces have"), ("one is named when it is made", "one is named when it is made; network")],
)
def test_what_it_may_do_beyond_names_has_all_its_reasons(because: str, expected: str) -> None:
    with acknowledgements() as given:
        function_in(new_stack(), dead_letters="none", because=because)
    (wildcards,) = [one for one in given if one.rule.by_finding]
    assert wildcards.reason.startswith(expected)
    assert [wildcards.covers(f"Resource::{what}") for what in ("*", "one/*", "two/*")] == [True, bool(because), False]
