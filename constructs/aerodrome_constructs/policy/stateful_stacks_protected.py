"""A stack that holds data cannot be deleted by one command."""

from collections.abc import Iterator

from aerodrome_constructs.policy.rule import Finding, Rule, found_in_stack
from aerodrome_constructs.policy.stateful_types import STATEFUL_TYPES
from aerodrome_constructs.policy.template import Stacks

# Logs and secrets are made beside what they serve, and stay by their own policy when the stack goes: a stack that has
# nothing else to lose may be taken down.
_BESIDE = {"AWS::Logs::LogGroup", "AWS::SecretsManager::Secret"}


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        holds = sorted(resource.logical_id for resource in stack.of_type(*(STATEFUL_TYPES - _BESIDE)))
        if holds and not stack.termination_protection:
            yield found_in_stack(stack, f"no termination protection, and the stack holds {', '.join(holds)}")


RULE = Rule(
    name="stateful-stacks-protected",
    asks="A stack that holds data or keys has termination protection.",
    mend="make the stack with holds_data=True",
    check=_check,
)
