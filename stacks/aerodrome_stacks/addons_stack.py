"""The Addons stack: the releases that every other release stands on."""

from constructs import Construct

from aerodrome_constructs.cluster import KUBERNETES_RELEASES
from aerodrome_constructs.helm import HelmRelease, HelmReleaseProps, Value
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.chart_values import addons, release
from aerodrome_stacks.chart_values.front_door import kept_zone
from aerodrome_stacks.chart_values.node_pools import NodeClassInputs, has_gpus, node_pools
from aerodrome_stacks.chart_values.operators import operators
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.network_stack import NetworkPorts


class AddonsStack(AerodromeStack):
    """Namespaces and storage, load balancers, secrets, Karpenter and its nodes, and the operators of Flyte's plugins.

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
        self._environment = environment
        self._cluster = cluster
        self._kubernetes = KUBERNETES_RELEASES[environment.cluster.kubernetes_version]
        roles = identity.service_accounts
        foundation = self._release(
            "Foundation", "aerodrome-foundation", addons.foundation(database_ranges=network.database_ranges)
        )
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
        karpenter = self._release(
            "Karpenter",
            "karpenter",
            addons.karpenter(
                environment,
                cluster_name=cluster.name,
                role_arn=roles[service_accounts.KARPENTER],
                queue_name=cluster.interruption_queue_name,
            ),
        )
        followers = (
            self._release(
                "ExternalSecrets",
                "external-secrets",
                addons.external_secrets(role_arn=roles[service_accounts.EXTERNAL_SECRETS]),
            ),
            karpenter,
            self._release("MetricsServer", "metrics-server", {}),
            self._release("Reloader", "reloader", {}),
            *(self._release(one.construct_id, one.folder, {}) for one in operators(environment)),
        )
        zone = kept_zone(environment)
        if zone is not None:
            values = addons.external_dns(
                environment, hosted_zone_id=zone, role_arn=roles[service_accounts.EXTERNAL_DNS]
            )
            followers = (*followers, self._release("ExternalDns", "external-dns", values))
        if any(has_gpus(group) for group in environment.cluster.spot_nodes):
            self._release("NvidiaDevicePlugin", "nvidia-device-plugin", addons.nvidia_device_plugin())
        for follower in followers:
            follower.node.add_dependency(foundation, load_balancers)
        pools = self._release("NodePools", "aerodrome-node-pools", node_pools(environment, self._node_class(network)))
        # Their CRDs come with it.
        pools.node.add_dependency(karpenter)

    def _node_class(self, network: NetworkPorts) -> NodeClassInputs:
        nodes = network.vpc.select_subnets(subnet_group_name=network.node_subnets.subnet_group_name).subnets
        return NodeClassInputs(
            image_alias=self._kubernetes.node_image_alias,
            instance_profile=self._cluster.node_instance_profile,
            subnet_ids=[subnet.subnet_id for subnet in nodes],
            security_group_id=self._cluster.security_group_id,
        )

    def _release(self, construct_id: str, folder: str, values: dict[str, Value]) -> HelmRelease:
        spec = release(folder, self._environment)
        self._kubernetes.check_chart(folder, spec.version)
        props = HelmReleaseProps(cluster=self._cluster.cluster, spec=spec, values=values)
        return HelmRelease(self, construct_id, props)
