"""The Alerts stack: the topic through which people are told, and the one whose silence they are told of."""

from dataclasses import dataclass

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from aerodrome_constructs.alerts import AlertTopic, AlertTopicProps
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.names import resource_prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsPorts:
    """How other stacks reach people.

    Attributes:
        topic: What is published here is mailed to everybody in ``alerts.emails``. Its own policy already lets alarms,
            EventBridge rules, budgets, cost anomaly detection and AWS Backup publish.
        heartbeat: Alertmanager publishes here as long as it and Prometheus are well. Nobody reads it: CloudWatch tells
            of its silence.
    """

    topic: sns.ITopic
    heartbeat: sns.ITopic


class AlertsStack(AerodromeStack):
    """One topic for everything that needs a person."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, alerts_key: kms.IKey) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="SNS topics: for alerts, and who is mailed what it says; for the heartbeat of Alertmanager",
        )
        topic = AlertTopic(
            self,
            "Topic",
            AlertTopicProps(name=alerts_topic_name(environment), key=alerts_key, emails=environment.alerts.emails),
        ).topic
        heartbeat = sns.Topic(
            self, "Heartbeat", topic_name=heartbeat_topic_name(environment), master_key=alerts_key, enforce_ssl=True
        )
        self.ports = AlertsPorts(topic=topic, heartbeat=heartbeat)


def alerts_topic_name(environment: Environment) -> str:
    """The topic's name: chosen, so that the policy of its key can name it before it is made."""
    return f"{resource_prefix(environment)}-alerts"


def heartbeat_topic_name(environment: Environment) -> str:
    """The name of the topic for heartbeats, by which the alarm on their absence knows it."""
    return f"{resource_prefix(environment)}-heartbeat"
