"""No load balancer is open to the internet, whether CloudFormation makes it or a controller in the cluster."""

import ipaddress
import re
from collections.abc import Iterator

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Stacks, as_text

_TYPES = ("AWS::ElasticLoadBalancing::LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer")
# The AWS Load Balancer Controller makes what these annotations of an Ingress or a Service ask for.
_SCHEME = re.compile(r'(?:ingress|aws-load-balancer)[\w./-]*scheme\\*"\s*:\s*\\*"(?!internal\b)([\w-]+)')
_RANGES = re.compile(r'alb\.ingress\.kubernetes\.io/inbound-cidrs\\*"\s*:\s*\\*"([^"\\]*)')
# A wider range is more than any one company has: 1/256 of all addresses.
_WIDEST = {4: 8, 6: 20}


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for balancer in stack.of_type(*_TYPES):
            scheme = balancer.properties.get("Scheme")
            if scheme != "internal":
                # Left out, a load balancer is internet-facing.
                problem = f"Scheme is {scheme or 'not set, which is internet-facing'}; it has to be internal"
                yield found(balancer, problem, "Scheme")
        for release in stack.resources:
            if release.type.startswith("Custom::AWSCDK-EKS-"):
                for name in ("Values", "Manifest"):
                    for problem in _problems(as_text(release.properties.get(name, ""))):
                        yield found(release, problem, name)


def _problems(text: str) -> Iterator[str]:
    schemes, ranges = _SCHEME.findall(text), _RANGES.findall(text)
    # Without the annotation the controller lets in everybody.
    if len(ranges) < len(schemes):
        for asked in dict.fromkeys(schemes):
            yield (
                f"asks for a load balancer whose scheme is {asked}; it has to be internal, or to say in "
                "alb.ingress.kubernetes.io/inbound-cidrs who may reach it"
            )
    for one in dict.fromkeys(one.strip() for listed in ranges if schemes for one in listed.split(",")):
        if not _narrow(one):
            yield f"lets {one or 'nothing that is said'} reach a load balancer on the internet; name narrower ranges"


def _narrow(text: str) -> bool:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return False
    return network.prefixlen >= _WIDEST[network.version]


RULE = Rule(
    name="no-public-load-balancers",
    asks="Every load balancer is internal, or an Ingress names the ranges of the internet from which it is reached.",
    mend="set the scheme, or the annotation alb.ingress.kubernetes.io/scheme, to internal; or name the ranges in "
    "access.public_cidrs",
    check=_check,
)
