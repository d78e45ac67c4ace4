"""A role that is taken in an emergency, by name, for an hour."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.emergency.rights import Reach, emergency_statements
from aerodrome_constructs.escape_hatch import resource_of
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import WILDCARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlassRoleProps:
    """What the role needs to know.

    Attributes:
        name: Its name: chosen, so that it can be written down where it is looked for at night.
        trusted: ARNs of the roles that may take it.
        reach: How far its rights go.
    """

    name: str
    trusted: Sequence[str]
    reach: Reach


class BreakGlassRole(Construct):
    """A role that looks at what is no data, acts on one environment, and cannot hide that it did.

    That is what AWS lets it do. Who makes it an administrator of a cluster gives it whatever pods there can reach as
    well, passwords and data among it: the roles of service accounts are an administrator's for the asking.

    Who takes it must say who they are (a source identity, which stays in CloudTrail on everything that the session
    does) and must ask the environment's region, as CloudTrail tells of it only there. A condition on MFA would keep
    everybody out: a session that takes another role, as each does that comes by single sign-on, has no such key
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html). MFA belongs to the
    sign-on of the trusted roles. Such a session also ends after an hour, whatever a role allows
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining).

    Attributes:
        role: The role.
    """

    def __init__(self, scope: Construct, construct_id: str, props: BreakGlassRoleProps) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(
            self,
            "Resource",
            role_name=props.name,
            description="Taken in an emergency. Every use raises an alarm",
            max_session_duration=cdk.Duration.hours(1),
            # The L2 wants a principal; the document that counts is the one below.
            assumed_by=iam.AccountRootPrincipal(),
        )
        resource_of(self.role, iam.CfnRole).assume_role_policy_document = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "InAnEmergency",
                    "Effect": "Allow",
                    "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
                    "Principal": {"AWS": list(props.trusted)},
                    "Condition": {
                        # Any, but there must be one.
                        "StringLike": {"sts:SourceIdentity": "*"},
                        "StringEquals": {"aws:RequestedRegion": props.reach.region},
                    },
                }
            ],
        }
        iam.ManagedPolicy(
            self,
            "Rights",
            roles=[self.role],
            document=iam.PolicyDocument(statements=[*emergency_statements(props.reach)]),
        )
        acknowledge(
            self,
            WILDCARDS,
            reason="who breaks the glass looks at what is no data, as nobody knows before what is broken; what acts is "
            "bound to the environment's tag or to its stacks and database, and what reads events to its log groups",
            findings=[
                "Action::*:Describe[*]",
                "Action::*:Get*[*]",
                "Action::*:List[*]",
                "Resource::[*]",
                "Resource::arn:*:batch:*:job/[*]",
                f"Resource::arn:*:cloudformation:*:stack/{props.reach.prefix}-[*]",
                *(
                    f"Resource::arn:*:logs:*:log-group:{group.replace('*', '[*]')}:[*]"
                    for group in props.reach.log_groups
                ),
                f"Resource::arn:*:rds:*:db:{props.reach.prefix}-[*]",
                f"Resource::arn:*:rds:*:snapshot:{props.reach.prefix}-[*]",
            ],
        )
