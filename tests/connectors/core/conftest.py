"""The account and the connector that tests of whole runs ask. Other tests have a world of their own."""

import pytest

from flytekit_aws_batch.core.runner import BatchRunner
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.job_requests import SETTINGS


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld(queues=SETTINGS.queues, lease_seconds=60, patience_seconds=5)


@pytest.fixture
def runner(world: KeptWorld) -> BatchRunner:
    return BatchRunner(world.settings, aws=world.aws)
