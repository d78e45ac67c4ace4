"""A pytest plugin for AWS CDK apps: one synth a session, reviewed templates, a list of what must not be replaced."""

from pytest_cdk.assembly import Assembly
from pytest_cdk.determinism import Determinism
from pytest_cdk.errors import PytestCdkError
from pytest_cdk.plugin import AssemblyFactory, TemplateFactory
from pytest_cdk.snapshot import CdkSnapshot

__all__ = ["Assembly", "AssemblyFactory", "CdkSnapshot", "Determinism", "PytestCdkError", "TemplateFactory"]
