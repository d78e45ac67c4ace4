"""Resources in a few words, and what a rule says of them."""

from collections.abc import Mapping
from typing import Any

from aerodrome_constructs.policy import Rule, StackTemplate


def resource(resource_type: str, /, **properties: object) -> Mapping[str, Any]:
    """A resource of a type, with properties."""
    return {"Type": resource_type, "Properties": properties}


def findings(rule: Rule, **resources: Mapping[str, Any]) -> list[str]:
    """What a rule says of resources, by logical ID, in one stack: ``LogicalId location: problem`` for each finding.

    Args:
        rule: The rule.
        resources: The resources by logical ID.
    """
    stack = StackTemplate(path="Stack", file="Stack.json", template={"Resources": resources})
    return [f"{one.logical_id or one.stack} {one.location}: {one.problem}" for one in rule.check([stack])]
