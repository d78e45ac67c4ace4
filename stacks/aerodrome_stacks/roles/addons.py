"""The roles of the controllers that everything else stands on."""

from aws_cdk import aws_iam as iam

from aerodrome_constructs.database.postgres_instance import MASTER_SECRET_TAG
from aerodrome_constructs.identity import allow, deny, karpenter_statements, load_balancer_controller_statements
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import ENVIRONMENT_TAG
from aerodrome_stacks.chart_values.front_door import kept_zone
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.hosts import hosts
from aerodrome_stacks.roles.rights import AccountRegion, RoleRights


def addon_roles(
    environment: Environment, *, place: AccountRegion, cluster: ClusterPorts, secrets_key_arn: str
) -> list[RoleRights]:
    """The load balancer controller, External Secrets, Karpenter, and what keeps DNS records where it does.

    Args:
        environment: What the team decided.
        place: Where all of it is.
        cluster: The cluster.
        secrets_key_arn: The key of the environment's secrets.
    """
    zone = kept_zone(environment)
    return [
        *([_external_dns(environment, place, zone)] if zone is not None else []),
        RoleRights(
            construct_id="LoadBalancerController",
            service_account=service_accounts.LOAD_BALANCER_CONTROLLER,
            statements=load_balancer_controller_statements(
                partition=place.partition, region=place.region, account=place.account, cluster_name=cluster.name
            ),
            because="it makes load balancers, whose ARNs end in what AWS makes up; conditions on tags keep it to "
            "its own cluster's where AWS has such, and what is allowed on everything takes no resource",
            wildcards=[
                "Resource::[*]",
                "Resource::arn:*:acm:*:certificate/[*]",
                "Resource::arn:*:ec2:*:security-group/[*]",
                "Resource::arn:*:ec2:*:vpc/[*]",
                "Resource::arn:*:elasticloadbalancing:*/[*]",
                "Resource::arn:*:iam::*:role/aws-service-role/elasticloadbalancing.amazonaws.com/[*]",
                "Resource::arn:*:wafv2:*:regional/webacl/[*]/[*]",
            ],
        ),
        RoleRights(
            construct_id="ExternalSecrets",
            service_account=service_accounts.EXTERNAL_SECRETS,
            statements=_external_secrets(environment, place, secrets_key_arn),
            because="secrets are added without a deploy; the tag of the environment says which it may read",
            wildcards=["Resource::arn:*:secretsmanager:*:secret:[*]"],
        ),
        RoleRights(
            construct_id="Karpenter",
            service_account=service_accounts.KARPENTER,
            statements=karpenter_statements(
                partition=place.partition,
                region=place.region,
                account=place.account,
                cluster_name=cluster.name,
                node_role_arn=cluster.node_role_arn,
                queue_arn=cluster.interruption_queue_arn,
            ),
            because="it starts instances, which have no ID before; conditions on tags keep it to its own "
            "cluster's, and what is allowed on everything takes no resource",
            wildcards=[
                "Resource::[*]",
                "Resource::arn:*:ec2:*/[*]",
                "Resource::arn:*:iam::*:instance-profile/[*]",
                "Resource::arn:*:ssm:*:parameter/aws/service/[*]",
            ],
        ),
    ]


def _external_dns(environment: Environment, place: AccountRegion, hosted_zone_id: str) -> RoleRights:
    zone = f"arn:{place.partition}:route53:::hostedzone/{hosted_zone_id}"
    return RoleRights(
        construct_id="ExternalDns",
        service_account=service_accounts.EXTERNAL_DNS,
        statements=[
            # Its own records are called cname-<host> and aaaa-<host>. Others of the zone, such as the proofs for
            # certificates and for mail, which are CNAMEs, are not its business.
            allow(
                ["route53:ChangeResourceRecordSets"],
                [zone],
                {
                    "ForAllValues:StringLike": {
                        "route53:ChangeResourceRecordSetsNormalizedRecordNames": [
                            f"*{name}" for name in hosts(environment)
                        ]
                    },
                    "ForAllValues:StringEquals": {"route53:ChangeResourceRecordSetsRecordTypes": ["A", "AAAA", "TXT"]},
                },
            ),
            allow(["route53:ListResourceRecordSets"], [zone]),
            allow(["route53:ListHostedZones"]),
        ],
        because="it finds the zone in the list of all zones, which takes no resource",
        wildcards=["Resource::[*]"],
    )


def _external_secrets(
    environment: Environment, place: AccountRegion, secrets_key_arn: str
) -> list[iam.PolicyStatement]:
    read = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    secrets = [place.arn("secretsmanager", "secret:*")]
    key, value = MASTER_SECRET_TAG
    return [
        # Every resource of the environment carries this tag (base.py), and so must a secret that is made by hand.
        allow(read, secrets, {"StringEquals": {f"secretsmanager:ResourceTag/{ENVIRONMENT_TAG}": environment.name}}),
        # The database's master user has it, too. No pod needs that one, and who may write an ExternalSecret would be
        # master of every database.
        deny(read, secrets, {"StringEquals": {f"secretsmanager:ResourceTag/{key}": value}}),
        allow(
            ["kms:Decrypt"],
            [secrets_key_arn],
            {"StringEquals": {"kms:ViaService": f"secretsmanager.{place.region}.amazonaws.com"}},
        ),
    ]
