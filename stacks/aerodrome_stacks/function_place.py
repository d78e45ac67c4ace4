"""Where the Lambda functions of the platform run."""

from aws_cdk import aws_kms as kms

from aerodrome_constructs.functions import FunctionPlace
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.retention import log_retention


def function_place(environment: Environment, network: NetworkPorts, log_key: kms.IKey) -> FunctionPlace:
    """Beside the nodes, from where there is a way to AWS, also in a private network.

    Args:
        environment: What the team decided: how long logs are kept.
        network: The network.
        log_key: The key that encrypts logs.
    """
    return FunctionPlace(
        vpc=network.vpc, subnets=network.node_subnets, log_key=log_key, log_retention=log_retention(environment)
    )
