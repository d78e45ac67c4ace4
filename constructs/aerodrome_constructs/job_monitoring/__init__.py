"""What becomes of AWS Batch jobs, as metrics, alarms and a dashboard."""

from aerodrome_constructs.job_monitoring.blocked import BlockedQueues, BlockedQueuesProps
from aerodrome_constructs.job_monitoring.dashboard import JobDashboard, JobDashboardProps
from aerodrome_constructs.job_monitoring.events import JobEvents, JobEventsProps
from aerodrome_constructs.job_monitoring.metrics_handler.settings import Queue, Settings
from aerodrome_constructs.job_monitoring.watch import BatchWatch, BatchWatchProps

__all__ = [
    "BatchWatch",
    "BatchWatchProps",
    "BlockedQueues",
    "BlockedQueuesProps",
    "JobDashboard",
    "JobDashboardProps",
    "JobEvents",
    "JobEventsProps",
    "Queue",
    "Settings",
]
