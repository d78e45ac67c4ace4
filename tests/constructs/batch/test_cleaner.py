import json
from typing import Any

import aws_cdk as cdk
import pytest

from aerodrome_constructs.batch import JobDefinitionCleaner, JobDefinitionCleanerProps
from aerodrome_constructs.batch.cleaner_handler.order import Order
from tests.constructs.surroundings import place_in
from tests.templates import (
    ACCOUNT,
    REGION,
    TemplateJson,
    new_stack,
    only,
    resources,
    statements,
    synthesized,
    text,
    with_id,
)

QUEUES, ROLES = ["flyte-spot", "flyte-on-demand"], ["ours-fraud-production", "ours-churn-production"]
DEREGISTER = "batch:DeregisterJobDefinition"


def cleaner_in(stack: cdk.Stack, roles: list[str]) -> None:
    JobDefinitionCleaner(
        stack,
        "Cleaner",
        JobDefinitionCleanerProps(
            name="cleaner",
            job_queues=QUEUES,
            job_roles=roles,
            place=place_in(stack),
        ),
    )


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    cleaner_in(stack, ROLES)
    return synthesized(stack)


@pytest.fixture
def sent(template: TemplateJson) -> dict[str, Any]:
    """What the function gets every night."""
    (target,) = only(template, "AWS::Events::Rule")["Targets"]
    found: dict[str, Any] = json.loads(target["Input"])
    return found


def test_it_runs_every_night_and_nobody_else_may_start_it(template: TemplateJson) -> None:
    rule, permission = only(template, "AWS::Events::Rule"), only(template, "AWS::Lambda::Permission")
    (function,) = [key for key in resources(template, "AWS::Lambda::Function") if key.startswith("Cleaner")]
    (rule_id,) = resources(template, "AWS::Events::Rule")
    assert rule["ScheduleExpression"] == "cron(30 3 * * ? *)"
    assert rule["Targets"][0]["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert (permission["Principal"], permission["SourceArn"]) == (
        "events.amazonaws.com",
        {"Fn::GetAtt": [rule_id, "Arn"]},
    )


def test_the_function_understands_what_it_is_sent(sent: dict[str, Any]) -> None:
    order = Order.of(sent)
    assert set(order.job_queues) == set(QUEUES)
    assert order.job_roles == frozenset(ROLES)


def test_enough_revisions_stay_for_three_processes_and_the_two_of_a_change_over(sent: dict[str, Any]) -> None:
    assert sent["keep"] == 3 + 2


def test_most_of_what_an_account_may_ask_of_batch_is_left_to_jobs(sent: dict[str, Any]) -> None:
    # 50 SubmitJob in a second: https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
    assert 0 < sent["callsPerSecond"] <= 50 / 10


def test_a_night_is_long_enough_for_thousands(template: TemplateJson, sent: dict[str, Any]) -> None:
    timeout = with_id(template, "AWS::Lambda::Function", "CleanerFunction")["Timeout"]
    assert timeout == 15 * 60
    assert timeout * sent["callsPerSecond"] >= 4000


def test_it_deregisters_nothing_of_the_platforms_and_changes_nothing_else(template: TemplateJson) -> None:
    definitions = f":batch:{REGION}:{ACCOUNT}:job-definition"
    found = [one for one in statements(template, "CleanerRole") if one.actions != ["sts:AssumeRole"]]
    (denied,) = [one for one in found if not one.allows]
    assert denied.actions == [DEREGISTER]
    assert [resource.endswith(f"{definitions}/aerodrome-*") for resource in denied.resources] == [True]
    allowed = {action: text(one.document["Resource"]) for one in found if one.allows for action in one.actions}
    batch = {action: resource for action, resource in allowed.items() if action.startswith("batch:")}
    assert batch.pop(DEREGISTER).endswith(f"{definitions}/*")
    assert batch == {"batch:DescribeJobDefinitions": "*", "batch:ListJobs": "*"}


def test_it_is_in_the_subnets_that_it_is_given_and_reaches_https_alone(template: TemplateJson) -> None:
    network = with_id(template, "AWS::Lambda::Function", "CleanerFunction")["VpcConfig"]
    assert len(network["SubnetIds"]) == 3
    assert all("NodesSubnet" in text(subnet) for subnet in network["SubnetIds"])
    group = only(template, "AWS::EC2::SecurityGroup")
    assert [(rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [(443, 443)]
    assert "SecurityGroupIngress" not in group


def test_what_it_did_is_kept_and_encrypted(template: TemplateJson) -> None:
    ((name, group),) = resources(template, "AWS::Logs::LogGroup").items()
    assert group["DeletionPolicy"] == "Retain"
    assert group["Properties"]["RetentionInDays"] == 30
    assert "KmsKeyId" in group["Properties"]
    assert with_id(template, "AWS::Lambda::Function", "CleanerFunction")["LoggingConfig"] == {"LogGroup": {"Ref": name}}


def test_more_roles_than_eventbridge_sends_fail_the_synth() -> None:
    with pytest.raises(ValueError, match=r"with 2 queues and 200 roles, and EventBridge sends 8,192"):
        cleaner_in(new_stack(), [f"ours-a-project-with-a-long-name-{number}-production" for number in range(200)])
