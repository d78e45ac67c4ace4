"""How AWS Batch jobs wait: in which order, for which capacity, and for how long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aws_cdk import aws_batch as batch
from constructs import Construct

LONGEST_WAIT_IN_VAIN: Final = timedelta(minutes=10)
"""How long a job that no host can ever fit stands at the head of its queue before it is cancelled.

All behind it wait, too: the shortest that Batch takes (API Reference, "JobStateTimeLimitAction").
"""

# What waiting does not mend: the job asks for more than the ceiling of the compute environments, or for more than any
# of their instances has. A lack of capacity is no such reason: spot comes back, and on-demand is second in line.
_IN_VAIN: Final = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
)

# How far back a share's use counts. Batch's own ten minutes are shorter than most jobs: who took every host for an hour
# would be a newcomer right after. A day would be unfair the other way round: who used at night what nobody else wanted
# would wait all morning. An hour is about as long as a job that trains.
_SHARE_DECAY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FairShareProps:
    """Who shares a queue, and how.

    Attributes:
        weights: The weight of each share by its identifier, 1 or more: with 2 it gets twice the vCPUs of one with 1
            while both have jobs waiting.
        reserved_percent: How much capacity is kept for shares that have no job yet, 0 to 99: R % while one share has
            jobs, R² % while two have, and so on.
    """

    weights: Mapping[str, int]
    reserved_percent: int


def fair_share(scope: Construct, construct_id: str, props: FairShareProps) -> batch.CfnSchedulingPolicy:
    """Make the scheduling policy of queues that are shared.

    Each queue that has the policy counts for itself what its shares used in the last hour.
    """
    return batch.CfnSchedulingPolicy(
        scope,
        construct_id,
        fairshare_policy=batch.CfnSchedulingPolicy.FairsharePolicyProperty(
            compute_reservation=props.reserved_percent,
            share_decay_seconds=_SHARE_DECAY.total_seconds(),
            share_distribution=[
                batch.CfnSchedulingPolicy.ShareAttributesProperty(
                    share_identifier=identifier,
                    # Batch's factor is the other way round: with 0.5 a share gets twice as much as with 1.
                    weight_factor=round(1 / weight, 4),
                )
                for identifier, weight in props.weights.items()
            ],
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueProps:
    """What a job queue needs to know.

    Attributes:
        name: The queue's name.
        priority: Batch looks at the queues of one compute environment from the highest down.
        environments: The compute environments in the order in which jobs are offered to them. Three at most, all with
            instances of one architecture or all with Fargate.
        scheduling_policy: How the queue is shared. Each job then names its share. None: first in, first out.
    """

    name: str
    priority: int
    environments: Sequence[batch.CfnComputeEnvironment]
    scheduling_policy: batch.CfnSchedulingPolicy | None = None


def job_queue(scope: Construct, construct_id: str, props: QueueProps) -> batch.CfnJobQueue:
    """Make a queue from which a job that waits in vain is cancelled."""
    return batch.CfnJobQueue(
        scope,
        construct_id,
        job_queue_name=props.name,
        state="ENABLED",
        priority=props.priority,
        compute_environment_order=[
            batch.CfnJobQueue.ComputeEnvironmentOrderProperty(compute_environment=environment.ref, order=order)
            for order, environment in enumerate(props.environments, start=1)
        ],
        scheduling_policy_arn=props.scheduling_policy.ref if props.scheduling_policy else None,
        job_state_time_limit_actions=[
            batch.CfnJobQueue.JobStateTimeLimitActionProperty(
                state="RUNNABLE",
                action="CANCEL",
                reason=reason,
                max_time_seconds=LONGEST_WAIT_IN_VAIN.total_seconds(),
            )
            for reason in _IN_VAIN
        ],
    )
