"""An embedded AWS with room for 600 jobs at once, and the connector's service in a process of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from aerodrome_local.testing import EmbeddedAws
from tests.connectors.account_template import queue_settings
from tests.connectors.flytekit.proofs.account import ACCOUNT, QUEUES, RESOURCES, ProofAccount
from tests.connectors.flytekit.proofs.service import ConnectorService

MakeService = Callable[..., ConnectorService]


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """Jobs here mostly sleep, so 600 of them are no burden."""
    aws = EmbeddedAws.start(tmp_path_factory.mktemp("large"), variables={"AERODROME_BATCH_SLOTS": "600"})
    aws.stack("proofs", ACCOUNT).deploy(RESOURCES)
    yield aws
    aws.stop()


@pytest.fixture
def proofs(large: EmbeddedAws) -> Iterator[ProofAccount]:
    """The account, whose API behaves, and counts from nothing."""
    large.act("batch", account=ACCOUNT, reset=True)
    yield ProofAccount(large)
    large.act("batch", account=ACCOUNT, reset=True)


@pytest.fixture
def service(proofs: ProofAccount, tmp_path: Path) -> Iterator[MakeService]:
    """Makes a service that is not started yet; it takes settings of the connector."""
    made: list[ConnectorService] = []

    def make(**settings: object) -> ConnectorService:
        path = tmp_path / f"settings-{len(made)}.yaml"
        queues = queue_settings(proofs.aws.region, ACCOUNT, QUEUES)
        path.write_text(
            yaml.safe_dump({"queues": {"*": queues}, "check_images": False, "oldest_seconds": 5, **settings})
        )
        one = ConnectorService(proofs.variables | {"FLYTEKIT_AWS_BATCH_CONFIG": str(path)}, tmp_path / "connector.log")
        made.append(one)
        return one

    yield make
    for each in made:
        each.kill()
