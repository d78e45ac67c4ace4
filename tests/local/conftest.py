"""An embedded AWS of the test session's own, and the platform deployed to it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aerodrome_local.testing import EmbeddedAws, Stack
from aerodrome_stacks.environment import load_environment
from pytest_cdk.settings import Settings
from pytest_cdk.synth import load_app_function
from tests.local.account import Account
from tests.local.deployment import deployed


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """One embedded AWS for the whole session, with the property audit on. Tests use stack names of their own."""
    # Jobs find the Python of the project, as with `aerodrome try`: it has what their images have, scikit-learn for one.
    variables = {"AERODROME_JOB_PATH": str(Path(sys.executable).parent)}
    aws = EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), "--audit", variables=variables)
    yield aws
    aws.stop()


@pytest.fixture
def stack(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack named after the test, deleted after it."""
    of_test = embedded_aws.stack(request.node.name)
    yield of_test
    of_test.delete()


def deploy(
    name: str, embedded_aws: EmbeddedAws, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Account:
    """Deploy every stack of an environment."""
    environment = load_environment(name, settings.root / "environments")
    build = load_app_function(settings.app, settings.root)
    return deployed(build, environment, embedded_aws, settings, tmp_path_factory)


@pytest.fixture(scope="session")
def dev(embedded_aws: EmbeddedAws, cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The smallest environment, deployed once. A test that changes something in it leaves it as it was."""
    return deploy("dev", embedded_aws, cdk_settings, tmp_path_factory)


@pytest.fixture(scope="session")
def prod(embedded_aws: EmbeddedAws, cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The strictest environment, deployed once. A test that changes something in it leaves it as it was.

    Passwords may have been changed, as they are on a schedule.
    """
    return deploy("prod", embedded_aws, cdk_settings, tmp_path_factory)
