"""Tells of every use of a role."""

from dataclasses import dataclass
from datetime import timedelta

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts import API_CALL, EventWatch, EventWatchProps


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


class RoleWatch(EventWatch):
    """Tells, within minutes, who has taken a role, when and from where; and raises an alarm.

    The account's trail needs to log the management events that only read among the others, as CloudTrail counts
    AssumeRole to these. An attempt that is refused names no role in CloudTrail, and is not told.
    """

    def __init__(self, scope: Construct, construct_id: str, props: RoleWatchProps) -> None:
        event, session = "$.detail", "$.detail.requestParameters"
        super().__init__(
            scope,
            construct_id,
            EventWatchProps(
                name=props.name,
                description=f"Tells who took the role {props.name}",
                source="aws.sts",
                detail_type=API_CALL,
                detail={
                    "eventSource": ["sts.amazonaws.com"],
                    "eventName": ["AssumeRole"],
                    "requestParameters": {"roleArn": [props.role.role_arn]},
                },
                sentence=f"<person> took the role {props.name} on <time>. They came as <caller>, from <address>, and "
                f"called the session <session>. If nobody told you before, follow {props.runbook}. CloudTrail has it "
                "as event <id>.",
                values={
                    "person": f"{session}.sourceIdentity",
                    "session": f"{session}.roleSessionName",
                    "time": f"{event}.eventTime",
                    "caller": f"{event}.userIdentity.arn",
                    "address": f"{event}.sourceIPAddress",
                    "id": f"{event}.eventID",
                },
                alarm=f"{props.name}-used",
                meaning=f"Somebody took the role {props.name}. A second message says who.",
                period=timedelta(minutes=1),
                topic=props.topic,
                runbook=props.runbook,
            ),
        )
