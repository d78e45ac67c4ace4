"""Who may start a function."""

from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from constructs import Construct


def rule_may_start(scope: Construct, construct_id: str, *, function: lambda_.IFunction, rule: events.CfnRule) -> None:
    """Let one rule of EventBridge start a function, and no other.

    Args:
        scope: The construct that the permission belongs to.
        construct_id: The permission's ID.
        function: The function.
        rule: The rule.
    """
    lambda_.CfnPermission(
        scope,
        construct_id,
        action="lambda:InvokeFunction",
        function_name=function.function_arn,
        principal="events.amazonaws.com",
        source_arn=rule.attr_arn,
    )
