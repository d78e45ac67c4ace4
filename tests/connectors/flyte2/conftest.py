"""An embedded AWS with a queue whose jobs are processes of this environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aerodrome_local.testing import EmbeddedAws
from tests.connectors.flyte2.laptop import ACCOUNT, BUCKET, COMMANDS, QUEUE, Account, Laptop

QUEUE_RESOURCES = {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.78.0.0/16"}},
    "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.78.1.0/24"}},
    "Instances": {
        "Type": "AWS::Batch::ComputeEnvironment",
        "Properties": {
            "Type": "MANAGED",
            "ComputeResources": {
                "Type": "EC2",
                "MaxvCpus": 16,
                "Subnets": [{"Ref": "Subnet"}],
                "InstanceRole": "ecsInstanceRole",
                "InstanceTypes": ["c6i"],
                "AllocationStrategy": "BEST_FIT_PROGRESSIVE",
            },
        },
    },
    "Queue": {
        "Type": "AWS::Batch::JobQueue",
        "Properties": {
            "JobQueueName": QUEUE,
            "Priority": 1,
            "ComputeEnvironmentOrder": [{"Order": 1, "ComputeEnvironment": {"Ref": "Instances"}}],
        },
    },
    "Data": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}},
}


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An embedded AWS of the session's own, with a queue and a bucket."""
    aws = EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), variables={"AERODROME_JOB_PATH": str(COMMANDS)})
    aws.stack("flyte2", ACCOUNT).deploy(QUEUE_RESOURCES)
    variables = {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_REGION": aws.region,
        "AWS_DEFAULT_REGION": aws.region,
    }
    yield Account(aws, variables)
    aws.stop()


@pytest.fixture
def laptop(tmp_path: Path, account: Account) -> Laptop:
    return Laptop(tmp_path, account)
