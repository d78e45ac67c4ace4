"""No identity may do everything, nor everything in a service."""

from collections.abc import Iterator

from aerodrome_constructs.policy.iam_statements import actions, allowing
from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Stacks


def _check(stacks: Stacks) -> Iterator[Finding]:
    for resource, name, statement in allowing(stacks):
        for negated in ("NotAction", "NotResource"):
            if negated in statement:
                yield found(resource, f"{negated} with Allow gives all but what it names", name)
        for action in actions(statement):
            service, _, what = action.partition(":")
            if "*" in service or "?" in service or set(what) <= {"*"}:
                yield found(resource, f"{action} gives everything that there is, and that will be", name)


RULE = Rule(
    name="iam-no-wildcard-actions",
    asks="What an identity may do is named action by action, or by the beginning of their names (s3:Get*).",
    mend="name the actions; to leave some out, allow what is needed and deny the rest",
    check=_check,
)
