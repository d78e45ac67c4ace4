"""An account with a queue of every kind, and a connector that works in it, for tests of what each kind of job is."""

import asyncio
import contextlib
import dataclasses
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry

from aerodrome_local.testing import EmbeddedAws, Stack
from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.plan import Handle, JobRequest
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.settings import FileSystem, Limits, Queue, Settings
from flytekit_aws_batch.core.spec import JobSpec, Resources
from tests.local.connector.runs_world import ENDED, WAIT_SECONDS
from tests.local.job_templates import Template, eventually

ACCOUNT: Final = "191919191919"
PROJECT: Final = "fraud"
DOMAIN: Final = "development"
FAIR: Final = "staging"
"""The domain whose only queue has fair share, and room for a single vCPU."""
SHUT: Final = "production"
"""The domain whose queues take no jobs: the one is disabled, the other is not there."""
SECRET: Final = "aerodrome/fraud/database"
SECRET_TEXT: Final = '{"user": "trainer", "password": "correct horse"}'
LOG_GROUP: Final = "/kinds/fraud/development"
REPOSITORY: Final = "kinds"
MOST_MEMORY_MIB: Final = 7168


def _trusts(service: str) -> Template:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}}


def _environment(kind: str, vcpus: int = 16, **more: object) -> Template:
    instances = {"InstanceRole": "ecsInstanceRole"}
    fargate = {"SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}]}
    resources = {
        "Type": kind,
        "MaxvCpus": vcpus,
        "Subnets": [{"Ref": "Subnet"}],
        **(fargate if kind.startswith("FARGATE") else instances),
        **more,
    }
    properties = {"Type": "MANAGED", "ComputeResources": resources}
    return {"Type": "AWS::Batch::ComputeEnvironment", "Properties": properties}


def _queue(environment: str, **more: object) -> Template:
    order = [{"Order": 0, "ComputeEnvironment": {"Ref": environment}}]
    properties = {"Priority": 1, "ComputeEnvironmentOrder": order, **more}
    return {"Type": "AWS::Batch::JobQueue", "Properties": properties}


def resources() -> Template:
    """What jobs of every kind need: queues, roles, a secret, a file system, a bucket and a log group."""
    cheapest, best = "SPOT_CAPACITY_OPTIMIZED", "BEST_FIT_PROGRESSIVE"
    shares = [{"ShareIdentifier": share} for share in (PROJECT, "urgent")]
    creation = {"OwnerUid": "1000", "OwnerGid": "1000", "Permissions": "0750"}
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.79.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.79.1.0/24"},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "GroupDescription": "jobs on Fargate"},
        },
        "OnSpot": _environment("SPOT", InstanceTypes=["c6i"], AllocationStrategy=cheapest),
        "OnDemand": _environment("EC2", InstanceTypes=["c6i"], AllocationStrategy=best),
        "OnGpus": _environment("EC2", InstanceTypes=["g5"], AllocationStrategy=best),
        "OnArm": _environment("EC2", InstanceTypes=["c7g"], AllocationStrategy=best),
        "OnOne": _environment("EC2", 1, InstanceTypes=["c6i"], AllocationStrategy=best),
        "OnFargate": _environment("FARGATE"),
        "OnFargateSpot": _environment("FARGATE_SPOT"),
        "SpotQueue": _queue("OnSpot"),
        "DemandQueue": _queue("OnDemand"),
        "GpuQueue": _queue("OnGpus"),
        "ArmQueue": _queue("OnArm"),
        "FargateQueue": _queue("OnFargate"),
        "FargateSpotQueue": _queue("OnFargateSpot"),
        "ShutQueue": _queue("OnDemand", State="DISABLED"),
        "FairQueue": _queue("OnOne", SchedulingPolicyArn={"Ref": "Policy"}),
        "Policy": {
            "Type": "AWS::Batch::SchedulingPolicy",
            "Properties": {"FairsharePolicy": {"ShareDistribution": shares}},
        },
        "JobRole": _trusts("ecs-tasks.amazonaws.com"),
        "ExecutionRole": _trusts("ecs-tasks.amazonaws.com"),
        "LambdaRole": _trusts("lambda.amazonaws.com"),
        "Secret": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"Name": SECRET, "SecretString": SECRET_TEXT},
        },
        "Files": {"Type": "AWS::EFS::FileSystem", "DeletionPolicy": "Delete", "Properties": {"Encrypted": True}},
        "Point": {
            "Type": "AWS::EFS::AccessPoint",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "RootDirectory": {"Path": "/fraud/development", "CreationInfo": creation},
            },
        },
        "Images": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": REPOSITORY}},
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": LOG_GROUP}},
        "Bucket": {"Type": "AWS::S3::Bucket"},
    }


