"""The metrics that the functions put into CloudWatch: alarms and the dashboard take the names from here, too."""

from collections.abc import Mapping
from typing import Final

NAMESPACE: Final = "Aerodrome/Batch"

ENVIRONMENT: Final = "Environment"
QUEUE: Final = "Queue"
PROJECT: Final = "Project"
STATE: Final = "State"
REASON: Final = "Reason"
COMPUTE_ENVIRONMENT: Final = "ComputeEnvironment"

JOBS: Final = "Jobs"
"""Jobs that came into a state, by the dimension ``State``. An array counts by its children."""
ATTEMPTS: Final = "Attempts"
"""Attempts that ended, well or not: a job that is retried makes several."""
SPOT_RECLAIMS: Final = "SpotReclaims"
"""Attempts that ended as their host was taken back."""
WAIT_SECONDS: Final = "WaitSeconds"
"""From when an attempt could have run until its container did. Of jobs without dependencies, and of every retry."""
RUN_SECONDS: Final = "RunSeconds"
"""How long an attempt ran, whatever came of it."""
VCPU_SECONDS: Final = "VcpuSeconds"
"""What an attempt ran times the vCPUs that it asked for."""
ESTIMATED_USD: Final = "EstimatedUsd"
"""What an attempt cost, by estimate."""
QUEUE_BLOCKED: Final = "QueueBlocked"
"""Times that Batch found a queue blocked by the job at its head."""
RUNNABLE_AGE: Final = "RunnableAge"
"""For how long the job that has stood longest in the same place of a queue has stood there."""
WAITING_JOBS: Final = "WaitingJobs"
"""Jobs that are RUNNABLE in a queue: 100 at most, which is as far as Batch lets one see at once."""
INVALID_COMPUTE_ENVIRONMENTS: Final = "InvalidComputeEnvironments"
"""Compute environments in which Batch cannot start anything."""
DESIRED_VCPUS: Final = "DesiredVcpus"
"""The vCPUs of the instances that a compute environment has or asks for. Batch tells none of Fargate."""

UNITS: Final[Mapping[str, str]] = {
    JOBS: "Count",
    ATTEMPTS: "Count",
    SPOT_RECLAIMS: "Count",
    WAIT_SECONDS: "Seconds",
    RUN_SECONDS: "Seconds",
    VCPU_SECONDS: "None",
    ESTIMATED_USD: "None",
    QUEUE_BLOCKED: "Count",
    RUNNABLE_AGE: "Seconds",
    WAITING_JOBS: "Count",
    INVALID_COMPUTE_ENVIRONMENTS: "Count",
    DESIRED_VCPUS: "Count",
}
"""Every metric with its unit in CloudWatch."""

STATES: Final = ("RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
"""The states that are counted. SUBMITTED has no event, and PENDING waits for other jobs, not for us."""

STATE_CHANGE: Final = "Batch Job State Change"
BLOCKED: Final = "Batch Job Queue Blocked"

OTHER_PROJECT: Final = "other"
"""The project of jobs that name none of ours: nobody makes up metrics, which cost money, by making up names."""
