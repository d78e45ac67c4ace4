"""Alarms on AWS Batch: few, as each is for a person who can do something, and each costs 10 cents a month a metric."""

from datetime import timedelta
from typing import Final

from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts import (
    MathAlarm,
    MathAlarmProps,
    Metric,
    MetricAlarm,
    MetricAlarmProps,
    function_errors,
    messages_in,
)
from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.ingest_stack import dead_letters_name
from aerodrome_stacks.names import resource_prefix

STUCK: Final = timedelta(hours=1)
"""How long nothing may move in a queue. A host is there within ten minutes, and a job that fits none is cancelled after
ten: an hour is either capacity that AWS has not, or long jobs before it that fill the ceiling."""

FAILED_PERCENT: Final = 20
"""How many of a project's jobs may fail in an hour. Bad input fails jobs one by one; a fifth is a release or a role."""

FEWEST_ENDED: Final = 10
"""How many jobs of a project have to end in an hour before their rate says anything: of nine, two are a fifth."""

RECLAIMED_PERCENT: Final = 25
"""How many attempts may lose their host in an hour. Above it five attempts of a job do not suffice now and then
(0.25 to the fifth is one in a thousand), and on-demand is cheaper than paying for what is thrown away."""

FEWEST_ATTEMPTS: Final = 20
"""How many attempts have to end in an hour before their rate says anything: one host takes several with it."""


class JobAlarms(Construct):
    """The alarms of an environment.

    Args:
        scope: The scope.
        construct_id: The ID.
        environment: What the team decided.
        topic: Who is told.
    """

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._prefix = resource_prefix(environment)
        self._of_environment = {names.ENVIRONMENT: environment.name}
        self._topic = topic
        self._waiting()
        self._invalid()
        self._reclaims()
        for project in environment.projects:
            self._failures(project.name)
            self._cost(project.name, project.batch.daily_usd)
        self.lost_messages(
            "IngestDeadLetters",
            "ingest-dead-letters",
            dead_letters_name(environment),
            "Something arrived in S3, and nothing became of it: no job, or one that failed. It is in the queue of dead "
            "letters, with the reason.",
        )

    def lost_messages(self, construct_id: str, slug: str, queue: str, meaning: str) -> None:
        """Tell of messages in a queue that is empty when all is well.

        Args:
            construct_id: The ID.
            slug: The page that says what to do, by its name.
            queue: The queue's name.
            meaning: What a message in it means.
        """
        self._alarm(
            construct_id,
            slug,
            meaning=meaning,
            metric=messages_in(queue),
        )

    def failing_function(self, construct_id: str, slug: str, function: str, meaning: str) -> None:
        """Tell of a function that fails three times in a row.

        Args:
            construct_id: The ID.
            slug: The page that says what to do, by its name.
            function: The function's name.
            meaning: What is not there while it fails.
        """
        self._alarm(
            construct_id,
            slug,
            name=function,
            meaning=meaning,
            metric=function_errors(function),
            # One is a hiccup of AWS: what failed is tried again.
            periods=3,
        )

    def _waiting(self) -> None:
        self._alarm(
            "RunnableAge",
            "batch-runnable-age",
            meaning=f"In a queue of AWS Batch nothing has moved for {_hours(STUCK)}.",
            metric=Metric(names.NAMESPACE, names.RUNNABLE_AGE, self._of_environment, "Maximum"),
            threshold=STUCK.total_seconds(),
        )

    def _invalid(self) -> None:
        self._alarm(
            "ComputeEnvironmentInvalid",
            "batch-compute-environment-invalid",
            meaning="A compute environment of AWS Batch is INVALID: it starts nothing until somebody mends it.",
            metric=Metric(names.NAMESPACE, names.INVALID_COMPUTE_ENVIRONMENTS, self._of_environment, "Maximum"),
            # One that is changed is INVALID for a moment now and then, and mends itself.
            periods=2,
        )

    def _alarm(
        self,
        construct_id: str,
        slug: str,
        *,
        meaning: str,
        metric: Metric,
        name: str | None = None,
        threshold: float = 0,
        periods: int = 1,
        period: timedelta = timedelta(minutes=5),
    ) -> None:
        MetricAlarm(
            self,
            construct_id,
            MetricAlarmProps(
                name=name or f"{self._prefix}-{slug}",
                meaning=meaning,
                runbook=f"runbooks/{slug}.md",
                metric=metric,
                period=period,
                periods=periods,
                comparison="GreaterThanThreshold",
                threshold=threshold,
                topic=self._topic,
            ),
        )

    def _reclaims(self) -> None:
        self._rate(
            "SpotReclaims",
            "batch-spot-reclaims",
            meaning=f"More than {RECLAIMED_PERCENT} % of the attempts of the last hour lost their host: AWS takes spot "
            "capacity back. Jobs are tried again, and late.",
            metrics={"reclaimed": self._metric(names.SPOT_RECLAIMS), "attempts": self._metric(names.ATTEMPTS)},
            part="reclaimed",
            whole="attempts",
            fewest=FEWEST_ATTEMPTS,
            threshold=RECLAIMED_PERCENT,
        )

    def _failures(self, project: str) -> None:
        def ended(state: str) -> Metric:
            return self._metric(names.JOBS, {names.PROJECT: project, names.STATE: state})

        self._rate(
            f"FailureRate-{project}",
            "batch-failure-rate",
            suffix=project,
            meaning=f"More than {FAILED_PERCENT} % of the jobs of {project} that ended in the last hour failed.",
            # Where one has a value, so has the other: what did not happen is counted as 0.
            metrics={"failed": ended("FAILED"), "succeeded": ended("SUCCEEDED")},
            part="failed",
            whole="(failed + succeeded)",
            fewest=FEWEST_ENDED,
            threshold=FAILED_PERCENT,
        )

    def _rate(
        self,
        construct_id: str,
        slug: str,
        *,
        meaning: str,
        metrics: dict[str, Metric],
        part: str,
        whole: str,
        fewest: int,
        threshold: float,
        suffix: str = "",
    ) -> None:
        """Tell of the part of a whole in percent, where there is enough of it."""
        MathAlarm(
            self,
            construct_id,
            MathAlarmProps(
                name="-".join(filter(None, (self._prefix, slug, suffix))),
                meaning=meaning,
                runbook=f"runbooks/{slug}.md",
                metrics=metrics,
                expression=f"IF({whole} >= {fewest}, 100 * {part} / {whole}, 0)",
                label="%",
                period=timedelta(hours=1),
                periods=1,
                comparison="GreaterThanThreshold",
                threshold=threshold,
                topic=self._topic,
            ),
        )

    def _cost(self, project: str, daily_usd: int) -> None:
        slug = "batch-project-cost"
        self._alarm(
            f"Cost-{project}",
            slug,
            name=f"{self._prefix}-{slug}-{project}",
            meaning=f"The jobs of {project} that ended in the last day cost more than {daily_usd} US dollars, by "
            "estimate.",
            metric=self._metric(names.ESTIMATED_USD, {names.PROJECT: project}),
            threshold=daily_usd,
            period=timedelta(days=1),
        )

    def _metric(self, name: str, dimensions: dict[str, str] | None = None) -> Metric:
        return Metric(names.NAMESPACE, name, {**self._of_environment, **(dimensions or {})})


def _hours(period: timedelta) -> str:
    return f"{period.total_seconds() / 3600:g} h"
