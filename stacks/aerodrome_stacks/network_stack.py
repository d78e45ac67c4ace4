"""The Network stack: the VPC that everything else stands in."""

from dataclasses import dataclass

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.network import PlatformVpc, PlatformVpcProps
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.retention import log_retention


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPorts:
    """What other stacks may use of the network.

    Attributes:
        vpc: The VPC.
        node_subnets: Where nodes, pods, Batch instances and Lambdas live: private, with a way out.
        database_subnets: Where the database lives: private, with no way out.
    """

    vpc: ec2.IVpc
    node_subnets: ec2.SubnetSelection
    database_subnets: ec2.SubnetSelection


class NetworkStack(AerodromeStack):
    """A VPC over three zones with subnets, NAT, endpoints and flow logs."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, log_key: kms.IKey) -> None:
        super().__init__(
            scope, construct_id, environment=environment, description="VPC, subnets, NAT, endpoints and flow logs"
        )
        network = PlatformVpc(
            self,
            "Vpc",
            PlatformVpcProps(
                cidr=environment.network.cidr,
                availability_zones=environment.network.availability_zones,
                nat_gateways=environment.network.nat_gateways,
                # Where the cluster's own endpoint is private, so is the way to the services that its nodes call.
                interface_endpoints=not environment.cluster.public_endpoint_cidrs,
                flow_log_retention=log_retention(environment),
                log_key=log_key,
            ),
        )
        self.ports = NetworkPorts(
            vpc=network.vpc, node_subnets=network.node_subnets, database_subnets=network.database_subnets
        )
