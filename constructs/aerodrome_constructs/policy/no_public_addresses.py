"""Nothing that runs a workload gets an address on the internet."""

from collections.abc import Iterator, Mapping

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Json, Resource, Stacks


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for resource in stack.resources:
            yield from _in_resource(resource)


def _in_resource(resource: Resource) -> Iterator[Finding]:
    match resource.type:
        case "AWS::EC2::Subnet":
            if resource.properties.get("MapPublicIpOnLaunch", False) is not False:
                problem = "MapPublicIpOnLaunch is true: whatever starts here is on the internet"
                yield found(resource, problem, "MapPublicIpOnLaunch")
        case "AWS::EC2::EIP" | "AWS::EC2::EIPAssociation":
            if "InstanceId" in resource.properties or "NetworkInterfaceId" in resource.properties:
                yield found(resource, "an instance gets an address on the internet", "InstanceId")
        case "AWS::EC2::LaunchTemplate" | "AWS::EC2::Instance" | "AWS::AutoScaling::LaunchConfiguration":
            for path in _paths(resource.properties, "AssociatePublicIpAddress", value=True):
                yield found(resource, "AssociatePublicIpAddress is true", path)
        case "AWS::Batch::JobDefinition" | "AWS::ECS::Service" | "AWS::Events::Rule" | "AWS::Scheduler::Schedule":
            for path in _paths(resource.properties, "AssignPublicIp", value="ENABLED"):
                yield found(resource, "AssignPublicIp is ENABLED", path)
        case _:
            pass


def _paths(inside: Json, name: str, *, value: Json, at: str = "") -> Iterator[str]:
    """Where a property has a value, at any depth."""
    if isinstance(inside, Mapping):
        for key, one in inside.items():
            path = f"{at}.{key}" if at else key
            if key == name and one == value:
                yield path
            yield from _paths(one, name, value=value, at=path)
    elif isinstance(inside, list):
        for number, one in enumerate(inside):
            yield from _paths(one, name, value=value, at=f"{at}.{number}")


RULE = Rule(
    name="no-public-addresses",
    asks="No subnet, instance or container hands out public addresses.",
    mend="leave public addresses off; what has to reach the internet goes through NAT",
    check=_check,
)
