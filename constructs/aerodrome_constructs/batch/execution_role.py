"""What ECS may do to start a job's container, and nothing of what the code in it may."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.identity import Conditions, allow, service_role

_TOKEN = "Resource::[*]"  # noqa: S105 - the finding about ecr:GetAuthorizationToken
_STREAMS = "Resource::arn:*:logs:*:log-group:*:[*]"
_REPOSITORIES = "Resource::arn:*:ecr:*:repository/[*]"
_SECRETS = "Resource::arn:*:secretsmanager:*:secret:*/[*]"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExecutionRoleProps:
    """What the role needs to know.

    Attributes:
        log_group_name: The one log group that its containers write to.
        boundary: The most that the role may do, whatever it is given.
        repositories: The repositories of the account's own registry that images come from; ``*`` stands for all.
            Default: none.
        secret_arns: Patterns of the ARNs of the secrets that containers get. Default: none.
        secret_conditions: When it may read one, such as by the secret's tags. Default: always.
        secrets_key_arn: The key that encrypts the secrets. Default: the one that AWS manages, which needs no right.
        tags: The role's tags, which a boundary may compare with those of a secret.
        role_name: The role's name, where another stack works it out rather than being told. Default: generated.
    """

    log_group_name: str
    boundary: iam.IManagedPolicy
    repositories: Sequence[str] = ()
    secret_arns: Sequence[str] = ()
    secret_conditions: Conditions | None = None
    secrets_key_arn: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    role_name: str | None = None


class JobExecutionRole(Construct):
    """The role that ECS starts the containers of one project's jobs with.

    Attributes:
        role: The role.
    """

    def __init__(self, scope: Construct, construct_id: str, props: JobExecutionRoleProps) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        self._here = f"{stack.region}:{stack.account}"
        self._partition, self._region = stack.partition, stack.region
        self.role = service_role(
            self,
            "Resource",
            service="ecs-tasks.amazonaws.com",
            statements=self._statements(props),
            wildcards=_wildcards(props),
            because="a log stream is named by the task that writes it, and a registry's token is for no one image; "
            "where people choose images and secrets themselves, all of the account's registry are theirs to choose "
            "from, and of secrets those below a prefix that carry their tags",
            boundary=props.boundary,
            role_name=props.role_name,
        )
        for key, value in props.tags.items():
            cdk.Tags.of(self.role).add(key, value)

    def _statements(self, props: JobExecutionRoleProps) -> list[iam.PolicyStatement]:
        log_group = self._arn("logs", f"log-group:{props.log_group_name}:*")
        statements = [allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group])]
        if props.repositories:
            statements += [
                allow(["ecr:GetAuthorizationToken"]),
                allow(
                    ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                    [self._arn("ecr", f"repository/{name}") for name in props.repositories],
                ),
            ]
        if props.secret_arns:
            statements.append(allow(["secretsmanager:GetSecretValue"], props.secret_arns, props.secret_conditions))
        if props.secret_arns and props.secrets_key_arn:
            through = {"kms:ViaService": f"secretsmanager.{self._region}.amazonaws.com"}
            statements.append(allow(["kms:Decrypt"], [props.secrets_key_arn], {"StringEquals": through}))
        return statements

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self._partition}:{service}:{self._here}:{resource}"


def _wildcards(props: JobExecutionRoleProps) -> list[str]:
    found = [_STREAMS]
    if props.repositories:
        found.append(_TOKEN)
    if "*" in props.repositories:
        found.append(_REPOSITORIES)
    if any(arn.endswith("/*") for arn in props.secret_arns):
        found.append(_SECRETS)
    return found
