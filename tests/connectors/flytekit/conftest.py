"""An embedded AWS with queues whose jobs are processes of this environment, and the connector that asks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from aerodrome_local.testing import EmbeddedAws
from flytekit_aws_batch.connector import AWSBatchConnector
from flytekit_aws_batch.core.settings import Settings
from tests.connectors.account_template import queue_settings
from tests.connectors.flytekit.laptop import ACCOUNT, COMMANDS, QUEUES, RESOURCES, Account
from tests.connectors.flytekit.propeller import Propeller


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An embedded AWS of the session's own, with two queues and a bucket, found by the environment's variables."""
    aws = EmbeddedAws.start(
        tmp_path_factory.mktemp("embedded-aws"),
        variables={"AERODROME_JOB_PATH": COMMANDS, "AERODROME_BATCH_SLOTS": "6"},
    )
    aws.stack("flytekit", ACCOUNT).deploy(RESOURCES)
    settings = tmp_path_factory.mktemp("connector") / "settings.yaml"
    queues = queue_settings(aws.region, ACCOUNT, QUEUES)
    settings.write_text(
        yaml.safe_dump({"queues": {"*": queues}, "freshest_seconds": 0.2, "oldest_seconds": 1, "check_images": False})
    )
    variables = {**aws.variables(ACCOUNT), "FLYTEKIT_AWS_BATCH_CONFIG": str(settings)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield Account(aws, variables)
    aws.stop()


@pytest.fixture(scope="session")
def propeller(account: Account) -> Propeller:
    """What asks the connector as propeller does, in this process."""
    return Propeller(account, AWSBatchConnector(Settings.read(Path(account.variables["FLYTEKIT_AWS_BATCH_CONFIG"]))))
