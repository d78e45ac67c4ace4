"""The platform's releases as a deployment hands them to Helm, and the helm that it hands them to."""

from collections.abc import Callable, Mapping
from functools import cache

import pytest

from aerodrome_stacks.environment import Environment, load_environment
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import DeployedRelease, deployed_releases
from tests.charts.helm import Helm
from tests.templates import ROOT


@pytest.fixture(scope="session")
def _releases(cdk_assembly: AssemblyFactory) -> Callable[[str], Mapping[str, DeployedRelease]]:
    """A function from an environment to its releases, read from the templates once a session."""
    return cache(lambda environment: deployed_releases(cdk_assembly(environment)))


@pytest.fixture
def releases(
    cdk_variant: str, _releases: Callable[[str], Mapping[str, DeployedRelease]]
) -> Mapping[str, DeployedRelease]:
    """Every release of one environment, by its name."""
    return _releases(cdk_variant)


@pytest.fixture
def flyte(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    """Flyte's release in one environment."""
    return releases["flyte"]


@pytest.fixture(scope="session")
def _environment() -> Callable[[str], Environment]:
    """A function from a name to the environment, read from its file once a session."""
    return cache(lambda name: load_environment(name, ROOT / "environments"))


@pytest.fixture
def environment(cdk_variant: str, _environment: Callable[[str], Environment]) -> Environment:
    """What the team decided, in one environment."""
    return _environment(cdk_variant)


@pytest.fixture(scope="session")
def helm() -> Helm:
    """The helm of the cluster's Lambda function."""
    from kubectl_layer import kubectl_layer  # noqa: PLC0415 - on the path only now

    return Helm(kubectl_layer().helm)
