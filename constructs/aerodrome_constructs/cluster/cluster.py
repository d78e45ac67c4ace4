"""An EKS cluster that a bank could run: private by default, encrypted, logged, and without a creator's back door."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from aerodrome_constructs.cluster.kubectl_provider import acknowledge_kubectl_provider
from aerodrome_constructs.cluster.kubernetes_version import KubernetesRelease
from aerodrome_constructs.escape_hatch import resource_of


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesClusterProps:
    """What a cluster needs to know.

    Attributes:
        name: The cluster's name. kubeconfigs, dashboards and IAM conditions carry it, so it is chosen, not generated.
        release: The Kubernetes version and the kubectl that goes with it.
        vpc: The VPC.
        subnets: Where the control plane's network interfaces and the kubectl Lambda are: private subnets.
        secrets_key: The key that encrypts Kubernetes secrets in etcd.
        log_key: The key that encrypts the control plane's logs. Its policy must let CloudWatch Logs of the region use
            it.
        log_retention: How long the control plane's logs are kept, the record of who did what among them, and those of
            the Lambda functions that install charts.
        public_endpoint_cidrs: Who may reach the API server from outside the VPC. Empty: nobody.
        administrators: ARNs of the IAM roles that may do everything in the cluster.
        viewers: ARNs of the IAM roles that may look at what is in namespaces, by AmazonEKSViewPolicy: not at secrets,
            nodes or custom resources (FlyteWorkflows are some).
    """

    name: str
    release: KubernetesRelease
    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    secrets_key: kms.IKey
    log_key: kms.IKey
    log_retention: logs.RetentionDays
    public_endpoint_cidrs: Sequence[IPv4Network]
    administrators: Sequence[str]
    viewers: Sequence[str]


class KubernetesCluster(Construct):
    """An EKS cluster with its OIDC provider, the people who may use it, and deletion protection.

    The identity that creates the cluster gets no rights in it: only the roles named in the props do, and the Lambda
    that installs the charts.

    Attributes:
        cluster: The cluster.
        oidc_issuer: The issuer of the cluster's service account tokens, without ``https://``. IAM knows it as an OIDC
            provider, so that roles can trust those tokens (IRSA).
    """

    def __init__(self, scope: Construct, construct_id: str, props: KubernetesClusterProps) -> None:
        super().__init__(scope, construct_id)
        cluster = eks.Cluster(
            self,
            "Resource",
            cluster_name=props.name,
            version=props.release.version,
            vpc=props.vpc,
            vpc_subnets=[props.subnets],
            endpoint_access=_endpoint_access(props.public_endpoint_cidrs),
            secrets_encryption_key=props.secrets_key,
            cluster_logging=[
                eks.ClusterLoggingTypes.API,
                eks.ClusterLoggingTypes.AUDIT,
                eks.ClusterLoggingTypes.AUTHENTICATOR,
                eks.ClusterLoggingTypes.CONTROLLER_MANAGER,
                eks.ClusterLoggingTypes.SCHEDULER,
            ],
            bootstrap_cluster_creator_admin_permissions=False,
            # The networking add-ons come from EKS's add-on manager (`add_ons.py`), which updates them when asked.
            bootstrap_self_managed_addons=False,
            # Auto Mode is the CDK's default; it has no spot node groups of a chosen shape.
            default_capacity_type=eks.DefaultCapacityType.NODEGROUP,
            default_capacity=0,
            kubectl_provider_options=eks.KubectlProviderOptions(
                kubectl_layer=props.release.kubectl_layer(self, "KubectlLayer"),
                private_subnets=props.vpc.select_subnets(subnet_group_name=props.subnets.subnet_group_name).subnets,
            ),
            # Changed by hand in the account, should it ever be necessary, not by a template that lost a line.
            removal_policy=cdk.RemovalPolicy.RETAIN,
            output_config_command=False,
        )
        _complete(resource_of(cluster, eks.CfnCluster))
        self._keep_logs(cluster, props)
        acknowledge_kubectl_provider(cluster)
        # jsii's type stubs leave a member of the interface out of the class, so a type checker needs to be told.
        self.cluster = cast("eks.ICluster", cluster)
        self._admit("Administrator", props.administrators, eks.AccessPolicyArn.AMAZON_EKS_CLUSTER_ADMIN_POLICY)
        self._admit("Viewer", props.viewers, eks.AccessPolicyArn.AMAZON_EKS_VIEW_POLICY)
        # The CDK makes the provider when it is first asked for.
        _ = cluster.open_id_connect_provider
        self.oidc_issuer = cdk.Fn.select(1, cdk.Fn.split("https://", cluster.cluster_open_id_connect_issuer_url))

    def _keep_logs(self, cluster: eks.Cluster, props: KubernetesClusterProps) -> None:
        # EKS writes to the group of this name. Where there is none, it makes one without a key that keeps all for ever.
        group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/eks/{props.name}/cluster",
            retention=props.log_retention,
            encryption_key=props.log_key,
            # Not when its creation is rolled back: its name would be taken at the next try.
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        ours = resource_of(group, logs.CfnLogGroup)
        resource_of(cluster, eks.CfnCluster).add_resource_dependency(ours)
        # The CDK's Lambda functions run helm and kubectl: what they log is part of who did what. It gives their groups
        # two years and no key, and KubectlProviderOptions has no word for either.
        for found in cluster.node.find_child("KubectlProvider").node.find_all():
            if isinstance(found, logs.CfnLogGroup):
                found.retention_in_days = ours.retention_in_days
                found.kms_key_id = props.log_key.key_arn

    def _admit(self, kind: str, roles: Sequence[str], policy: eks.AccessPolicyArn) -> None:
        whole_cluster = eks.AccessScope(type=eks.AccessScopeType.CLUSTER)
        for role in roles:
            # Two roles may differ in their paths alone. An ID cannot have the slash, and no path or name has a colon.
            path = role.partition(":role/")[2].replace("/", ":")
            eks.AccessEntry(
                self,
                f"{kind}{path}",
                cluster=self.cluster,
                principal=role,
                access_policies=[eks.AccessPolicy(access_scope=whole_cluster, policy=policy)],
            )


def _complete(cluster: eks.CfnCluster) -> None:
    # eks_v2.ClusterProps has none of these in 2.275.0; of the first: https://github.com/aws/aws-cdk/issues/36474
    cluster.deletion_protection = True
    # At the end of its 14 months of standard support a version is upgraded, rather than billed sixfold.
    cluster.upgrade_policy = eks.CfnCluster.UpgradePolicyProperty(support_type="STANDARD")
    # When a zone fails, AWS (or somebody on call) moves the cluster's traffic away from it.
    cluster.zonal_shift_config = eks.CfnCluster.ZonalShiftConfigProperty(enabled=True)


def _endpoint_access(public_cidrs: Sequence[IPv4Network]) -> eks.EndpointAccess:
    if not public_cidrs:
        return eks.EndpointAccess.PRIVATE
    return eks.EndpointAccess.PUBLIC_AND_PRIVATE.only_from(*(str(cidr) for cidr in public_cidrs))
