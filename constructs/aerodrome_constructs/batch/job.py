"""A kind of AWS Batch job: a container that is retried when its host is taken away, and not when its code fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_batch as batch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import INLINE_POLICY

# Batch takes 10 attempts at most. A spot instance that is taken back ends an attempt through no fault of the job.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerJobProps:
    """What a kind of job needs to know.

    Attributes:
        name: The job definition's name.
        image: The container image, with its tag or digest.
        command: What runs in it. ``Ref::name`` stands for the parameter of that name.
        parameters: The parameters and their defaults. A submission may give others.
        vcpus: How many vCPUs the job gets.
        memory_mib: How much memory the job gets, in MiB. It is killed when it takes more.
        timeout: How long one attempt may run.
        job_role: What the code in the container may do in AWS.
        log_group: Where the container's output goes.
    """

    name: str
    image: str
    command: Sequence[str]
    parameters: Mapping[str, str]
    vcpus: int
    memory_mib: int
    timeout: timedelta
    job_role: iam.IRole
    log_group: logs.ILogGroup


class ContainerJob(Construct):
    """A job definition for EC2 compute environments.

    Attributes:
        definition: The job definition.
    """

    def __init__(self, scope: Construct, construct_id: str, props: ContainerJobProps) -> None:
        super().__init__(scope, construct_id)
        self.definition = batch.EcsJobDefinition(
            self,
            "Resource",
            job_definition_name=props.name,
            parameters=dict(props.parameters),
            retry_attempts=_ATTEMPTS,
            retry_strategies=[
                batch.RetryStrategy.of(batch.Action.RETRY, batch.Reason.SPOT_INSTANCE_RECLAIMED),
                batch.RetryStrategy.of(batch.Action.EXIT, batch.Reason.custom(on_reason="*")),
            ],
            timeout=cdk.Duration.seconds(int(props.timeout.total_seconds())),
            propagate_tags=True,
            container=batch.EcsEc2ContainerDefinition(
                self,
                "Container",
                image=ecs.ContainerImage.from_registry(props.image),
                command=list(props.command),
                cpu=props.vcpus,
                memory=cdk.Size.mebibytes(props.memory_mib),
                job_role=props.job_role,
                logging=ecs.LogDriver.aws_logs(stream_prefix=props.name, log_group=props.log_group),
            ),
        )
        acknowledge(
            self.definition.container.execution_role,
            INLINE_POLICY,
            reason="the policy, to write into the job's log, is this role's alone and goes with it",
        )