_QUEUES: Final = ("Spot", "Demand", "Gpu", "Arm", "Fargate", "FargateSpot", "Shut", "Fair")
_OUTPUTS: Final = {
    **{f"{name}Queue": {"Ref": f"{name}Queue"} for name in _QUEUES},
    **{role: {"Fn::GetAtt": [role, "Arn"]} for role in ("JobRole", "ExecutionRole", "LambdaRole")},
    **{name: {"Ref": name} for name in ("Files", "Point", "Bucket")},
    "Secret": {"Fn::GetAtt": ["Secret", "Id"]},
    "Repository": {"Fn::GetAtt": ["Images", "RepositoryUri"]},
}


class KindsWorld:
    """The account, and a connector that works in it.

    Attributes:
        made: What the template made: ARNs of queues, roles and the secret, IDs of the file system and its access point.
        notes: A folder in which jobs leave what they have to say.
        settings: What the connector knows of the account.
        runner: The connector.
    """

    def __init__(self, embedded: EmbeddedAws, stack: Stack, notes: Path) -> None:
        self.embedded = embedded
        self.notes = notes
        self.made = made = stack.deploy(resources(), _OUTPUTS)
        absent = f"arn:aws:batch:{embedded.region}:{ACCOUNT}:job-queue/nobody-made-it"
        self.settings = Settings(
            region=embedded.region,
            queues={
                DOMAIN: (
                    Queue(arn=made["SpotQueue"], kind="spot", most_memory_mib=MOST_MEMORY_MIB),
                    Queue(arn=made["DemandQueue"], kind="on-demand", most_memory_mib=MOST_MEMORY_MIB),
                    Queue(arn=made["GpuQueue"], kind="gpu", spot=False, most_gpus=8),
                    Queue(arn=made["ArmQueue"], kind="arm", spot=False),
                    Queue(arn=made["FargateQueue"], kind="fargate", spot=False),
                    Queue(arn=made["FargateSpotQueue"], kind="fargate"),
                ),
                FAIR: (Queue(arn=made["FairQueue"], kind="on-demand", fair_share=True),),
                SHUT: (Queue(arn=made["ShutQueue"], kind="on-demand"), Queue(arn=absent, kind="gpu")),
            },
            execution_roles={"*": made["ExecutionRole"]},
            job_roles={"*": made["JobRole"]},
            log_group=LOG_GROUP,
            secret_prefix="aerodrome/{project}/",
            file_systems={"models": FileSystem(id=made["Files"], access_points={f"{PROJECT}/{DOMAIN}": made["Point"]})},
            definition_prefix="kinds-",
            tags={"cost-centre": "{project}-{domain}"},
            freshest_seconds=0.05,
            oldest_seconds=1,
            patience_seconds=10,
            limits=Limits(submits=40, describes=50, others=50),
        )
        self.runner = self._connector(self.settings)
        self.batch: Any = embedded.client("batch", ACCOUNT)

    @staticmethod
    def _connector(settings: Settings) -> BatchRunner:
        return BatchRunner(settings, aws=Aws(settings, metrics=Metrics(CollectorRegistry())))

    def request(self, command: str, execution: str, **more: Any) -> JobRequest:  # noqa: ANN401 - any field
        """A task that runs a shell command. ``$NOTE`` is a file of its execution's own."""
        asked = JobRequest(
            project=PROJECT,
            domain=DOMAIN,
            execution=execution,
            node="n0",
            task="train",
            attempt=0,
            image="busybox",
            command=("sh", "-c", command),
            environment={"NOTE": str(self.notes / execution)},
            resources=Resources(vcpus=1, memory_mib=128),
            spec=JobSpec(),
            retries=0,
            timeout_seconds=None,
            interruptible=True,
            job_role=None,
            output_prefix=f"s3://{self.made['Bucket']}/metadata/{execution}/n0/data/0",
        )
        return dataclasses.replace(asked, **more)

    def note(self, execution: str) -> list[str]:
        """The lines that an execution's jobs left."""
        return (self.notes / execution).read_text().splitlines()

    def start(self, request: JobRequest) -> Handle:
        handle = asyncio.run(self.runner.start(request))
        assert handle.refused is None
        return handle

    def refused(self, request: JobRequest) -> list[str]:
        """Why a task is refused, a problem an entry; and see that Batch was asked for nothing because of it."""
        writes = ("SubmitJob", "RegisterJobDefinition", "TerminateJob")
        before = [self.calls(operation) for operation in writes]
        handle = asyncio.run(self.runner.start(request))
        assert handle.refused is not None, "it was not refused"
        progress = asyncio.run(self.runner.poll(handle))
        # For good: trying again as it is would fail again.
        assert (progress.phase, progress.message, progress.jobs) == (Phase.FAILED, handle.refused, ())
        asyncio.run(self.runner.stop(handle, "the user said so"))
        assert [self.calls(operation) for operation in writes] == before
        return handle.refused.splitlines()

    def until(self, handle: Handle, condition: Callable[[Progress], object], what: str) -> Progress:
        """Ask for a run until it is as wanted."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition(progress := asyncio.run(self.runner.poll(handle))):
            assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:g} s: {what}; {progress}"
            time.sleep(0.05)
        return progress

    def ended(self, handle: Handle) -> Progress:
        return self.until(handle, lambda progress: progress.phase in ENDED, "it ends")

    def run(
        self,
        command: str,
        execution: str,
        **more: Any,  # noqa: ANN401 - any field
    ) -> tuple[Progress, dict[str, Any]]:
        """Run a task to its end: how it ended, and its only job as DescribeJobs has it."""
        progress = self.ended(self.start(self.request(command, execution, **more)))
        (job,) = progress.jobs
        return progress, self.described(job)

    def described(self, job_id: str) -> dict[str, Any]:
        """A job as DescribeJobs has it."""
        (job,) = self.batch.describe_jobs(jobs=[job_id])["jobs"]
        found: dict[str, Any] = job
        return found

    def definition(self, job: dict[str, Any]) -> dict[str, Any]:
        """The definition of a job as DescribeJobDefinitions has it."""
        (found,) = self.batch.describe_job_definitions(jobDefinitions=[job["jobDefinition"]])["jobDefinitions"]
        definition: dict[str, Any] = found
        return definition

    def log(self, job: dict[str, Any]) -> list[str]:
        """What a job's last container printed."""
        options = job["container"]["logConfiguration"]["options"]
        stream = {"logGroupName": options["awslogs-group"], "logStreamName": job["container"]["logStreamName"]}
        events = self.embedded.client("logs", ACCOUNT).get_log_events(**stream)["events"]
        return [event["message"] for event in events]

    @contextlib.contextmanager
    def another_connector(self, settings: Settings | None = None) -> Iterator[BatchRunner]:
        """Another connector in the place of this one, whose memory it lacks. Default: with the same settings."""
        before = self.runner
        self.runner = self._connector(settings or self.settings)
        yield self.runner
        self.runner.close()
        self.runner = before

    def calls(self, operation: str) -> int:
        """How often an operation of Batch was called in the account."""
        counted = self.embedded.view("batch").get(ACCOUNT, {"operations": {}})["operations"]
        return int(counted.get(operation, {"calls": 0})["calls"])

    def reclaim(self, job_id: str) -> None:
        """Take a running job's host away, as EC2 does with a spot instance, and see that Batch has noticed."""
        before = len(self.described(job_id)["attempts"])
        url = f"{self.embedded.endpoint}/v1/embedded/reclaimhost/{job_id}"
        scope = "20260101/us-east-1/batch/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/{scope}"}
        asked = urllib.request.Request(url, data=b"{}", method="POST", headers=headers)  # noqa: S310 - http, on loopback
        urllib.request.urlopen(asked, timeout=30).close()  # noqa: S310 - http, on loopback
        eventually(lambda: len(self.described(job_id)["attempts"]) > before, "Batch notices")

    def close(self) -> None:
        """Let go of the connector, and empty what a stack can only delete empty."""
        self.runner.close()
        s3 = self.embedded.client("s3", ACCOUNT)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.made["Bucket"])
        for each in [key for page in pages for key in page.get("Contents", [])]:
            s3.delete_object(Bucket=self.made["Bucket"], Key=each["Key"])
        ecr = self.embedded.client("ecr", ACCOUNT)
        if images := ecr.list_images(repositoryName=REPOSITORY)["imageIds"]:
            ecr.batch_delete_image(repositoryName=REPOSITORY, imageIds=images)


@contextlib.contextmanager
def kinds_world(embedded: EmbeddedAws, name: str, notes: Path) -> Iterator[KindsWorld]:
    """A world in an embedded AWS, which goes with its stack."""
    stack = embedded.stack(name, ACCOUNT)
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("AWS_ENDPOINT_URL", embedded.endpoint)
        variables.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
        variables.setenv("AWS_SECRET_ACCESS_KEY", "embedded")
        world = KindsWorld(embedded, stack, notes)
        yield world
        world.close()
    stack.delete()
