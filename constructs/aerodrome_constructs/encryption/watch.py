"""Tells of every call after which what a key encrypted cannot be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts import API_CALL, EventWatch, EventWatchProps


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWatchProps:
    """What the watch needs to know.

    Attributes:
        name: The name of the rule and of the alarm.
        keys: The keys, all of this region: CloudTrail tells of a call where the key is.
        topic: Who is told. Its policy, and its key's, let EventBridge and CloudWatch publish.
        runbook: The page that says what to do, from the root of this repository.
    """

    name: str
    keys: Sequence[kms.IKey]
    topic: sns.ITopic
    runbook: str


class KeyWatch(EventWatch):
    """Tells, within minutes, who wants a key disabled or deleted; and raises an alarm.

    An attempt that AWS refuses is told like one that succeeds, where CloudTrail names the key in it: whoever tries
    should be asked. If it is the topic's own key that is disabled, nothing can be told any more.
    """

    def __init__(self, scope: Construct, construct_id: str, props: KeyWatchProps) -> None:
        event = "$.detail"
        super().__init__(
            scope,
            construct_id,
            EventWatchProps(
                name=props.name,
                description="Tells who wants a key disabled or deleted",
                source="aws.kms",
                detail_type=API_CALL,
                detail={
                    "eventSource": ["kms.amazonaws.com"],
                    "eventName": ["DisableKey", "ScheduleKeyDeletion"],
                    # A caller may name a key by its ID or its ARN; here CloudTrail has the ARN
                    # (https://docs.aws.amazon.com/kms/latest/developerguide/ct-schedule-key-deletion.html).
                    "resources": {"ARN": [key.key_arn for key in props.keys]},
                },
                sentence="<caller> called <call> for the key <key> on <time>, from <address>. What is encrypted with a "
                "key that is disabled or deleted cannot be read. A deletion can be cancelled, but only before its day: "
                f"follow {props.runbook} now. CloudTrail has it as event <id>.",
                values={
                    "caller": f"{event}.userIdentity.arn",
                    "call": f"{event}.eventName",
                    "key": f"{event}.resources[0].ARN",
                    "time": f"{event}.eventTime",
                    "address": f"{event}.sourceIPAddress",
                    "id": f"{event}.eventID",
                },
                alarm=props.name,
                meaning="Somebody wants a key disabled or deleted, and with it what it encrypts. A second message says "
                "who, and which key.",
                period=timedelta(minutes=1),
                topic=props.topic,
                runbook=props.runbook,
            ),
        )
