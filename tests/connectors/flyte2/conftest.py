"""An embedded AWS with a queue whose jobs are processes of this environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aerodrome_local.job_templates import queue_resources
from aerodrome_local.testing import EmbeddedAws
from tests.connectors.flyte2.laptop import ACCOUNT, BUCKET, COMMANDS, QUEUE, Account, Laptop


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An embedded AWS of the session's own, with a queue and a bucket."""
    aws = EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), variables={"AERODROME_JOB_PATH": str(COMMANDS)})
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}}
    aws.stack("flyte2", ACCOUNT).deploy({**queue_resources(JobQueueName=QUEUE), "Data": bucket})
    yield Account(aws, aws.variables(ACCOUNT))
    aws.stop()


@pytest.fixture
def laptop(tmp_path: Path, account: Account) -> Laptop:
    return Laptop(tmp_path, account)
