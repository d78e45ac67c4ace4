"""No API endpoint of ours answers to the whole internet."""

import ipaddress
from collections.abc import Iterator

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Resource, Stacks, as_list


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for cluster in stack.of_type("AWS::EKS::Cluster"):
            yield from _in_cluster(cluster)
        for url in stack.of_type("AWS::Lambda::Url"):
            if url.properties.get("AuthType") != "AWS_IAM":
                yield found(url, f"AuthType is {url.properties.get('AuthType')}; it has to be AWS_IAM", "AuthType")


def _in_cluster(cluster: Resource) -> Iterator[Finding]:
    access = cluster.properties.get("ResourcesVpcConfig", {})
    if access.get("EndpointPrivateAccess") is not True:
        problem = "EndpointPrivateAccess is off: nodes would reach their cluster over the internet"
        yield found(cluster, problem, "ResourcesVpcConfig.EndpointPrivateAccess")
    # Left out, the endpoint is public, and to everybody.
    if access.get("EndpointPublicAccess", True) is False:
        return
    ranges = as_list(access.get("PublicAccessCidrs"))
    if not ranges:
        problem = "the endpoint is public and names no ranges, which is everybody"
        yield found(cluster, problem, "ResourcesVpcConfig.PublicAccessCidrs")
    for value in ranges:
        if not isinstance(value, str) or ipaddress.ip_network(value, strict=False).prefixlen == 0:
            yield found(cluster, f"the endpoint is public to {value}", "ResourcesVpcConfig.PublicAccessCidrs")


RULE = Rule(
    name="no-public-endpoints",
    asks="A Kubernetes API is private, or public to named ranges; a function's address asks for credentials.",
    mend="name the ranges in cluster.public_endpoint_cidrs, or leave the list empty for a private endpoint",
    check=_check,
)
