"""What holds data stays when its stack goes, or when it is replaced."""

from collections.abc import Iterator

from aerodrome_constructs.policy.rule import Finding, Rule
from aerodrome_constructs.policy.stateful_types import STATEFUL_TYPES
from aerodrome_constructs.policy.template import Stacks

# RetainExceptOnCreate keeps it, too, unless the very deploy that makes it fails.
_KEEPING = {"DeletionPolicy": {"Retain", "RetainExceptOnCreate"}, "UpdateReplacePolicy": {"Retain"}}


def _check(stacks: Stacks) -> Iterator[Finding]:
    for stack in stacks:
        for resource in stack.of_type(*STATEFUL_TYPES):
            for attribute, keeping in _KEEPING.items():
                value = resource.body.get(attribute)
                if value not in keeping:
                    problem = (
                        f"{attribute} is {value or 'not set, which deletes'}; allowed: {', '.join(sorted(keeping))}"
                    )
                    yield Finding(
                        stack=resource.stack, logical_id=resource.logical_id, location=attribute, problem=problem
                    )


RULE = Rule(
    name="stateful-resources-retained",
    asks="What holds data, keys or logs stays when its stack is deleted or its resource replaced.",
    mend="give it the removal policy RETAIN (or RETAIN_ON_UPDATE_OR_DELETE, where its name is chosen)",
    check=_check,
)
