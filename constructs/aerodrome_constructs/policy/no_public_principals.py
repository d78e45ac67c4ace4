"""No policy lets everybody in."""

from collections.abc import Iterator, Mapping
from typing import Final

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Json, Resource, Stacks, as_list, as_text, statements

# A condition on one of these says who, or from where in AWS. One on aws:SecureTransport, for example, does not.
_WHO: Final = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:vpcesourceaccount",
        "aws:vpcesourceorgid",
        "kms:calleraccount",
    }
)
# An endpoint's policy narrows what goes through it; it gives nothing to anybody.
_NARROWING: Final = {"AWS::EC2::VPCEndpoint"}


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for resource in stack.resources:
            if resource.type == "AWS::Lambda::Permission":
                yield from _in_permission(resource)
            elif resource.type not in _NARROWING:
                yield from _in_policies(resource)


def _in_permission(permission: Resource) -> Iterator[Finding]:
    who = permission.properties.get("Principal")
    if who == "*" and not {"PrincipalOrgID", "SourceAccount", "SourceArn"} & set(permission.properties):
        yield found(permission, "anybody may invoke the function", "Principal")


def _in_policies(resource: Resource) -> Iterator[Finding]:
    for name, value in resource.properties.items():
        for statement in statements(value):
            if statement.get("Effect") == "Allow" and _is_everybody(statement) and not _says_who(statement):
                actions = ", ".join(map(as_text, as_list(statement.get("Action"))))
                yield found(resource, f"everybody may {actions}", name)


def _is_everybody(statement: Mapping[str, Json]) -> bool:
    principal = statement.get("Principal")
    kinds = principal.values() if isinstance(principal, Mapping) else [principal]
    # Without a principal it is the policy of an identity, which speaks of that identity alone.
    return "NotPrincipal" in statement or any("*" in as_list(kind) for kind in kinds)


def _says_who(statement: Mapping[str, Json]) -> bool:
    conditions = statement.get("Condition", {}).items()
    # StringNotEquals and the like say who not.
    return any(
        key.lower() in _WHO and "Not" not in operator and "IfExists" not in operator
        for operator, values in conditions
        for key in values
    )


RULE = Rule(
    name="no-public-principals",
    asks="No policy of a bucket, key, topic, queue, repository, role or function lets everybody in.",
    mend="name the principal, or add a condition that says who: aws:PrincipalOrgID, aws:SourceArn, aws:SourceAccount",
    check=_check,
)
