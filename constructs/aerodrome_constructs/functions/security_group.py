"""What a function in a VPC carries that calls AWS and is called by nobody over the network."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct


def https_only(scope: Construct, construct_id: str, *, vpc: ec2.IVpc, carried_by: str, calls: str) -> ec2.SecurityGroup:
    """A security group that lets out over HTTPS, to any address, and nobody in.

    To any address: services have theirs outside the VPC, and S3 also where it is reached over the VPC's endpoint alone.

    Args:
        scope: The construct that it belongs to.
        construct_id: Its ID.
        vpc: The VPC.
        carried_by: Who carries it, as the console shows it.
        calls: What that calls, as the console shows it beside the rule.
    """
    group = ec2.SecurityGroup(
        scope, construct_id, vpc=vpc, description=f"Carried by {carried_by}", allow_all_outbound=False
    )
    group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, calls)
    return group
