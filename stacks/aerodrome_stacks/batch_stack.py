"""The Batch stack: compute environments, queues, and a first kind of job that reads from S3 and writes to S3."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_batch as batch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from aerodrome_constructs.batch import BatchCompute, BatchComputeProps, ContainerJob, ContainerJobProps
from aerodrome_constructs.identity import (
    EVERYTHING,
    BucketAccess,
    WorkloadBoundary,
    WorkloadBoundaryProps,
    bucket_statements,
    key_arn_of,
    object_wildcards,
)
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import INLINE_POLICY, WILDCARDS
from aerodrome_stacks.base import AerodromeStack, resource_prefix
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.retention import log_retention
from aerodrome_stacks.storage_stack import StoragePorts

_TRAINING_SCRIPT = Path(__file__).parents[2] / "workflows" / "aerodrome_workflows" / "train_classifier.py"
# Has boto3 and scikit-learn: https://github.com/aws/sagemaker-distribution/releases/tag/3.9.14-cpu
_TRAINING_IMAGE = "public.ecr.aws/sagemaker/sagemaker-distribution:3.9.14-cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPorts:
    """What other stacks may use of AWS Batch.

    Attributes:
        queue_name: The queue for jobs on instances: spot first, on-demand when there is no spot.
        fargate_queue_name: The queue for small jobs on Fargate.
        training_job_name: The name of the job definition that trains a classifier on a CSV file in S3.
    """

    queue_name: str
    fargate_queue_name: str
    training_job_name: str


def queue_name(environment: Environment) -> str:
    """The name of the queue for jobs on instances, such as ``aerodrome-dev-jobs``."""
    return f"{resource_prefix(environment)}-jobs"


def training_job_name(environment: Environment) -> str:
    """The name of the job definition that trains a classifier, such as ``aerodrome-dev-train-classifier``."""
    return f"{resource_prefix(environment)}-train-classifier"


class BatchStack(AerodromeStack):
    """Queues for Flyte and for people, and the capacity behind them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        network: NetworkPorts,
        storage: StoragePorts,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="AWS Batch: compute environments (spot, on-demand, Fargate), job queues, job definitions",
        )
        compute = BatchCompute(
            self,
            "Compute",
            BatchComputeProps(
                vpc=network.vpc,
                subnets=network.node_subnets,
                spot_vcpus=environment.batch.spot_vcpus,
                on_demand_vcpus=environment.batch.on_demand_vcpus,
                fargate_vcpus=environment.batch.fargate_vcpus,
            ),
        )
        self.ports = BatchPorts(
            queue_name=queue_name(environment),
            fargate_queue_name=f"{self.prefix}-fargate",
            training_job_name=training_job_name(environment),
        )
        # Plain first-in first-out queues: Flyte's plugin cannot name the share that a fair-share queue asks for.
        self._queue("Queue", self.ports.queue_name, [compute.spot, compute.on_demand])
        self._queue("FargateQueue", self.ports.fargate_queue_name, [compute.fargate])
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aerodrome/{environment.name}/batch",
            retention=log_retention(environment),
            encryption_key=log_key,
            # Not when its creation is rolled back: its name would be taken at the next try.
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self._training_job(storage, log_group)
        cdk.CfnOutput(self, "QueueName", value=self.ports.queue_name)
        cdk.CfnOutput(self, "TrainingJobName", value=self.ports.training_job_name)

    def _queue(self, construct_id: str, name: str, compute_environments: Sequence[batch.IComputeEnvironment]) -> None:
        batch.JobQueue(
            self,
            construct_id,
            job_queue_name=name,
            compute_environments=[
                batch.OrderedComputeEnvironment(compute_environment=environment, order=order)
                for order, environment in enumerate(compute_environments, start=1)
            ],
        )

    def _training_job(self, storage: StoragePorts, log_group: logs.ILogGroup) -> None:
        role = iam.Role(
            self,
            "TrainingJobRole",
            assumed_by=iam.ServicePrincipal(
                "ecs-tasks.amazonaws.com",
                # Another account's service cannot be talked into using the role (the confused deputy).
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            ),
            permissions_boundary=self._boundary(storage, log_group),
        )
        access = [
            BucketAccess(bucket_arn=storage.batch_input.bucket_arn, read=(EVERYTHING,), list_all=True),
            BucketAccess(
                bucket_arn=storage.batch_output.bucket_arn, read=(EVERYTHING,), write=(EVERYTHING,), list_all=True
            ),
        ]
        for statement in bucket_statements(access, key_arn=key_arn_of(storage.batch_input), region=self.region):
            role.add_to_policy(statement)
        acknowledge(
            role,
            WILDCARDS,
            reason="whoever submits the job names the objects that it reads and writes; no action has a wildcard",
            findings=object_wildcards(access),
        )
        acknowledge(
            role, INLINE_POLICY, reason="the policy, for two buckets, is this job's role's alone and goes with it"
        )
        ContainerJob(
            self,
            "TrainClassifier",
            ContainerJobProps(
                name=self.ports.training_job_name,
                image=_TRAINING_IMAGE,
                # The script travels in the job definition (at most 24 KiB), so the image needs no code of ours.
                command=[
                    "python",
                    "-c",
                    _TRAINING_SCRIPT.read_text(encoding="utf-8"),
                    "--input",
                    "Ref::input",
                    "--output",
                    "Ref::output",
                ],
                parameters={
                    "input": f"s3://{storage.batch_input.bucket_name}/data.csv",
                    "output": f"s3://{storage.batch_output.bucket_name}/train-classifier",
                },
                vcpus=1,
                memory_mib=2048,
                timeout=timedelta(hours=1),
                job_role=role,
                log_group=log_group,
            ),
        )

    def _boundary(self, storage: StoragePorts, log_group: logs.ILogGroup) -> iam.IManagedPolicy:
        props = WorkloadBoundaryProps(
            bucket_arns=[storage.batch_input.bucket_arn, storage.batch_output.bucket_arn],
            data_key_arn=key_arn_of(storage.batch_input),
            log_groups=[log_group.log_group_name],
        )
        return WorkloadBoundary(self, "WorkloadBoundary", props).policy
