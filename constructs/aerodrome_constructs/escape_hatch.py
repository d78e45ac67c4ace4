"""The way from a CDK construct to the CloudFormation resource below it, for what the construct has no property for."""

from typing import TypeVar

import aws_cdk as cdk
from constructs import IConstruct

Resource = TypeVar("Resource", bound=cdk.CfnElement)


def resource_of(construct: IConstruct, resource_type: type[Resource]) -> Resource:
    """The CloudFormation resource that a construct stands for.

    Args:
        construct: The construct. Its primary child is called ``Resource``, as the CDK's own are.
        resource_type: The class that the resource is expected to have.

    Raises:
        TypeError: If the primary child is something else, as it may be after an upgrade of the CDK.
    """
    resource = construct.node.find_child("Resource")
    if not isinstance(resource, resource_type):
        message = f"expected {resource.node.path} to be a {resource_type.__name__}, got a {type(resource).__name__}"
        raise TypeError(message)
    return resource
