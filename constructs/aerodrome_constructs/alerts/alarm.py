"""An alarm that says what to do."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts.metric import Metric

_RUNBOOK = re.compile(r"runbooks/[a-z0-9]+(-[a-z0-9]+)*\.md")

Comparison = Literal[
    "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"
]
"""How CloudWatch compares a metric with its threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmProps:
    """What every alarm needs to know.

    Attributes:
        name: The alarm's name, which is the subject of the mail.
        meaning: What is wrong when it fires, in a sentence for whoever is woken by it.
        runbook: The page that says what to do, from the root of this repository: ``runbooks/<slug>.md``.
        period: How long a period is.
        periods: How many periods in a row must compare so.
        comparison: How what is watched is compared with the threshold.
        threshold: What it is compared with, in its unit.
        topic: Who is told.
        tell_when_over: Whether they are told, too, when it is over.
        silence_fires: Whether periods without data count as if they compared so: for what tells that it is well by
            being heard. Default: they neither fire the alarm nor end it, and one on what is not there yet stays quiet.
    """

    name: str
    meaning: str
    runbook: str
    period: timedelta
    periods: int
    comparison: Comparison
    threshold: float
    topic: sns.ITopic
    tell_when_over: bool = True
    silence_fires: bool = False

    def properties(self) -> dict[str, Any]:
        """The properties of an alarm that is told what to watch besides.

        Raises:
            ValueError: The runbook is not a page of ``runbooks/``.
        """
        if not _RUNBOOK.fullmatch(self.runbook):
            raise ValueError(
                f"the runbook of the alarm {self.name} is {self.runbook!r}; an alarm names the page that says what to "
                "do, as runbooks/<slug>.md, with lower-case letters, digits and hyphens: write the page"
            )
        topic = self.topic.topic_arn
        return {
            "alarm_name": self.name,
            "alarm_description": f"{self.meaning} What to do: {self.runbook}",
            "evaluation_periods": self.periods,
            "comparison_operator": self.comparison,
            "threshold": self.threshold,
            "treat_missing_data": "breaching" if self.silence_fires else "missing",
            "alarm_actions": [topic],
            "ok_actions": [topic] if self.tell_when_over else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricAlarmProps(AlarmProps):
    """What an alarm on a metric needs to know.

    Attributes:
        metric: The metric.
    """

    metric: Metric


class MetricAlarm(Construct):
    """An alarm on a metric. It names the page that says what to do: one without a runbook cannot be built.

    It is quiet while there is no data, unless that is what it is about.

    Raises:
        ValueError: The runbook is not a page of ``runbooks/``.
    """

    def __init__(self, scope: Construct, construct_id: str, props: MetricAlarmProps) -> None:
        super().__init__(scope, construct_id)
        cloudwatch.CfnAlarm(
            self,
            "Resource",
            namespace=props.metric.namespace,
            metric_name=props.metric.name,
            dimensions=props.metric.dimension_properties(),
            statistic=props.metric.statistic,
            period=int(props.period.total_seconds()),
            **props.properties(),
        )
