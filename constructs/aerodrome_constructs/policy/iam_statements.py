"""Policies of identities as the rules about IAM read them: statement by statement, with where each stands."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import translate
from functools import cache
from typing import Final

from aerodrome_constructs.policy.template import Json, Resource, Stacks, as_list, as_text, statements

# The properties that say what an identity may do. Who may become it, and who may use a resource, stands elsewhere.
_RIGHTS: Final = {
    "AWS::IAM::Group": ("Policies",),
    "AWS::IAM::GroupPolicy": ("PolicyDocument",),
    "AWS::IAM::ManagedPolicy": ("PolicyDocument",),
    "AWS::IAM::Policy": ("PolicyDocument",),
    "AWS::IAM::Role": ("Policies",),
    "AWS::IAM::RolePolicy": ("PolicyDocument",),
    "AWS::IAM::User": ("Policies",),
    "AWS::IAM::UserPolicy": ("PolicyDocument",),
    "AWS::SSO::PermissionSet": ("InlinePolicy",),
}

Statement = Mapping[str, Json]


def allowing(stacks: Stacks) -> Iterator[tuple[Resource, str, Statement]]:
    """Every statement that gives an identity rights: the resource that holds it, the property, the statement."""
    for stack in stacks:
        for resource in stack.of_type(*_RIGHTS):
            for name in _RIGHTS[resource.type]:
                for statement in statements(resource.properties.get(name)):
                    if statement.get("Effect") == "Allow":
                        yield resource, name, statement


def actions(statement: Statement) -> list[str]:
    """The patterns of the actions that a statement names."""
    return [as_text(action) for action in as_list(statement.get("Action"))]


def names_action(pattern: str, action: str) -> bool:
    """Whether a pattern of actions, such as ``iam:Pass*``, holds an action."""
    return _compiled(pattern.lower()).fullmatch(action.lower()) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
