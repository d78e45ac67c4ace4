"""AWS Batch: compute environments, queues and jobs."""

from aerodrome_constructs.batch.compute import BatchCompute, BatchComputeProps, Ceilings
from aerodrome_constructs.batch.host import HostMetrics
from aerodrome_constructs.batch.job import ContainerJob, ContainerJobProps
from aerodrome_constructs.batch.queues import FairShareProps, QueueProps, fair_share, job_queue

__all__ = [
    "BatchCompute",
    "BatchComputeProps",
    "Ceilings",
    "ContainerJob",
    "ContainerJobProps",
    "FairShareProps",
    "HostMetrics",
    "QueueProps",
    "fair_share",
    "job_queue",
]
