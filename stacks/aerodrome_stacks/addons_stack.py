"""The Addons stack: the releases that every other release stands on."""

from constructs import Construct

from aerodrome_constructs.helm import HelmRelease, HelmReleaseProps, Value
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.chart_values import addons, release
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.network_stack import NetworkPorts


class AddonsStack(AerodromeStack):
    """Namespaces and storage, load balancers, secrets, Karpenter, and the metrics that autoscalers read.

    The load balancer controller comes before whatever has a Service or an Ingress: until its pods answer, its webhooks
    refuse both. The others follow side by side.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        cluster: ClusterPorts,
        identity: IdentityPorts,
        network: NetworkPorts,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Helm releases below all others: load balancers, secrets, nodes on demand, metrics",
        )
        self._cluster = cluster
        roles = identity.service_accounts
        foundation = self._release("Foundation", "aerodrome-foundation", {})
        load_balancers = self._release(
            "LoadBalancerController",
            "aws-load-balancer-controller",
            addons.load_balancer_controller(
                environment,
                cluster_name=cluster.name,
                vpc_id=network.vpc.vpc_id,
                role_arn=roles[service_accounts.LOAD_BALANCER_CONTROLLER],
            ),
        )
        followers = (
            self._release(
                "ExternalSecrets",
                "external-secrets",
                addons.external_secrets(role_arn=roles[service_accounts.EXTERNAL_SECRETS]),
            ),
            self._release(
                "Karpenter",
                "karpenter",
                addons.karpenter(cluster_name=cluster.name, role_arn=roles[service_accounts.KARPENTER]),
            ),
            self._release("MetricsServer", "metrics-server", {}),
        )
        for follower in followers:
            follower.node.add_dependency(foundation, load_balancers)

    def _release(self, construct_id: str, folder: str, values: dict[str, Value]) -> HelmRelease:
        props = HelmReleaseProps(cluster=self._cluster.cluster, spec=release(folder), values=values)
        return HelmRelease(self, construct_id, props)
