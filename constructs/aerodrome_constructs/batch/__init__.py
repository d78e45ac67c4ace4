"""AWS Batch: compute environments, queues and jobs."""

from aerodrome_constructs.batch.cleaner import JobDefinitionCleaner, JobDefinitionCleanerProps
from aerodrome_constructs.batch.compute import BatchCompute, BatchComputeProps, Ceilings
from aerodrome_constructs.batch.container import Architecture, Container, InvalidJobError, Platform
from aerodrome_constructs.batch.execution_role import JobExecutionRole, JobExecutionRoleProps
from aerodrome_constructs.batch.host import HostMetrics
from aerodrome_constructs.batch.job import ContainerJob, ContainerJobProps, ElasticMount, HostMount
from aerodrome_constructs.batch.queues import FairShareProps, QueueProps, fair_share, job_queue
from aerodrome_constructs.batch.state_changes import JobStateChanges, JobStateChangesProps
from aerodrome_constructs.batch.submit_policy import JobSubmitPolicy, JobSubmitPolicyProps

__all__ = [
    "Architecture",
    "BatchCompute",
    "BatchComputeProps",
    "Ceilings",
    "Container",
    "ContainerJob",
    "ContainerJobProps",
    "ElasticMount",
    "FairShareProps",
    "HostMetrics",
    "HostMount",
    "InvalidJobError",
    "JobDefinitionCleaner",
    "JobDefinitionCleanerProps",
    "JobExecutionRole",
    "JobExecutionRoleProps",
    "JobStateChanges",
    "JobStateChangesProps",
    "JobSubmitPolicy",
    "JobSubmitPolicyProps",
    "Platform",
    "QueueProps",
    "fair_share",
    "job_queue",
]
