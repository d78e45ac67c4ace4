"""What the constructs under test stand in."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from aerodrome_constructs.functions import FunctionPlace
from tests.templates import REGION

NODE_SUBNETS = ec2.SubnetSelection(subnet_group_name="Nodes")


def vpc_in(stack: cdk.Stack) -> ec2.IVpc:
    """A VPC whose first subnets are public: what forgets to choose its subnets lands there."""
    return ec2.Vpc(
        stack,
        "Vpc",
        availability_zones=[f"{REGION}{letter}" for letter in "abc"],
        nat_gateways=1,
        subnet_configuration=[
            ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC),
            ec2.SubnetConfiguration(name="Other", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            ec2.SubnetConfiguration(name="Nodes", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
        ],
    )


def place_in(stack: cdk.Stack) -> FunctionPlace:
    """Where functions run, in a VPC of their own, with logs that a key of their own encrypts."""
    return FunctionPlace(
        vpc=vpc_in(stack),
        subnets=NODE_SUBNETS,
        log_key=kms.Key(stack, "LogKey"),
        log_retention=logs.RetentionDays.ONE_MONTH,
    )


def cluster_in(stack: cdk.Stack) -> eks.ICluster:
    """A cluster that stands already: making one takes a second, which tests of what is in it need not pay for."""
    return eks.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="ours", vpc=vpc_in(stack))
