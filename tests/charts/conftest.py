"""The platform's releases as a deployment hands them to Helm, and the helm that it hands them to."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.charts.deployed import DeployedRelease, deployed_releases
from tests.charts.helm import Helm

from pytest_cdk import AssemblyFactory

# tools/ holds programs, not a package: nothing else puts it on the path.
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))


@pytest.fixture
def releases(cdk_variant: str, cdk_assembly: AssemblyFactory) -> Mapping[str, DeployedRelease]:
    """Every release of one environment, by its name."""
    return deployed_releases(cdk_assembly(cdk_variant))


@pytest.fixture(scope="session")
def helm() -> Helm:
    """The helm of the cluster's Lambda function."""
    from kubectl_layer import kubectl_layer  # noqa: PLC0415 - on the path only now

    return Helm(kubectl_layer().helm)
