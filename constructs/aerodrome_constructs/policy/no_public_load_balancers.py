"""No load balancer stands on the internet, whether CloudFormation makes it or a controller in the cluster."""

import re
from collections.abc import Iterator

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Stacks, as_text

_TYPES = ("AWS::ElasticLoadBalancing::LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer")
# The AWS Load Balancer Controller makes what these annotations of an Ingress or a Service ask for.
_ANNOTATION = re.compile(r'(?:ingress|aws-load-balancer)[\w./-]*scheme\\*"\s*:\s*\\*"(?!internal\b)([\w-]+)')


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
                    for asked in _ANNOTATION.findall(as_text(release.properties.get(name, ""))):
                        problem = f"asks for a load balancer whose scheme is {asked}; it has to be internal"
                        yield found(release, problem, name)


RULE = Rule(
    name="no-public-load-balancers",
    asks="Every load balancer is internal, those that Kubernetes asks for too.",
    mend="set the scheme, or the annotation alb.ingress.kubernetes.io/scheme, to internal",
    check=_check,
)
