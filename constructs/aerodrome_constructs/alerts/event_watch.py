"""Tells of every event of a kind that nobody should leave unseen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts.alarm import MetricAlarm, MetricAlarmProps
from aerodrome_constructs.alerts.metric import Metric

API_CALL: Final = "AWS API Call via CloudTrail"
"""The kind of event that a call of the AWS API is. The account needs a trail that logs management events
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWatchProps:
    """What the watch needs to know.

    Attributes:
        name: The rule's name.
        description: What the rule does, as the console shows it.
        source: The service as EventBridge calls it, such as ``aws.sts``.
        detail_type: The kind of event, such as :data:`API_CALL`.
        detail: Which events of that kind match, as an event pattern for their detail.
        sentence: What is told, with the names of ``values`` in it, as ``<person>``. It has no quotation marks.
        values: Where each of them is in the event, as a JSON path.
        alarm: The alarm's name, which is the subject of a mail.
        meaning: What has happened when it fires, in a sentence.
        period: For how long after an event the alarm stays.
        topic: Who is told. Its policy, and its key's, let EventBridge and CloudWatch publish.
        runbook: The page that says what to do, from the root of this repository.
    """

    name: str
    description: str
    source: str
    detail_type: str
    detail: Mapping[str, Any]
    sentence: str
    values: Mapping[str, str]
    alarm: str
    meaning: str
    period: timedelta
    topic: sns.ITopic
    runbook: str


class EventWatch(Construct):
    """Tells, within minutes, what an event says of itself; and raises an alarm.

    Two ways on purpose: the rule's sentence says what has happened, and the alarm comes through when the rule's target
    fails. Neither needs a function of ours.
    """

    def __init__(self, scope: Construct, construct_id: str, props: EventWatchProps) -> None:
        super().__init__(scope, construct_id)
        rule = events.CfnRule(
            self,
            "Rule",
            name=props.name,
            description=props.description,
            # Plainly enabled is enough: calls that only read and are not named Describe, Get or List are sent
            # (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html).
            state="ENABLED",
            event_pattern={
                "source": [props.source],
                "detail-type": [props.detail_type],
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
                metric=Metric("AWS/Events", "MatchedEvents", {"RuleName": rule.ref}),
                period=props.period,
                periods=1,
                comparison="GreaterThanOrEqualToThreshold",
                threshold=1,
                topic=props.topic,
                # What an event began is not over when no other follows.
                tell_when_over=False,
            ),
        )
