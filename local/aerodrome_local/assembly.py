"""A CDK cloud assembly (``cdk.out``) as it is read for a deploy."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aerodrome_local.cloudformation import DeployError

_ENVIRONMENT = re.compile(r"aws://(?P<account>[^/]+)/(?P<region>[^/]+)")
_UNKNOWN = {"unknown-account": "", "unknown-region": ""}


@dataclass(frozen=True, slots=True)
class AssemblyStack:
    """One stack of an assembly.

    Attributes:
        artifact_id: Its ID in the assembly, which dependencies name.
        name: The stack's name.
        account: The account that it goes to.
        region: The region that it goes to.
        template_file: The template.
        template_url: ``s3://bucket/key`` where the template's asset is published; empty when it has none.
        asset_files: The manifests of its assets.
        dependencies: The artifact IDs of the stacks that must stand before.
        parameters: Values by name.
        tags: The stack's tags.
    """

    artifact_id: str
    name: str
    account: str
    region: str
    template_file: Path
    template_url: str
    asset_files: tuple[Path, ...]
    dependencies: frozenset[str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def read_assembly(directory: Path, *, account: str = "", region: str = "us-east-1") -> list[AssemblyStack]:
    """The stacks of an assembly, those of its stages included.

    Args:
        directory: What ``cdk synth`` wrote.
        account: For stacks that name no account.
        region: For stacks that name no region.
    """
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    artifacts = manifest.get("artifacts", {})
    stacks = []
    for artifact_id, artifact in artifacts.items():
        properties = artifact.get("properties", {})
        if artifact["type"] == "cdk:cloud-assembly":
            stacks += read_assembly(directory / properties["directoryName"], account=account, region=region)
        elif artifact["type"] == "aws:cloudformation:stack":
            target = _ENVIRONMENT.fullmatch(artifact["environment"])
            if target is None:
                raise DeployError(f"{artifact_id}: cannot read the environment {artifact['environment']!r}")
            stacks.append(
                AssemblyStack(
                    artifact_id=artifact_id,
                    name=properties.get("stackName", artifact_id),
                    account=_UNKNOWN.get(target["account"], target["account"]) or account,
                    region=_UNKNOWN.get(target["region"], target["region"]) or region,
                    template_file=directory / properties["templateFile"],
                    template_url=properties.get("stackTemplateAssetObjectUrl", ""),
                    asset_files=tuple(
                        directory / artifacts[name]["properties"]["file"]
                        for name in artifact.get("dependencies", [])
                        if artifacts.get(name, {}).get("type") == "cdk:asset-manifest"
                    ),
                    dependencies=frozenset(
                        name
                        for name in artifact.get("dependencies", [])
                        if artifacts.get(name, {}).get("type") == "aws:cloudformation:stack"
                    ),
                    parameters=properties.get("parameters", {}),
                    tags=properties.get("tags", {}),
                )
            )
    return stacks
