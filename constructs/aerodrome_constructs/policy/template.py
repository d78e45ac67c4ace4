"""Synthesized templates, as the house rules read them: plain JSON, read once, nothing of the CDK."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Any
"""Any JSON value: a template's properties have hundreds of shapes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of a template.

    Attributes:
        stack: The construct path of its stack.
        logical_id: Its name in the template.
        body: It as it stands there.
    """

    stack: str
    logical_id: str
    body: Mapping[str, Json]

    @property
    def type(self) -> str:
        """The CloudFormation type, such as ``AWS::S3::Bucket``."""
        return str(self.body["Type"])

    @property
    def properties(self) -> Mapping[str, Json]:
        """The properties; empty if it has none."""
        properties: Mapping[str, Json] = self.body.get("Properties", {})
        return properties


@dataclass(frozen=True, slots=True, kw_only=True)
class StackTemplate:
    """One synthesized stack.

    Attributes:
        path: The stack's construct path, such as ``Storage``.
        file: Where the template lies.
        template: The template.
        termination_protection: Whether the stack is deployed with termination protection.
    """

    path: str
    file: str
    template: Mapping[str, Json]
    termination_protection: bool = False

    @property
    def resources(self) -> Iterator[Resource]:
        """Every resource."""
        for logical_id, body in self.template.get("Resources", {}).items():
            yield Resource(stack=self.path, logical_id=logical_id, body=body)

    def of_type(self, *types: str) -> Iterator[Resource]:
        """The resources of certain types."""
        return (resource for resource in self.resources if resource.type in types)


Stacks = Sequence[StackTemplate]
"""All stacks of one environment: some limits hold for the whole account."""


def as_text(value: Json) -> str:
    """A value as text for people and for comparing: references in the form ``${Thing.Attribute}``."""
    match value:
        case str():
            return value
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(map(as_text, parts))
        case {"Fn::Sub": str(pattern)}:
            return pattern
        case {"Ref": str(name)} | {"Fn::ImportValue": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case _:
            # Other functions stand inside texts that are JSON themselves, where a double quote would end a string.
            return json.dumps(value, sort_keys=True).replace('"', "'")


def as_list(value: Json) -> list[Json]:
    """A value that may stand alone or in a list, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def statements(value: Json) -> Iterator[Mapping[str, Json]]:
    """Every IAM policy statement below a value, also those of documents that stand in the template as text."""
    match value:
        case {"Statement": statement}:
            yield from (one for one in as_list(statement) if isinstance(one, Mapping))
        case str() | {"Fn::Join": _}:
            text = as_text(value)
            if text.startswith("{") and '"Statement"' in text:
                yield from statements(json.loads(text))
        case Mapping():
            for one in value.values():
                yield from statements(one)
        case list():
            for one in value:
                yield from statements(one)
