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
    source_arn: str | None = None,
    boundary: iam.IManagedPolicy | None = None,
    description: str | None = None,
    role_name: str | None = None,
) -> iam.Role:
    """A role for a service, on behalf of this account alone.

    What it may do stands in the role. In a policy of its own it would be made beside what takes the role, which refers
    to the role only, and services look at what a role may do when they are given it.

    Args:
        scope: The construct that it belongs to.
        construct_id: Its ID.
        service: The service, such as ``events.amazonaws.com``.
        statements: What it may do.
        wildcards: What the security packs find in that. Default: nothing.
        because: Why it is right, where they find something.
        source_arn: The one resource on whose behalf the service takes it. Default: any of this account's.
        boundary: The most that it may do, whatever it is given. Default: no such limit.
        description: What it is for, as the console shows it. Default: nothing.
        role_name: Its name, where another stack works it out rather than being told. Default: generated.
    """
    conditions: dict[str, object] = {"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}}
    if source_arn is not None:
        conditions["ArnEquals"] = {"aws:SourceArn": source_arn}
    role = iam.Role(
        scope,
        construct_id,
        role_name=role_name,
        description=description,
        # Another account's service cannot be talked into using the role (the confused deputy).
        assumed_by=iam.ServicePrincipal(service, conditions=conditions),
        inline_policies={"Rights": iam.PolicyDocument(statements=list(statements))},
        permissions_boundary=boundary,
    )
    acknowledge(role, INLINE_POLICY, reason="what it may do is this role's alone, and there is no moment without it")
    if wildcards:
        acknowledge(role, WILDCARDS, reason=because, findings=wildcards)
    return role
