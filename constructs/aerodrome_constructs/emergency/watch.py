"""Tells of every use of a role."""

from dataclasses import dataclass
from datetime import timedelta

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts import MetricAlarm, MetricAlarmProps


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleWatchProps:
    """What the watch needs to know.

    Attributes:
        name: The name of the rule and of the alarm.
        role: The role. Its trust policy keeps uses of it to this region, where CloudTrail tells of them.
        topic: Who is told. Its policy, and its key's, let EventBridge and CloudWatch publish.
        runbook: The page that says what to do, from the root of this repository.
    """

    name: str
    role: iam.IRole
    topic: sns.ITopic
    runbook: str


class RoleWatch(Construct):
    """Tells, within minutes, who has taken a role, when and from where; and raises an alarm.

    Two ways on purpose: the rule's sentence says who it was, and the alarm comes through when the rule's target fails.
    Both stand on CloudTrail: the account needs a trail that logs management events, those that only read among them,
    as CloudTrail counts AssumeRole to these
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html). An attempt that is
    refused names no role in CloudTrail, and is not told.
    """

    def __init__(self, scope: Construct, construct_id: str, props: RoleWatchProps) -> None:
        super().__init__(scope, construct_id)
        event, session = "$.detail", "$.detail.requestParameters"
        sentence = (
            f"<person> took the role {props.name} on <time>. They came as <caller>, from <address>, and called the "
            f"session <session>. If nobody told you before, follow {props.runbook}. CloudTrail has it as event <id>."
        )
        rule = events.CfnRule(
            self,
            "Rule",
            name=props.name,
            description=f"Tells who took the role {props.name}",
            # Plainly enabled is enough: events that only read and are not called Describe, Get or List are sent
            # (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html).
            state="ENABLED",
            event_pattern={
                "source": ["aws.sts"],
                "detail-type": ["AWS API Call via CloudTrail"],
                "detail": {
                    "eventSource": ["sts.amazonaws.com"],
                    "eventName": ["AssumeRole"],
                    "requestParameters": {"roleArn": [props.role.role_arn]},
                },
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Topic",
                    arn=props.topic.topic_arn,
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map={
                            "person": f"{session}.sourceIdentity",
                            "session": f"{session}.roleSessionName",
                            "time": f"{event}.eventTime",
                            "caller": f"{event}.userIdentity.arn",
                            "address": f"{event}.sourceIPAddress",
                            "id": f"{event}.eventID",
                        },
                        # In quotes, as a template that is not JSON must be.
                        input_template=f'"{sentence}"',
                    ),
                )
            ],
        )
        MetricAlarm(
            self,
            "Alarm",
            MetricAlarmProps(
                name=f"{props.name}-used",
                meaning=f"Somebody took the role {props.name}. A second message says who.",
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
