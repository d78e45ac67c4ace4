"""Reads CloudFormation templates: resources by type, policy statements wherever they stand, values as text."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk.assertions import Template

from pytest_cdk.settings import read_context

ROOT = Path(__file__).parents[1]
ACCOUNT = "111122223333"
REGION = "eu-west-1"

TemplateJson = Mapping[str, Any]
Properties = Mapping[str, Any]

# Where resources keep policies: the property that holds a document, or a list of documents with their names.
_POLICY_PROPERTIES = ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument", "ResourcePolicy", "Policies")


def new_app(context: Mapping[str, str] | None = None) -> cdk.App:
    """An app with the context of cdk.json, without whose feature flags it would be another app.

    Args:
        context: What a user adds on the command line. Default: nothing.
    """
    flags = {**read_context(ROOT / "cdk.json"), "aws:cdk:disable-asset-staging": True}
    return cdk.App(context={**flags, **(context or {})}, analytics_reporting=False, tree_metadata=False)


def new_stack() -> cdk.Stack:
    """A stack in an app of its own."""
    return cdk.Stack(new_app(), "Test", env=cdk.Environment(account=ACCOUNT, region=REGION))


def synthesized(stack: cdk.Stack) -> TemplateJson:
    """The stack's template."""
    return dict(Template.from_stack(stack).to_json())


def resources(template: TemplateJson, resource_type: str) -> dict[str, Mapping[str, Any]]:
    """The resources of a type by logical ID. There is at least one: a test over none would assert nothing."""
    found = {key: value for key, value in template["Resources"].items() if value["Type"] == resource_type}
    assert found, f"the template has no {resource_type}"
    return found


def properties(template: TemplateJson, resource_type: str) -> dict[str, Properties]:
    """The properties of the resources of a type, by logical ID."""
    return {key: value.get("Properties", {}) for key, value in resources(template, resource_type).items()}


def only(template: TemplateJson, resource_type: str) -> Properties:
    """The properties of the one resource of a type."""
    found = properties(template, resource_type)
    assert len(found) == 1, f"expected one {resource_type}, got {sorted(found)}"
    return next(iter(found.values()))


def with_id(template: TemplateJson, resource_type: str, part: str) -> Properties:
    """The properties of the one resource of a type whose logical ID contains a text."""
    found = {key: value for key, value in properties(template, resource_type).items() if part in key}
    assert len(found) == 1, f"expected one {resource_type} with {part!r} in its ID, got {sorted(found)}"
    return next(iter(found.values()))


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A value with each reference in it as text, in the form ``${Thing}`` or ``${Thing.Attribute}``."""
    found: Any
    match value:
        case {"Fn::Join": [separator, parts]}:
            found = str(separator).join(map(text, parts))
        case {"Ref": name}:
            found = f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            found = f"${{{name}.{attribute}}}"
        case {"Fn::ImportValue": name}:
            found = f"${{{text(name)}}}"
        case {"Fn::Select": [position, {"Fn::Split": [separator, whole]}]}:
            found = f"${{{text(whole)} split at {separator} [{position}]}}"
        case {"Fn::Sub": str(pattern)}:
            found = pattern
        case list():
            found = [plain(one) for one in value]
        case dict():
            found = {key: plain(one) for key, one in value.items()}
        case _:
            found = value
    return found


def text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """A value as text, with references as in :func:`plain`."""
    found = plain(value)
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, in the one of its several spellings in which each part is a list.

    Attributes:
        owner: The logical ID of the resource that holds the policy.
        document: The statement as it stands in the template.
    """

    owner: str
    document: Mapping[str, Any]

    @property
    def allows(self) -> bool:
        """Whether it allows rather than denies."""
        return bool(self.document["Effect"] == "Allow")

    @property
    def actions(self) -> list[str]:
        """The actions."""
        return _listed(self.document.get("Action", []))

    @property
    def resources(self) -> list[str]:
        """The ARNs, as text."""
        return _listed(self.document.get("Resource", []))

    @property
    def principals(self) -> list[str]:
        """Who it speaks of, whatever the kind of principal."""
        principal = self.document.get("Principal", {})
        kinds = principal.values() if isinstance(principal, Mapping) else [principal]
        return [text(one) for kind in kinds for one in (kind if isinstance(kind, list) else [kind])]

    @property
    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """What must hold besides, by operator."""
        return dict(self.document.get("Condition", {}))


def statements(template: TemplateJson, owner: str = "") -> list[Statement]:
    """Every policy statement of a template, wherever it stands.

    Args:
        template: The template.
        owner: Part of the logical ID of the resource that holds the policy. Default: any.
    """
    return [
        Statement(key, statement)
        for key, resource in template["Resources"].items()
        if owner in key
        for document in _documents(resource.get("Properties", {}))
        for statement in _listed_documents(document.get("Statement", []))
    ]


def trust(role: Properties) -> list[Statement]:
    """Who may take a role: the statements of its trust policy, which may stand there as text."""
    return [Statement("", statement) for statement in _parsed(role["AssumeRolePolicyDocument"])["Statement"]]


def _documents(resource: Properties) -> Iterator[Mapping[str, Any]]:
    for name in _POLICY_PROPERTIES:
        value = resource.get(name)
        if isinstance(value, list):
            yield from (_parsed(policy["PolicyDocument"]) for policy in value)
        elif value is not None:
            yield _parsed(value)


def _parsed(document: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    if isinstance(document, Mapping) and "Statement" in document:
        return document
    parsed: Mapping[str, Any] = json.loads(text(document))
    return parsed


def _listed(value: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    return [text(one) for one in (value if isinstance(value, list) else [value])]


def _listed_documents(value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return [value] if isinstance(value, Mapping) else value
