"""The environment under test, and what the app makes of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from aerodrome_stacks.environment import Environment, load_environment
from pytest_cdk import AssemblyFactory
from tests.iam.account import Account
from tests.templates import ROOT, TemplateJson


@dataclass(frozen=True)
class StackArtifact:
    """How the cloud assembly tells the CDK CLI to deploy a stack.

    Attributes:
        name: The stack's name in CloudFormation.
        place: The account and region, as ``aws://111122223333/us-east-1``.
        protected: Whether the stack has termination protection.
    """

    name: str
    place: str
    protected: bool


@pytest.fixture
def environment(cdk_variant: str) -> Environment:
    """What the team decided, in each environment."""
    return load_environment(cdk_variant, ROOT / "environments")


@pytest.fixture
def stacks(cdk_variant: str, cdk_assembly: AssemblyFactory) -> Mapping[str, TemplateJson]:
    """The templates of all stacks, in each environment."""
    return cdk_assembly(cdk_variant).stacks


@pytest.fixture
def account(environment: Environment, stacks: Mapping[str, TemplateJson]) -> Account:
    """The account that the templates make, in each environment."""
    return Account(stacks, environment.account, environment.region)


@pytest.fixture
def artifacts(cdk_variant: str, cdk_assembly: AssemblyFactory) -> Mapping[str, StackArtifact]:
    """How all stacks are deployed, in each environment."""
    manifest = json.loads((cdk_assembly(cdk_variant).directory / "manifest.json").read_text(encoding="utf-8"))
    return {
        artifact["displayName"]: StackArtifact(
            name=artifact["properties"]["stackName"],
            place=artifact["environment"],
            protected=artifact["properties"].get("terminationProtection", False),
        )
        for artifact in manifest["artifacts"].values()
        if artifact["type"] == "aws:cloudformation:stack"
    }
