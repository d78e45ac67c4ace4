"""The JobMonitoring stack: what becomes of AWS Batch jobs, seen and alarmed."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.batch.retry import RECLAIMED
from aerodrome_constructs.functions import https_only
from aerodrome_constructs.job_monitoring import (
    BatchWatch,
    BatchWatchProps,
    BlockedQueues,
    BlockedQueuesProps,
    JobDashboard,
    JobDashboardProps,
    JobEvents,
    JobEventsProps,
    Queue,
    Settings,
)
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.batch_queues import Kind, queue_kinds
from aerodrome_stacks.batch_stack import HOST_METRICS, BatchPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.function_place import function_place
from aerodrome_stacks.ingest_stack import dead_letters_name
from aerodrome_stacks.job_alarms import JobAlarms
from aerodrome_stacks.job_prices import USD_PER_VCPU_HOUR
from aerodrome_stacks.network_stack import NetworkPorts

# What the names of compute environments begin with, as the Batch stack makes them: "ArmSpot", "GpuOnDemand", "Spot".
_HARDWARE = {"arm": "Arm", "gpu": "Gpu"}


class JobMonitoringStack(AerodromeStack):
    """Metrics of jobs, of queues and of compute environments; alarms on them; a page that shows them.

    Args:
        scope: The app.
        construct_id: The stack's ID.
        environment: What the team decided.
        network: Where the functions run.
        batch: The queues.
        alerts: Who is told.
        log_key: The key that encrypts the functions' output.
        after: The stack that makes the queues.
        usd_per_vcpu_hour: What a vCPU with 4 GiB costs in an hour, by what a queue asks first. Default: what AWS asks,
            by estimate.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        network: NetworkPorts,
        batch: BatchPorts,
        alerts: AlertsPorts,
        log_key: kms.IKey,
        after: cdk.Stack,
        usd_per_vcpu_hour: Mapping[Kind, float] = USD_PER_VCPU_HOUR,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="AWS Batch: metrics of jobs, queues and cost, alarms on them, a dashboard",
        )
        self.add_stack_dependency(after)
        settings = Settings(
            environment=environment.name,
            queues={
                name: Queue(_HARDWARE.get(kind.hardware, ""), usd_per_vcpu_hour[kind])
                for name, kind in queue_kinds(environment).items()
            },
            projects={project.share_identifier: project.name for project in environment.projects},
            role_prefix=f"{self.prefix}-",
            reclaims=RECLAIMED,
        )
        place = function_place(environment, network, log_key)
        # One for both functions, which then share their network interfaces, too.
        group = https_only(
            self,
            "SecurityGroup",
            vpc=network.vpc,
            carried_by="what measures jobs",
            calls="AWS Batch and CloudWatch, over the internet or an endpoint",
        )
        queue_prefix = self.format_arn(service="batch", resource="job-queue", resource_name=f"{self.prefix}-")
        name = f"{self.prefix}-job-events"
        JobEvents(
            self,
            "Events",
            JobEventsProps(name=name, settings=settings, queue_prefix=queue_prefix, place=place, security_group=group),
        )
        watch_name = f"{self.prefix}-batch-watch"
        BatchWatch(
            self,
            "Watch",
            BatchWatchProps(
                name=watch_name,
                settings=settings,
                queue_arns=[*batch.queue_arns.values()],
                place=place,
                security_group=group,
            ),
        )
        BlockedQueues(
            self,
            "Blocked",
            BlockedQueuesProps(
                name=f"{self.prefix}-batch-queue-blocked",
                queue_prefix=queue_prefix,
                topic=alerts.topic,
                runbook="runbooks/batch-queue-blocked.md",
            ),
        )
        self._alarms(environment, alerts, name, watch_name)
        JobDashboard(
            self,
            "Dashboard",
            JobDashboardProps(
                name=f"{self.prefix}-batch",
                environment=environment.name,
                region=environment.region,
                queues=[*settings.queues],
                ceilings=environment.batch.ceilings,
                budgets={project.name: project.batch.daily_usd for project in environment.projects},
                hosts=HOST_METRICS,
                dead_letters={
                    "what arrived in S3 and came to nothing": dead_letters_name(environment),
                    "events that were not counted": f"{name}-uncounted",
                },
                rules=f"{self.prefix}-",
                functions=[name, watch_name],
            ),
        )

    def _alarms(self, environment: Environment, alerts: AlertsPorts, events: str, watch: str) -> None:
        alarms = JobAlarms(self, "Alarms", environment=environment, topic=alerts.topic)
        slug = "job-monitoring-failed"
        alarms.lost_messages(
            "Uncounted",
            slug,
            f"{events}-uncounted",
            "Events of AWS Batch could not be counted: metrics and alarms of jobs say too little.",
        )
        alarms.failing_function(
            "EventsFailing", slug, events, "Events of AWS Batch are not counted: metrics of jobs are late."
        )
        alarms.failing_function(
            "WatchFailing",
            slug,
            watch,
            "Nobody looks how long jobs wait, and for compute environments that are INVALID.",
        )
