"""The Alerts stack: the topic through which people are told."""

from dataclasses import dataclass

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts import AlertTopic, AlertTopicProps
from aerodrome_stacks.base import AerodromeStack, resource_prefix
from aerodrome_stacks.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsPorts:
    """How other stacks reach people.

    Attributes:
        topic: What is published here is mailed to everybody in ``alerts.emails``. Its own policy already lets alarms,
            EventBridge rules, budgets, cost anomaly detection and AWS Backup publish.
    """

    topic: sns.ITopic


class AlertsStack(AerodromeStack):
    """One topic for everything that needs a person."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, alerts_key: kms.IKey) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="SNS topic for alerts, and who is mailed what it says",
        )
        topic = AlertTopic(
            self,
            "Topic",
            AlertTopicProps(name=alerts_topic_name(environment), key=alerts_key, emails=environment.alerts.emails),
        ).topic
        self.ports = AlertsPorts(topic=topic)


def alerts_topic_name(environment: Environment) -> str:
    """The topic's name: chosen, so that the policy of its key can name it before it is made."""
    return f"{resource_prefix(environment)}-alerts"
