"""The add-ons that EKS manages: networking, DNS, disks, and the roles of pods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct


@dataclass(frozen=True, slots=True, kw_only=True)
class PodNetwork:
    """Where the pods of one zone get their addresses from.

    Attributes:
        subnet_id: The subnet. It is in the zone, and nodes are in another subnet of that zone.
        security_group_ids: What pods carry, five at most. Nodes keep their own.
    """

    subnet_id: str
    security_group_ids: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOnsProps:
    """What the add-ons of one cluster need to know.

    Attributes:
        cluster: The cluster.
        versions: The version of each add-on by its name. Every add-on has one: EKS's default of the day would be
            another one in each environment.
        pod_networks: Where pods get their addresses from, by availability zone.
        vpc_cni_role_arn: The IAM role of the VPC CNI, which gives nodes network interfaces and addresses.
        ebs_csi_role_arn: The IAM role of the EBS CSI driver's controller, which makes and attaches disks.
    """

    cluster: eks.ICluster
    versions: Mapping[str, str]
    pod_networks: Mapping[str, PodNetwork]
    vpc_cni_role_arn: str
    ebs_csi_role_arn: str


class AddOns(Construct):
    """The EKS add-ons, in the order in which a new cluster can take them.

    A node is not ready without ``vpc-cni`` and ``kube-proxy``, and takes its number of pods from how ``vpc-cni`` is
    configured when it starts, so these come before the nodes; so does the Pod Identity agent, which runs on each of
    them. ``coredns`` and the EBS CSI driver have pods that need a node to run on, so they come after: EKS calls an
    add-on whose pods cannot start DEGRADED, and CloudFormation fails the stack for it.
    """

    def __init__(self, scope: Construct, construct_id: str, props: AddOnsProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._before_nodes = [
            self._add("VpcCni", "vpc-cni", role_arn=props.vpc_cni_role_arn, configuration=self._pod_networking()),
            self._add("KubeProxy", "kube-proxy"),
            self._add("PodIdentityAgent", "eks-pod-identity-agent"),
        ]
        self._after_nodes = [
            self._add("CoreDns", "coredns"),
            self._add("EbsCsiDriver", "aws-ebs-csi-driver", role_arn=props.ebs_csi_role_arn),
        ]

    def surround(self, first_nodes: eks.Nodegroup, *other_nodes: eks.Nodegroup) -> None:
        """Put the nodes between the add-ons that they need and those that need them.

        Args:
            first_nodes: The node group that is there from the start: DNS and the disk driver run on it.
            other_nodes: The other node groups. They may be empty, so nothing waits for them.
        """
        for nodes in (first_nodes, *other_nodes):
            for add_on in self._before_nodes:
                nodes.node.add_dependency(add_on)
        for add_on in self._after_nodes:
            add_on.node.add_dependency(first_nodes)

    def _pod_networking(self) -> str:
        # The keys are those of `aws eks describe-addon-configuration --addon-name vpc-cni`, which are values of the
        # chart aws-vpc-cni (aws/amazon-vpc-cni-k8s, v1.22.4), whose switches are text.
        stack = cdk.Stack.of(self)
        return stack.to_json_string(
            {
                "env": {
                    # Pods get their addresses from the subnets below, not from the one that their node is in.
                    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "true",
                    # The node's label whose value is the name of an ENIConfig, of which there is one for each zone.
                    "ENI_CONFIG_LABEL_DEF": "topology.kubernetes.io/zone",
                    # An interface's slot holds 16 addresses (/28) in place of one: the smallest node, a `large` with 3
                    # interfaces of 10 slots, one interface and each first slot being the node's own, has room for
                    # 2 x 9 x 16 = 288 pods and not for 18.
                    "ENABLE_PREFIX_DELEGATION": "true",
                    # One /28 ahead of need: a pod's start does not wait for EC2, and an idle node holds no more.
                    "WARM_PREFIX_TARGET": "1",
                },
                "eniConfig": {
                    "create": True,
                    "region": stack.region,
                    "subnets": {
                        zone: {"id": network.subnet_id, "securityGroups": list(network.security_group_ids)}
                        for zone, network in self._props.pod_networks.items()
                    },
                },
                # Without it, NetworkPolicy objects are accepted and do nothing.
                "enableNetworkPolicy": "true",
            }
        )

    def _add(
        self, construct_id: str, name: str, *, role_arn: str | None = None, configuration: str | None = None
    ) -> eks.CfnAddon:
        return eks.CfnAddon(
            self,
            construct_id,
            addon_name=name,
            addon_version=self._version(name),
            cluster_name=self._props.cluster.cluster_name,
            configuration_values=configuration,
            # An add-on takes over what an earlier hand left, rather than failing on it.
            resolve_conflicts="OVERWRITE",
            service_account_role_arn=role_arn,
        )

    def _version(self, name: str) -> str:
        try:
            return self._props.versions[name]
        except KeyError:
            message = (
                f"no version is given for the add-on {name}, only for {', '.join(sorted(self._props.versions))}; EKS "
                "would choose its default of the day: pin one"
            )
            raise ValueError(message) from None
