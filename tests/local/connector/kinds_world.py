"""An account with a queue of every kind, and a connector that works in it, for tests of what each kind of job is."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry

from aerodrome_local.job_templates import compute_environment, job_queue, network
from aerodrome_local.testing import EmbeddedAws, Stack, Template
from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.settings import FileSystem, Limits, Queue, Settings
from tests.local.connector.world import DOMAIN, PROJECT, World

ACCOUNT: Final = "191919191919"
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


def resources() -> Template:
    """What jobs of every kind need: queues, roles, a secret, a file system, a bucket and a log group."""
    groups = [{"Fn::GetAtt": ["Group", "GroupId"]}]
    shares = [{"ShareIdentifier": share} for share in (PROJECT, "urgent")]
    creation = {"OwnerUid": "1000", "OwnerGid": "1000", "Permissions": "0750"}
    return {
        **network(),
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "GroupDescription": "jobs on Fargate"},
        },
        "OnSpot": compute_environment("SPOT", AllocationStrategy="SPOT_CAPACITY_OPTIMIZED"),
        "OnDemand": compute_environment(),
        "OnGpus": compute_environment(InstanceTypes=["g5"]),
        "OnArm": compute_environment(InstanceTypes=["c7g"]),
        "OnOne": compute_environment(vcpus=1),
        "OnFargate": compute_environment("FARGATE", SecurityGroupIds=groups),
        "OnFargateSpot": compute_environment("FARGATE_SPOT", SecurityGroupIds=groups),
        "SpotQueue": job_queue("OnSpot"),
        "DemandQueue": job_queue("OnDemand"),
        "GpuQueue": job_queue("OnGpus"),
        "ArmQueue": job_queue("OnArm"),
        "FargateQueue": job_queue("OnFargate"),
        "FargateSpotQueue": job_queue("OnFargateSpot"),
        "ShutQueue": job_queue("OnDemand", State="DISABLED"),
        "FairQueue": job_queue("OnOne", SchedulingPolicyArn={"Ref": "Policy"}),
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


class KindsWorld(World):
    """The account, and a connector that works in it.

    Attributes:
        made: What the template made: ARNs of queues, roles and the secret, IDs of the file system and its access point.
        settings: What the connector knows of the account.
    """

    def __init__(self, embedded: EmbeddedAws, stack: Stack, notes: Path) -> None:
        self.made = made = stack.deploy(resources(), _OUTPUTS)
        super().__init__(embedded, ACCOUNT, made["Bucket"], notes)
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

    @staticmethod
    def _connector(settings: Settings) -> BatchRunner:
        return BatchRunner(settings, aws=Aws(settings, metrics=Metrics(CollectorRegistry())))

    def request(self, command: str, execution: str = "f1", **more: Any) -> JobRequest:  # noqa: ANN401 - any field
        """A task that runs a shell command. ``$NOTE`` is a file of its execution's own."""
        return super().request(command, execution, **{"environment": {"NOTE": str(self.notes / execution)}, **more})

    def note(self, execution: str) -> list[str]:
        """The lines that an execution's jobs left."""
        return (self.notes / execution).read_text().splitlines()

    def refused(self, request: JobRequest) -> list[str]:
        """Why a task is refused, a problem an entry; and see that Batch was asked for nothing because of it."""
        writes = ("SubmitJob", "RegisterJobDefinition", "TerminateJob")
        before = [self.calls(operation) for operation in writes]
        handle = asyncio.run(self.runner.start(request))
        assert handle.refused is not None, "it was not refused"
        progress = self.poll(handle)
        # For good: trying again as it is would fail again.
        assert (progress.phase, progress.message, progress.jobs) == (Phase.FAILED, handle.refused, ())
        asyncio.run(self.runner.stop(handle, "the user said so"))
        assert [self.calls(operation) for operation in writes] == before
        return handle.refused.splitlines()

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

    def close(self) -> None:
        """Let go of the connector, and empty what a stack can only delete empty."""
        self.runner.close()
        self.empty_bucket()
        ecr = self.embedded.client("ecr", ACCOUNT)
        if images := ecr.list_images(repositoryName=REPOSITORY)["imageIds"]:
            ecr.batch_delete_image(repositoryName=REPOSITORY, imageIds=images)


@contextlib.contextmanager
def kinds_world(embedded: EmbeddedAws, stack_name: str, notes: Path) -> Iterator[KindsWorld]:
    """A world in an embedded AWS, which goes with its stack."""
    stack = embedded.stack(stack_name, ACCOUNT)
    with pytest.MonkeyPatch.context() as variables:
        for name, value in embedded.variables(ACCOUNT).items():
            variables.setenv(name, value)
        world = KindsWorld(embedded, stack, notes)
        yield world
        world.close()
    stack.delete()
