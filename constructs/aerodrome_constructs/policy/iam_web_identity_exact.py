"""A role for a service account is for one service account, and wants a token that was made for AWS."""

import re
from collections.abc import Iterator
from typing import Final

from aerodrome_constructs.policy.iam_statements import Statement, actions, names_action
from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Stacks, as_list, as_text, statements

_ACTION: Final = "sts:AssumeRoleWithWebIdentity"
_PROPERTY: Final = "AssumeRolePolicyDocument"
# Names of namespaces are DNS labels, those of service accounts DNS subdomains: neither holds a wildcard.
_SUBJECT: Final = re.compile(r"system:serviceaccount:[a-z0-9]([-a-z0-9]*[a-z0-9])?:[a-z0-9]([-.a-z0-9]*[a-z0-9])?")


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for role in stack.of_type("AWS::IAM::Role"):
            for statement in statements(role.properties.get(_PROPERTY)):
                if any(names_action(action, _ACTION) for action in actions(statement)):
                    for problem in _problems(statement):
                        yield found(role, problem, _PROPERTY)


def _problems(statement: Statement) -> Iterator[str]:
    principal = statement.get("Principal")
    providers = as_list(principal.get("Federated")) if isinstance(principal, dict) else []
    if len(providers) != 1:
        yield f"tokens of {len(providers)} providers are taken, not of one"
        return
    issuer = as_text(providers[0]).partition(":oidc-provider/")[2]
    conditions = {
        f"{operator} {key}": as_list(values)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    }
    if conditions.get(f"StringEquals {issuer}:aud") != ["sts.amazonaws.com"]:
        yield "the token's audience need not be sts.amazonaws.com alone"
    subjects = conditions.get(f"StringEquals {issuer}:sub", [])
    if len(subjects) != 1 or not _SUBJECT.fullmatch(as_text(subjects[0])):
        given = ", ".join(map(as_text, subjects)) or "anybody with a token of the provider"
        yield f"the role is not for one service account, but for {given}"


RULE = Rule(
    name="iam-web-identity-exact",
    asks="A role that is taken with a token is for one service account, with a token made for AWS.",
    mend="use ServiceAccountRole, which sets StringEquals on the issuer's `sub` and `aud`",
    check=_check,
)
