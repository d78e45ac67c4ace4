"""The rights with which Lambda makes the network interfaces of a function in a VPC."""

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity.statements import allow

_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


def network_interfaces() -> iam.PolicyStatement:
    """The statement that the role of a function in a VPC has to have.

    In place of AWSLambdaVPCAccessExecutionRole, which may write to every log group. Lambda checks these rights without
    naming an interface when the function is made (Lambda developer guide, "Giving Lambda functions access to resources
    in an Amazon VPC", required permissions).
    """
    return allow(_ACTIONS)
