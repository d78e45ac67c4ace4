"""The Emergency stack: a way in when every other has failed, that nobody takes unseen."""

from aws_cdk import aws_eks as eks
from constructs import Construct

from aerodrome_constructs.emergency import BreakGlassRole, BreakGlassRoleProps, Reach, RoleWatch, RoleWatchProps
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.base import ENVIRONMENT_TAG, AerodromeStack
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.environment import Environment

RUNBOOK = "runbooks/break-glass-used.md"
"""What those do who are told that the role was taken."""

_CLUSTER_ADMIN = "eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


class EmergencyStack(AerodromeStack):
    """The break-glass role, its access to the cluster, and the alarm on its use.

    It is made where the environment says who may take the role.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        cluster: ClusterPorts,
        alerts: AlertsPorts,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Break-glass role, its access to the cluster, and the alarm on its use",
        )
        name = f"{self.prefix}-break-glass"
        role = BreakGlassRole(
            self,
            "BreakGlass",
            BreakGlassRoleProps(
                name=name,
                trusted=environment.access.break_glass,
                reach=Reach(
                    partition=self.partition,
                    account=self.account,
                    region=self.region,
                    prefix=self.prefix,
                    tag=(ENVIRONMENT_TAG, environment.name),
                    log_groups=[
                        f"/aerodrome/{environment.name}/*",
                        f"/aws/eks/{self.prefix}/*",
                        f"/aws/lambda/{self.prefix}-*",
                        f"/aws/rds/instance/{self.prefix}-*",
                        f"/aws/vendedlogs/states/{self.prefix}-*",
                        # Those that CloudFormation names: after their stacks.
                        f"{self.prefix}-*",
                    ],
                    # The name that DatabaseStack chooses. A test holds the two together.
                    rotation=f"{self.prefix}-password-rotation",
                ),
            ),
        ).role
        eks.CfnAccessEntry(
            self,
            "ClusterAccess",
            cluster_name=cluster.cluster.cluster_name,
            principal_arn=role.role_arn,
            type="STANDARD",
            access_policies=[
                eks.CfnAccessEntry.AccessPolicyProperty(
                    policy_arn=f"arn:{self.partition}:{_CLUSTER_ADMIN}",
                    access_scope=eks.CfnAccessEntry.AccessScopeProperty(type="cluster"),
                )
            ],
        )
        RoleWatch(self, "Watch", RoleWatchProps(name=name, role=role, topic=alerts.topic, runbook=RUNBOOK))
