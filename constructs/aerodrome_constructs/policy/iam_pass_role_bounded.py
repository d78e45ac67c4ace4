"""Who may hand a role to a service may hand it that role, and to that service."""

from collections.abc import Iterator
from typing import Final

from aerodrome_constructs.policy.iam_statements import Statement, actions, allowing, names_action
from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Stacks, as_list, as_text

_ACTION: Final = "iam:PassRole"
_KEY: Final = "iam:passedtoservice"


def _check(stacks: Stacks) -> Iterator[Finding]:
    for resource, name, statement in allowing(stacks):
        if not any(names_action(action, _ACTION) for action in actions(statement)):
            continue
        for role in map(as_text, as_list(statement.get("Resource"))):
            if "*" in role or "?" in role:
                yield found(resource, f"{_ACTION} on {role}, which is any role of that name", name)
        if not _services(statement):
            yield found(resource, f"{_ACTION} to any service", name)
        for service in _services(statement):
            if "*" in service or "?" in service:
                yield found(resource, f"{_ACTION} to {service}, which is any service of that name", name)


def _services(statement: Statement) -> list[str]:
    # An operator with IfExists, or one that says which not, bounds nothing.
    return [
        as_text(service)
        for operator in ("StringEquals", "StringLike")
        for key, services in statement.get("Condition", {}).get(operator, {}).items()
        if key.lower() == _KEY
        for service in as_list(services)
    ]


RULE = Rule(
    name="iam-pass-role-bounded",
    asks="Who may pass a role may pass a role that is named, to a service that is named.",
    mend="name the roles' ARNs, and add the condition StringEquals on iam:PassedToService",
    check=_check,
)
