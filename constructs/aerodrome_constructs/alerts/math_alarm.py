"""An alarm on what is worked out of several metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from aerodrome_constructs.alerts.alarm import AlarmProps
from aerodrome_constructs.alerts.metric import Metric

_RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class MathAlarmProps(AlarmProps):
    """What an alarm on an expression needs to know.

    Attributes:
        metrics: The metrics by the names that they have in the expression: a lower-case letter first.
        expression: What is worked out of them, in CloudWatch's metric math. Where one has no value there is no result.
        label: What the result is, as a graph shows it.
    """

    metrics: Mapping[str, Metric]
    expression: str
    label: str


class MathAlarm(Construct):
    """An alarm on an expression. Like :class:`MetricAlarm` it names its page, and is quiet while there is no data.

    AWS charges each of the metrics like an alarm of its own: 10 cents a month.

    Raises:
        ValueError: The runbook is not a page of ``runbooks/``.
    """

    def __init__(self, scope: Construct, construct_id: str, props: MathAlarmProps) -> None:
        super().__init__(scope, construct_id)
        cloudwatch.CfnAlarm(
            self,
            "Resource",
            metrics=[
                cloudwatch.CfnAlarm.MetricDataQueryProperty(
                    id=_RESULT, expression=props.expression, label=props.label, return_data=True
                ),
                *(_query(name, metric, props.period) for name, metric in props.metrics.items()),
            ],
            **props.properties(),
        )


def _query(name: str, metric: Metric, period: timedelta) -> cloudwatch.CfnAlarm.MetricDataQueryProperty:
    return cloudwatch.CfnAlarm.MetricDataQueryProperty(
        id=name,
        return_data=False,
        metric_stat=cloudwatch.CfnAlarm.MetricStatProperty(
            metric=cloudwatch.CfnAlarm.MetricProperty(
                namespace=metric.namespace,
                metric_name=metric.name,
                dimensions=metric.dimension_properties(),
            ),
            period=int(period.total_seconds()),
            stat=metric.statistic,
        ),
    )
