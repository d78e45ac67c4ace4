"""The limits of EKS: a template beyond them fails on deploy, after the resources before it were made.

Source of the numbers: https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html. Those of node groups can be
raised by asking AWS; a template that needs it should wait for the answer.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Resource, Stacks, as_list, as_text

_MOST_OF_A_CLUSTER: Final = {"AWS::EKS::Nodegroup": 30, "AWS::EKS::FargateProfile": 10}
_NODES: Final = 450
_LISTS_OF_A_CLUSTER: Final = {"SecurityGroupIds": 4, "PublicAccessCidrs": 40}
_TAINTS: Final = 50


def _check(stacks: Stacks) -> Iterator[Finding]:
    resources = [resource for stack in stacks for resource in stack.resources]
    counted: Counter[tuple[str, str]] = Counter()
    for resource in resources:
        if resource.type in _MOST_OF_A_CLUSTER:
            # A cluster has one name in its own stack and another where it is imported: groups stand beside it.
            cluster = (resource.type, as_text(resource.properties.get("ClusterName")))
            counted[cluster] += 1
            most = _MOST_OF_A_CLUSTER[resource.type]
            if counted[cluster] > most:
                yield found(resource, f"number {counted[cluster]} of {resource.type}; a cluster has at most {most}")
        yield from _in_resource(resource)


def _in_resource(resource: Resource) -> Iterator[Finding]:
    if resource.type == "AWS::EKS::Nodegroup":
        nodes = resource.properties.get("ScalingConfig", {}).get("MaxSize", 0)
        if isinstance(nodes, int | float) and nodes > _NODES:
            yield found(resource, f"{nodes:g} nodes; a group has at most {_NODES}", "ScalingConfig.MaxSize")
        taints = as_list(resource.properties.get("Taints"))
        if len(taints) > _TAINTS:
            yield found(resource, f"{len(taints)} taints; a group has at most {_TAINTS}", "Taints")
    elif resource.type == "AWS::EKS::Cluster":
        access = resource.properties.get("ResourcesVpcConfig", {})
        for name, most in _LISTS_OF_A_CLUSTER.items():
            size = len(as_list(access.get(name)))
            if size > most:
                yield found(resource, f"{size} {name}; a cluster takes {most}", f"ResourcesVpcConfig.{name}")


RULE = Rule(
    name="eks-limits",
    asks="At most 30 managed node groups and 10 Fargate profiles a cluster, 450 nodes and 50 taints a group, "
    "4 security groups and 40 public ranges of a control plane.",
    mend="put instance types of one shape into one group, and let Karpenter's node pools take what goes beyond",
    check=_check,
)
