"""Templates as a plan compares them: read from a cloud assembly, with what they say about themselves worked out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aerodrome.plan.evaluate import Evaluation

Body = Mapping[str, Any]
"""A template, or a resource in one, as parsed JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackTemplate:
    """A stack as it is to be deployed, or as it is.

    Attributes:
        stack: Its construct path, such as ``Database``.
        name: Its name in CloudFormation, such as ``aerodrome-dev-database``.
        region: Its region.
        account: Its account.
        body: The template.
        protected: Whether it has termination protection.
        bucket: The bucket that the CDK uploads templates to. Empty: none.
        tags: The stack's tags.
    """

    stack: str
    name: str
    region: str
    account: str
    body: Body
    protected: bool = False
    bucket: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other stack of the account: region and name."""
        return self.region, self.name

    def resources(self) -> dict[str, Body]:
        """The resources that the template makes, by logical ID, with what it says itself worked out.

        Left out are those whose condition does not hold, and the CDK's note about itself.
        """
        evaluation = Evaluation(self.body, account=self.account, region=self.region, stack_name=self.name)
        return {
            logical_id: {**resource, "Properties": evaluation.resolve(resource.get("Properties", {}))}
            for logical_id, resource in self.body.get("Resources", {}).items()
            if resource["Type"] != CDK_METADATA and evaluation.holds(resource.get("Condition")) is not False
        }

    def outputs(self) -> dict[str, Body]:
        """The outputs, worked out in the same way."""
        evaluation = Evaluation(self.body, account=self.account, region=self.region, stack_name=self.name)
        return {
            name: {key: evaluation.resolve(value) for key, value in output.items()}
            for name, output in self.body.get("Outputs", {}).items()
            if evaluation.holds(output.get("Condition")) is not False
        }


CDK_METADATA = "AWS::CDK::Metadata"
"""The CDK's note about itself, which makes nothing in AWS."""


def resource_name(stack: str, logical_id: str, resource: Body) -> str:
    """What a plan calls a resource: its construct path, without the ``Resource`` that the CDK ends it with."""
    path = resource.get("Metadata", {}).get("aws:cdk:path")
    return str(path).removesuffix("/Resource") if path else f"{stack}/{logical_id}"


def read_assembly(directory: Path) -> list[StackTemplate]:
    """The stacks of a cloud assembly, and of the assemblies inside, in the order of its manifest."""
    return list(_stacks(directory))


def _stacks(directory: Path) -> Iterator[StackTemplate]:
    artifacts: Body = _read(directory / "manifest.json").get("artifacts", {})
    for identity, artifact in artifacts.items():
        properties = artifact.get("properties", {})
        if artifact["type"] == "aws:cloudformation:stack":
            # aws://111122223333/us-east-1
            account, region = artifact["environment"].removeprefix("aws://").split("/")
            asset = properties.get("stackTemplateAssetObjectUrl", "")
            yield StackTemplate(
                stack=artifact.get("displayName", identity),
                name=properties.get("stackName", identity),
                account=account,
                region=region,
                body=_read(directory / properties["templateFile"]),
                protected=properties.get("terminationProtection", False),
                bucket=asset.removeprefix("s3://").partition("/")[0].replace("${AWS::AccountId}", account),
                tags=properties.get("tags", {}),
            )
        elif artifact["type"] == "cdk:cloud-assembly":
            yield from _stacks(directory / properties["directoryName"])


def _read(path: Path) -> Body:
    document: Body = json.loads(path.read_text(encoding="utf-8"))
    return document
