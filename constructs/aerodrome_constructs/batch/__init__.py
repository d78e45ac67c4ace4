"""AWS Batch: compute environments and jobs."""

from aerodrome_constructs.batch.compute import BatchCompute, BatchComputeProps
from aerodrome_constructs.batch.job import ContainerJob, ContainerJobProps

__all__ = ["BatchCompute", "BatchComputeProps", "ContainerJob", "ContainerJobProps"]
