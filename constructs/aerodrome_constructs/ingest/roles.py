"""Roles that one service of AWS takes, and what each may do."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import INLINE_POLICY, WILDCARDS


def service_role(
    scope: Construct,
    construct_id: str,
    *,
    service: str,
    statements: Sequence[iam.PolicyStatement],
    wildcards: Sequence[str] = (),
    because: str = "",
) -> iam.Role:
    """A role for a service, on behalf of this account alone.

    Args:
        scope: The construct that it belongs to.
        construct_id: Its ID.
        service: The service, such as ``events.amazonaws.com``.
        statements: What it may do.
        wildcards: What the security packs find in that.
        because: Why it is right, where they find something.
    """
    role = iam.Role(
        scope,
        construct_id,
        assumed_by=iam.ServicePrincipal(
            service,
            # Another account's service cannot be talked into using the role (the confused deputy).
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}},
        ),
        inline_policies={"Rights": iam.PolicyDocument(statements=list(statements))},
    )
    acknowledge(role, INLINE_POLICY, reason="what it may do is this role's alone, and there is no moment without it")
    if wildcards:
        acknowledge(role, WILDCARDS, reason=because, findings=wildcards)
    return role
