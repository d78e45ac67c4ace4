"""What offers deletion protection has it."""

from collections.abc import Iterator
from typing import Final

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Stacks

# The property that each service calls it by.
_PROTECTION: Final = {
    "AWS::DocDB::DBCluster": "DeletionProtection",
    "AWS::DynamoDB::Table": "DeletionProtectionEnabled",
    "AWS::EKS::Cluster": "DeletionProtection",
    "AWS::Neptune::DBCluster": "DeletionProtection",
    "AWS::RDS::DBCluster": "DeletionProtection",
    "AWS::RDS::DBInstance": "DeletionProtection",
}


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for resource in stack.of_type(*_PROTECTION):
            name = _PROTECTION[resource.type]
            value = resource.properties.get(name)
            # An instance of an Aurora cluster is protected by its cluster, and takes no such property.
            if value is not True and "DBClusterIdentifier" not in resource.properties:
                yield found(resource, f"{name} is {'not set' if value is None else value}; it has to be true", name)


RULE = Rule(
    name="stateful-resources-protected",
    asks="Databases and clusters refuse to be deleted until a person switches their deletion protection off.",
    mend="switch deletion protection on, on the L1 resource where the construct has no property for it",
    check=_check,
)
