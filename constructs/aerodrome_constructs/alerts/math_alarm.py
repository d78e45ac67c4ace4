"""An alarm on what is worked out of several metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts.alarm import Comparison, check_runbook
from aerodrome_constructs.alerts.metric import Metric

_RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class MathAlarmProps:
    """What an alarm on an expression needs to know.

    Attributes:
        name: The alarm's name, which is the subject of the mail.
        meaning: What is wrong when it fires, in a sentence for whoever is woken by it.
        runbook: The page that says what to do, from the root of this repository: ``runbooks/<slug>.md``.
        metrics: The metrics by the names that they have in the expression: a lower-case letter first.
        expression: What is worked out of them, in CloudWatch's metric math. Where one has no value there is no result.
        label: What the result is, as a graph shows it.
        period: How long a period is.
        periods: How many periods in a row must compare so.
        comparison: How the result is compared with the threshold.
        threshold: What it is compared with.
        topic: Who is told, when it begins and when it is over.
    """

    name: str
    meaning: str
    runbook: str
    metrics: Mapping[str, Metric]
    expression: str
    label: str
    period: timedelta
    periods: int
    comparison: Comparison
    threshold: float
    topic: sns.ITopic


class MathAlarm(Construct):
    """An alarm on an expression. Like :class:`MetricAlarm` it names its page, and is quiet while there is no data.

    AWS charges each of the metrics like an alarm of its own: 10 cents a month.

    Raises:
        ValueError: The runbook is not a page of ``runbooks/``.
    """

    def __init__(self, scope: Construct, construct_id: str, props: MathAlarmProps) -> None:
        super().__init__(scope, construct_id)
        check_runbook(props.name, props.runbook)
        topic = props.topic.topic_arn
        cloudwatch.CfnAlarm(
            self,
            "Resource",
            alarm_name=props.name,
            alarm_description=f"{props.meaning} What to do: {props.runbook}",
            metrics=[
                cloudwatch.CfnAlarm.MetricDataQueryProperty(
                    id=_RESULT, expression=props.expression, label=props.label, return_data=True
                ),
                *(_query(name, metric, props.period) for name, metric in props.metrics.items()),
            ],
            evaluation_periods=props.periods,
            comparison_operator=props.comparison,
            threshold=props.threshold,
            treat_missing_data="missing",
            alarm_actions=[topic],
            ok_actions=[topic],
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
