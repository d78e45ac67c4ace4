"""A short way to write IAM policy statements."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_iam as iam

Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]
"""Condition operators and what they compare, such as ``{"StringEquals": {"aws:RequestTag/team": "ml"}}``."""


def allow(
    actions: Sequence[str], resources: Sequence[str] = ("*",), conditions: Conditions | None = None
) -> iam.PolicyStatement:
    """A statement that allows actions.

    Args:
        actions: The actions, such as ``s3:GetObject``.
        resources: The ARNs that they may be done on. Default: all, for actions that know no resource.
        conditions: When. Default: always.
    """
    return iam.PolicyStatement(
        actions=list(actions),
        resources=list(resources),
        conditions={operator: dict(values) for operator, values in conditions.items()} if conditions else None,
    )


def deny(
    actions: Sequence[str], resources: Sequence[str] = ("*",), conditions: Conditions | None = None
) -> iam.PolicyStatement:
    """A statement that denies actions, whatever else allows them.

    Args:
        actions: The actions, such as ``iam:*``.
        resources: The ARNs that they may not be done on. Default: any.
        conditions: When. Default: always.
    """
    statement = allow(actions, resources, conditions)
    statement.effect = iam.Effect.DENY
    return statement
