"""What a house rule is, and what it finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aerodrome_constructs.policy.template import Resource, Stacks, StackTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where a template breaks a rule.

    Attributes:
        stack: The construct path of the stack.
        logical_id: The resource's name in the template. Empty: the stack itself.
        location: Where in the resource, such as ``Properties.PubliclyAccessible``. Empty: the resource as such.
        problem: What is wrong there, with the value that was found.
    """

    stack: str
    logical_id: str = ""
    location: str = ""
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that must hold in every template.

    Attributes:
        name: Its name, which is that of the file that defines it, with hyphens.
        asks: What must hold, in one sentence.
        mend: What whoever broke it does about it.
        check: Finds where it does not hold. A pure function: it gets all stacks of an environment.
    """

    name: str
    asks: str
    mend: str
    check: Callable[[Stacks], Iterator[Finding]]


def found(resource: Resource, problem: str, location: str = "") -> Finding:
    """A finding in a resource.

    Args:
        resource: The resource.
        problem: What is wrong there, with the value that was found.
        location: Which property, such as ``Scheme``. Default: the resource as such.
    """
    place = f"Properties.{location}" if location else ""
    return Finding(stack=resource.stack, logical_id=resource.logical_id, location=place, problem=problem)


def found_in_stack(stack: StackTemplate, problem: str) -> Finding:
    """A finding in a stack rather than in one of its resources."""
    return Finding(stack=stack.path, problem=problem)
