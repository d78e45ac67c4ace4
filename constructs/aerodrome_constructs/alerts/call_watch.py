"""Tells of every call of the AWS API that nobody should make unseen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts.alarm import MetricAlarm, MetricAlarmProps


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWatchProps:
    """What the watch needs to know.

    Attributes:
        name: The rule's name.
        description: What the rule does, as the console shows it.
        source: The service as EventBridge calls it, such as ``aws.sts``.
        detail: Which calls match, as an event pattern for what CloudTrail wrote down.
        sentence: What is told, with the names of ``values`` in it, as ``<person>``. It has no quotation marks.
        values: Where each of them is in the event, as a JSON path.
        alarm: The alarm's name, which is the subject of a mail.
        meaning: What has happened when it fires, in a sentence.
        topic: Who is told. Its policy, and its key's, let EventBridge and CloudWatch publish.
        runbook: The page that says what to do, from the root of this repository.
    """

    name: str
    description: str
    source: str
    detail: Mapping[str, Any]
    sentence: str
    values: Mapping[str, str]
    alarm: str
    meaning: str
    topic: sns.ITopic
    runbook: str


class CallWatch(Construct):
    """Tells, within minutes, who made a call, when and from where; and raises an alarm.

    Two ways on purpose: the rule's sentence says who it was, and the alarm comes through when the rule's target fails.
    Both stand on CloudTrail: the account needs a trail that logs management events
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html).
    """

    def __init__(self, scope: Construct, construct_id: str, props: CallWatchProps) -> None:
        super().__init__(scope, construct_id)
        rule = events.CfnRule(
            self,
            "Rule",
            name=props.name,
            description=props.description,
            # Plainly enabled is enough: events that only read and are not called Describe, Get or List are sent
            # (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html).
            state="ENABLED",
            event_pattern={
                "source": [props.source],
                "detail-type": ["AWS API Call via CloudTrail"],
                "detail": dict(props.detail),
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Topic",
                    arn=props.topic.topic_arn,
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map=dict(props.values),
                        # In quotes, as a template that is not JSON must be.
                        input_template=f'"{props.sentence}"',
                    ),
                )
            ],
        )
        MetricAlarm(
            self,
            "Alarm",
            MetricAlarmProps(
                name=props.alarm,
                meaning=props.meaning,
                runbook=props.runbook,
                namespace="AWS/Events",
                metric_name="MatchedEvents",
                dimensions={"RuleName": rule.ref},
                statistic="Sum",
                period=timedelta(minutes=1),
                periods=1,
                comparison="GreaterThanOrEqualToThreshold",
                threshold=1,
                topic=props.topic,
                tell_when_over=False,
            ),
        )
