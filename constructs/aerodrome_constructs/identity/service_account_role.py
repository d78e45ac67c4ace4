"""IAM roles for service accounts (IRSA)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.escape_hatch import resource_of
from aerodrome_constructs.identity.service_account import ServiceAccount
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import INLINE_POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountRoleProps:
    """What the role of a service account needs to know.

    Attributes:
        service_account: Whose role it is. No other service account can take it.
        oidc_issuer: The issuer of the cluster's service account tokens, without ``https://``. The account has an IAM
            OIDC provider of that name.
        role_name: The role's name, where another system works it out rather than being told. Default: generated.
        trusted_services: AWS services that may take the role as well, such as ``ecs-tasks.amazonaws.com``.
        statements: What the role may do. It stands in the role itself: there is no moment in which one is without the
            other. Default: nothing.
        policies: Policies of their own that it has as well, for what is too long for the role. Default: none.
        boundary: The most that the role may do, whatever it is given. Default: what it is given.
        tags: Tags that policies may compare with those of a resource, as ``aws:PrincipalTag/<tag>``.
    """

    service_account: ServiceAccount
    oidc_issuer: str
    role_name: str | None = None
    trusted_services: Sequence[str] = ()
    statements: Sequence[iam.PolicyStatement] = ()
    policies: Sequence[iam.IManagedPolicy] = ()
    boundary: iam.IManagedPolicy | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class ServiceAccountRole(Construct):
    """A role that one Kubernetes service account can take, and nobody else.

    Attributes:
        role: The role.
    """

    def __init__(self, scope: Construct, construct_id: str, props: ServiceAccountRoleProps) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        account = stack.account
        provider_arn = f"arn:{stack.partition}:iam::{account}:oidc-provider/{props.oidc_issuer}"
        self.role = iam.Role(
            self,
            "Resource",
            role_name=props.role_name,
            description=f"{props.service_account.namespace}/{props.service_account.name}",
            # The L2 wants a principal; the document that counts is the one below.
            assumed_by=iam.FederatedPrincipal(provider_arn, {}, "sts:AssumeRoleWithWebIdentity"),
            inline_policies={"Rights": iam.PolicyDocument(statements=props.statements)} if props.statements else None,
            managed_policies=list(props.policies) or None,
            permissions_boundary=props.boundary,
        )
        if props.statements:
            acknowledge(
                self.role,
                INLINE_POLICY,
                reason="what one service account may do stands in its role: nobody attaches it elsewhere, and there is "
                "no moment in which one is without the other",
            )
        resource = resource_of(self.role, iam.CfnRole)
        # An override, as aws-cdk-lib 2.275.0 sees no reference to another stack in a text that is set on the property.
        resource.add_property_override("AssumeRolePolicyDocument", _trust(props, provider_arn, account))
        for key, value in props.tags.items():
            resource.tags.set_tag(key, value)


def _trust(props: ServiceAccountRoleProps, provider_arn: str, account: str) -> str:
    # The condition's keys hold the issuer, which is known only on deploy, and CloudFormation has no function for
    # keys. The CDK's way out (CfnJson) is a Lambda for each role; CloudFormation also takes the document as text.
    statements: list[dict[str, object]] = [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": provider_arn},
            "Condition": {
                "StringEquals": {
                    f"{props.oidc_issuer}:aud": "sts.amazonaws.com",
                    f"{props.oidc_issuer}:sub": props.service_account.subject,
                }
            },
        }
    ]
    statements += [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": service},
            # Another account's service cannot be talked into using the role (the confused deputy).
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
        for service in props.trusted_services
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
