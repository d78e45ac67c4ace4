"""A VPC over three zones, with nodes that nobody outside can reach and a database that cannot reach outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from types import MappingProxyType

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from aerodrome_constructs.network.endpoints import (
    add_interface_endpoint,
    keep_s3_to_own_account,
    keep_to_own_account,
)
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import INLINE_POLICY, INTERNET_ROUTE, ZONES_BY_NAME

_FOR_NODES = "Nodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformVpcProps:
    """What a platform VPC needs to know.

    Attributes:
        cidr: The VPC's range. Three quarters of it go to the nodes' subnets, one for each zone.
        pod_cidr: A second range of the VPC. Three quarters of it go to the pods' subnets, one for each zone.
        availability_zones: The zones, one subnet of each kind in each.
        nat_gateways: How many NAT gateways carry traffic to the internet. With one for each zone, a zone's failure
            leaves the others' way out standing; with fewer, the zones share. With none there is no way out or in: no
            public subnets, no internet gateway, and nothing but the account's own goes through the endpoints.
        interface_endpoints: The AWS services that are reached over endpoints in the VPC, as
            :mod:`aerodrome_constructs.network.endpoints` lists them. Each costs about $0.01 an hour and zone. The
            gateway endpoint of S3 is always there, as it costs nothing.
        flow_log_retention: How long the record of every connection is kept.
        log_key: The key that encrypts the flow logs. Its policy must let CloudWatch Logs of the region use it.
    """

    cidr: IPv4Network
    pod_cidr: IPv4Network
    availability_zones: tuple[str, ...]
    nat_gateways: int
    interface_endpoints: Mapping[str, str]
    flow_log_retention: logs.RetentionDays
    log_key: kms.IKey


class PlatformVpc(Construct):
    """A VPC with public, node, pod and database subnets in every zone, and flow logs of all traffic.

    Public subnets hold NAT gateways and internet-facing load balancers, nothing else. Node and pod subnets reach out
    through NAT. Database subnets have no route out at all.

    Attributes:
        vpc: The VPC.
        node_subnets: Where nodes, Batch instances, Fargate tasks, Lambdas and internal load balancers live.
        pod_subnets: Where pods take their addresses from, by zone. They are routed like the node subnet of the zone.
        database_subnets: Where RDS lives.
    """

    def __init__(self, scope: Construct, construct_id: str, props: PlatformVpcProps) -> None:
        super().__init__(scope, construct_id)
        self._props = props
        self._closed = props.nat_gateways == 0
        self.vpc = self._add_vpc()
        self.node_subnets = ec2.SubnetSelection(subnet_group_name=_FOR_NODES)
        self.database_subnets = ec2.SubnetSelection(subnet_group_name="Database")
        self.pod_subnets = self._add_pod_subnets(props.pod_cidr)
        self._tag_for_load_balancers()
        self._keep_flow_logs()
        self._add_endpoints()
        acknowledge(
            self.vpc,
            INTERNET_ROUTE,
            reason="NAT gateways stand in the public subnets and need the route; nothing else does, and nothing gets a "
            "public address by starting there",
        )
        acknowledge(
            self,
            ZONES_BY_NAME,
            reason="the environment names its zones: looking them up would make two synths of one commit differ",
        )

    def _add_vpc(self) -> ec2.Vpc:
        # A /16 gives each zone a /18 for nodes, and a /22 each for load balancers and for the database:
        # 3 x 1/4 + 6 x 1/64 of the range.
        nodes, small = self._props.cidr.prefixlen + 2, self._props.cidr.prefixlen + 6
        return ec2.Vpc(
            self,
            "Resource",
            ip_addresses=ec2.IpAddresses.cidr(str(self._props.cidr)),
            availability_zones=list(self._props.availability_zones),
            nat_gateways=self._props.nat_gateways,
            restrict_default_security_group=True,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name=_FOR_NODES,
                    subnet_type=(
                        ec2.SubnetType.PRIVATE_ISOLATED if self._closed else ec2.SubnetType.PRIVATE_WITH_EGRESS
                    ),
                    cidr_mask=nodes,
                ),
                ec2.SubnetConfiguration(
                    name="Public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=small,
                    map_public_ip_on_launch=False,
                    # Without a way out there are none, and their ranges stay free: closing a VPC moves no database.
                    reserved=self._closed,
                ),
                ec2.SubnetConfiguration(name="Database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=small),
            ],
        )

    def _add_pod_subnets(self, pod_cidr: IPv4Network) -> Mapping[str, ec2.ISubnet]:
        block = ec2.CfnVPCCidrBlock(self, "PodRange", vpc_id=self.vpc.vpc_id, cidr_block=str(pod_cidr))
        pods: dict[str, ec2.ISubnet] = {}
        nodes = self.vpc.select_subnets(subnet_group_name=_FOR_NODES).subnets
        # Four quarters, three zones: the last quarter stays free.
        for number, (node, cidr) in enumerate(zip(nodes, pod_cidr.subnets(prefixlen_diff=2), strict=False), start=1):
            subnet = ec2.CfnSubnet(
                self,
                f"PodSubnet{number}",
                vpc_id=self.vpc.vpc_id,
                availability_zone=node.availability_zone,
                cidr_block=str(cidr),
                map_public_ip_on_launch=False,
            )
            cdk.Tags.of(subnet).add("Name", subnet.node.path)
            subnet.add_resource_dependency(block)
            ec2.CfnSubnetRouteTableAssociation(
                self,
                f"PodRoutes{number}",
                subnet_id=subnet.ref,
                # The node subnet's own: pods never have another way out than the node that they run on.
                route_table_id=node.route_table.route_table_id,
            )
            pods[node.availability_zone] = ec2.Subnet.from_subnet_attributes(
                self,
                f"Pods{number}",
                subnet_id=subnet.ref,
                availability_zone=node.availability_zone,
                ipv4_cidr_block=str(cidr),
                route_table_id=node.route_table.route_table_id,
            )
        return MappingProxyType(pods)

    def _tag_for_load_balancers(self) -> None:
        # The AWS Load Balancer Controller finds subnets by these tags.
        for subnet in self.vpc.select_subnets(subnet_group_name=_FOR_NODES).subnets:
            cdk.Tags.of(subnet).add("kubernetes.io/role/internal-elb", "1")
        for subnet in self.vpc.public_subnets:
            cdk.Tags.of(subnet).add("kubernetes.io/role/elb", "1")

    def _keep_flow_logs(self) -> None:
        group = logs.LogGroup(
            self,
            "FlowLogs",
            retention=self._props.flow_log_retention,
            encryption_key=self._props.log_key,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        role = iam.Role(self, "FlowLogsRole", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"))
        acknowledge(
            role,
            INLINE_POLICY,
            reason="the policy, to write into the flow logs' group, is this role's alone and goes with it",
        )
        flow_log = self.vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role))
        # And on the role's policy, which would be made beside it otherwise: its first records would be refused.
        flow_log.node.add_dependency(role)

    def _add_endpoints(self) -> None:
        s3 = self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        # Where there is NAT, what a policy of an endpoint forbids goes out past it. And this one would forbid images of
        # public registries, many of which are in S3 buckets of the region and so take this route.
        if self._closed:
            keep_s3_to_own_account(s3)
        if not self._props.interface_endpoints:
            return
        group = ec2.SecurityGroup(
            self, "Endpoints", vpc=self.vpc, description="Endpoints of AWS services", allow_all_outbound=False
        )
        for cidr in (self._props.cidr, self._props.pod_cidr):
            group.add_ingress_rule(ec2.Peer.ipv4(str(cidr)), ec2.Port.HTTPS, "The VPC")
        for name, service in self._props.interface_endpoints.items():
            endpoint = add_interface_endpoint(self.vpc, name, service, subnets=self.node_subnets, group=group)
            if self._closed:
                keep_to_own_account(endpoint, service)
