"""Projects to run the plugin in, each in a process of its own: syrupy keeps its session in a global."""

import os
from pathlib import Path

import pytest

# Where jsii unpacks the CDK by default on Linux. pytester gives every run a new home, which would unpack it again: 6 s.
_JSII_CACHE = Path.home() / ".cache" / "aws" / "jsii" / "package-cache"

PYPROJECT = """
[tool.pytest]
addopts = ["-p", "syrupy", "-p", "pytest_cdk.plugin", "--strict-config", "--strict-markers"]
filterwarnings = ["error"]
cdk_app = "app.py:build"
cdk_variants = ["dev", "prod"]
"""

# Of the CDK's own modules only the core: importing aws_s3 and its like takes longer than all the rest of a session.
APP = """
from aws_cdk import App, CfnResource, Stack

def build(app: App, variant: str) -> None:
    with open("builds.log", "a") as log:
        log.write(variant + "\\n")
    storage = Stack(app, "Storage", stack_name=f"shop-{variant}-storage")
    CfnResource(storage, "Raw", type="AWS::S3::Bucket", properties={"Versioned": variant == "prod"})
    api = Stack(app, "Api", stack_name=f"shop-{variant}-api", description=app.node.try_get_context("colour"))
    CfnResource(api, "Topic", type="AWS::SNS::Topic")
"""

TESTS = """
def test_templates(cdk_variant, cdk_assembly, cdk_snapshot):
    cdk_snapshot.check_templates(cdk_assembly(cdk_variant))

def test_stateful(cdk_variant, cdk_assembly, cdk_snapshot):
    cdk_snapshot.check_stateful(cdk_assembly(cdk_variant))
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A CDK app of two stacks in two variants, and the two tests that the README shows."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    if "JSII_RUNTIME_PACKAGE_CACHE_ROOT" not in os.environ:
        monkeypatch.setenv("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(_JSII_CACHE))
    pytester.makepyprojecttoml(PYPROJECT)
    pytester.makepyfile(app=APP, test_stacks=TESTS)
    pytester.makefile(".json", cdk='{"app": "python app.py", "context": {"colour": "green"}}')
    return pytester
