"""The most that any role of a workload may do, whatever it is given."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.file_systems import CLIENT_ACTIONS
from aerodrome_constructs.identity.bucket_access import key_statement
from aerodrome_constructs.identity.statements import allow, deny
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import WILDCARDS

PROJECT_TAG = "aerodrome:project"
"""The tag of a role and of a secret that says whose they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadBoundaryProps:
    """What a boundary needs to know.

    Attributes:
        bucket_arns: The buckets whose objects workloads may be given access to.
        data_key_arn: The key that encrypts them.
        secrets_key_arn: The key that encrypts the secrets. None: no secrets.
        file_system_arn: The EFS file system that workloads may be let into. None: none.
        log_groups: Patterns of the names of log groups that workloads may write to.
        kept_objects: Patterns of the ARNs of objects that workloads neither write nor take away, as somebody else acts
            on what they say. Default: none.
        policy_name: The policy's name, where roles that are made by hand need it. Default: generated.
    """

    bucket_arns: Sequence[str]
    data_key_arn: str
    log_groups: Sequence[str]
    kept_objects: Sequence[str] = ()
    secrets_key_arn: str | None = None
    file_system_arn: str | None = None
    policy_name: str | None = None


class WorkloadBoundary(Construct):
    """A permissions boundary for the roles that people's code runs with.

    It gives nothing. A role has what its own policies allow *and* this allows: objects in the platform's buckets, with
    their key; secrets that carry the same project tag as the role; files of a file system; log events; images. The
    denials hold even against a policy of a bucket or key that would let the role in by itself, which a boundary's lack
    of permission does not always (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html).

    Attributes:
        policy: The policy, for a role's ``permissions_boundary``.
    """

    def __init__(self, scope: Construct, construct_id: str, props: WorkloadBoundaryProps) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        self._region, self._here = stack.region, f"{stack.region}:{stack.account}"
        self._partition = stack.partition
        self.policy = iam.ManagedPolicy(
            self,
            "Resource",
            managed_policy_name=props.policy_name,
            description="The most that a workload's role may do, whatever it is given",
            document=iam.PolicyDocument(statements=[*self._allowed(props), *self._denied(props)]),
        )
        acknowledge(
            self.policy,
            WILDCARDS,
            reason="a boundary gives nothing: it says how far the policies of roles may go, which name the prefix, the "
            "log and the image",
            findings=[
                "Resource::[*]",
                "Resource::<*.Arn>/[*]",
                "Resource::arn:*:ecr:*:repository/[*]",
                "Resource::arn:*:logs:*:log-group:*:[*]",
                *(["Resource::arn:*:secretsmanager:*:secret:[*]"] if props.secrets_key_arn else []),
            ],
        )

    def _allowed(self, props: WorkloadBoundaryProps) -> list[iam.PolicyStatement]:
        statements = [
            allow(
                [
                    "s3:AbortMultipartUpload",
                    "s3:DeleteObject",
                    "s3:GetObject",
                    "s3:GetObjectVersion",
                    "s3:PutObject",
                ],
                [f"{bucket}/*" for bucket in props.bucket_arns],
            ),
            allow(["s3:ListBucket"], props.bucket_arns),
            key_statement(["kms:Decrypt", "kms:GenerateDataKey"], props.data_key_arn, self._region, props.bucket_arns),
            allow(
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                [self._arn("logs", f"log-group:{name}:*") for name in props.log_groups],
            ),
            allow(["ecr:GetAuthorizationToken"]),
            allow(
                ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                [self._arn("ecr", "repository/*")],
            ),
        ]
        if props.secrets_key_arn is not None:
            statements += self._own_secrets(props.secrets_key_arn)
        if props.file_system_arn is not None:
            statements.append(allow(CLIENT_ACTIONS, [props.file_system_arn]))
        return statements

    def _own_secrets(self, key_arn: str) -> list[iam.PolicyStatement]:
        own = {f"secretsmanager:ResourceTag/{PROJECT_TAG}": f"${{aws:PrincipalTag/{PROJECT_TAG}}}"}
        return [
            allow(
                ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
                [self._arn("secretsmanager", "secret:*")],
                {"StringEquals": own},
            ),
            allow(
                ["kms:Decrypt"],
                [key_arn],
                {"StringEquals": {"kms:ViaService": f"secretsmanager.{self._region}.amazonaws.com"}},
            ),
        ]

    def _denied(self, props: WorkloadBoundaryProps) -> list[iam.PolicyStatement]:
        kept = [deny(["s3:DeleteObject*", "s3:PutObject*"], props.kept_objects)] if props.kept_objects else []
        return [
            *kept,
            # Also what would take the boundary away: iam:DeleteRolePermissionsBoundary, iam:CreatePolicyVersion.
            deny(["account:*", "iam:*", "organizations:*", "sts:AssumeRole"]),
            deny(["*"], conditions={"StringNotEquals": {"aws:RequestedRegion": self._region}}),
        ]

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self._partition}:{service}:{self._here}:{resource}"
