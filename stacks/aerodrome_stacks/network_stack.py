"""The Network stack: the VPC that everything else stands in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.database.postgres_instance import PORT
from aerodrome_constructs.network import NODE_ENDPOINTS, PRIVATE_ENDPOINTS, PlatformVpc, PlatformVpcProps
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.retention import log_retention

# What the CDK makes to take the rules out of the default security group.
_DEFAULT_GROUP_PROVIDER = "Custom::VpcRestrictDefaultSGCustomResourceProvider"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPorts:
    """What other stacks may use of the network.

    Attributes:
        vpc: The VPC.
        node_subnets: Where nodes, Batch instances, Fargate tasks and Lambdas live: private, with a way out.
        pod_subnets: Where pods take their addresses from, by zone: routed like the node subnet of the zone.
        database_subnets: Where the database lives: private, with no way out.
        database_ranges: The ranges of those subnets, for network policies, which know no security groups.
        endpoint_ranges: The ranges of the subnets in which endpoints of AWS's services have their addresses, for the
            same policies. Empty where the VPC has none but the gateway of S3.
        database_clients: The security group that whatever may reach the database carries. The database lets this one
            in, and nothing else.
    """

    vpc: ec2.IVpc
    node_subnets: ec2.SubnetSelection
    pod_subnets: Mapping[str, ec2.ISubnet]
    database_subnets: ec2.SubnetSelection
    database_ranges: Sequence[str]
    endpoint_ranges: Sequence[str]
    database_clients: ec2.ISecurityGroup


class NetworkStack(AerodromeStack):
    """A VPC over three zones with subnets, NAT, endpoints and flow logs; without a way out where that is private."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, log_key: kms.IKey) -> None:
        super().__init__(
            scope, construct_id, environment=environment, description="VPC, subnets, NAT, endpoints and flow logs"
        )
        endpoints = _interface_endpoints(environment)
        network = PlatformVpc(
            self,
            "Vpc",
            PlatformVpcProps(
                cidr=environment.network.cidr,
                pod_cidr=environment.network.pod_cidr,
                availability_zones=environment.network.availability_zones,
                nat_gateways=environment.network.nat_gateways,
                interface_endpoints=endpoints,
                flow_log_retention=log_retention(environment),
                log_key=log_key,
            ),
        )
        self.tag_by_hand(self.node.find_child(_DEFAULT_GROUP_PROVIDER), "Role", "Handler")
        self.ports = NetworkPorts(
            vpc=network.vpc,
            node_subnets=network.node_subnets,
            pod_subnets=network.pod_subnets,
            database_subnets=network.database_subnets,
            database_ranges=_ranges(network.vpc, network.database_subnets),
            endpoint_ranges=_ranges(network.vpc, network.node_subnets) if endpoints else (),
            database_clients=self._database_clients(network.vpc),
        )

    def _database_clients(self, vpc: ec2.IVpc) -> ec2.ISecurityGroup:
        clients = ec2.SecurityGroup(
            self,
            "DatabaseClients",
            vpc=vpc,
            description="Carried by what may reach the database",
            allow_all_outbound=False,
        )
        clients.add_egress_rule(ec2.Peer.ipv4(vpc.vpc_cidr_block), ec2.Port.tcp(PORT), "The database")
        # Wherever that is: S3 has addresses outside the VPC even where it is reached over the VPC's endpoint alone.
        clients.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "AWS, for passwords, keys and answers")
        return clients


def _ranges(vpc: ec2.IVpc, selection: ec2.SubnetSelection) -> Sequence[str]:
    subnets = vpc.select_subnets(subnet_group_name=selection.subnet_group_name).subnets
    return tuple(subnet.ipv4_cidr_block for subnet in subnets)


def _interface_endpoints(environment: Environment) -> Mapping[str, str]:
    if environment.network.private:
        # Amazon SES, for the one environment in many whose Flyte writes emails.
        emails = {"Email": "email"} if environment.flyte.notifications else {}
        # Amazon Managed Service for Prometheus, where a workspace of it keeps the metrics as well.
        metrics = {"PrometheusWorkspaces": "aps-workspaces"} if environment.monitoring.remote_write else {}
        return {**PRIVATE_ENDPOINTS, **emails, **metrics}
    # Where the cluster's own endpoint is private, so is the way to the services that its nodes call.
    return {} if environment.cluster.public_endpoint_cidrs else NODE_ENDPOINTS
