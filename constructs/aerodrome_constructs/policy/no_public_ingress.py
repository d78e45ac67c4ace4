"""No security group lets the internet in."""

import ipaddress
from collections.abc import Iterator, Mapping

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Json, Resource, Stacks, as_text

# Shared address space (RFC 6598), which EKS gives to pods: not private to Python, and not on the internet either.
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for group in stack.of_type("AWS::EC2::SecurityGroup"):
            for number, ingress in enumerate(group.properties.get("SecurityGroupIngress", [])):
                yield from _in_rule(group, ingress, f"SecurityGroupIngress.{number}.")
        for ingress in stack.of_type("AWS::EC2::SecurityGroupIngress"):
            yield from _in_rule(ingress, ingress.properties, "")


def _in_rule(resource: Resource, ingress: Mapping[str, Json], at: str) -> Iterator[Finding]:
    for name in ("CidrIp", "CidrIpv6"):
        if name in ingress and (problem := _problem(ingress[name])):
            yield found(resource, problem, f"{at}{name}")


def _problem(value: Json) -> str:
    match value:
        case {"Fn::GetAtt": [_, "CidrBlock"]}:
            return ""  # the VPC's own range
        case str():
            network = ipaddress.ip_network(value, strict=False)
            shared = isinstance(network, ipaddress.IPv4Network) and network.subnet_of(_SHARED)
            inside = network.is_private or shared
            return "" if inside else f"{value} may come in, which holds addresses of the internet"
        case _:
            return f"{as_text(value)} may come in, and the template does not say which addresses these are"


RULE = Rule(
    name="no-public-ingress",
    asks="Security groups let in private addresses and other security groups, never the internet.",
    mend="let in a security group, or a private range written out as text",
    check=_check,
)
