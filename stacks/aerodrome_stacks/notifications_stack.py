"""The Notifications stack: the emails that launch plans ask for, and what happens in Flyte as messages for programs."""

from dataclasses import dataclass
from datetime import timedelta

from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.notifications import EmailSender, EmailSenderProps, Outbox, OutboxProps, event_topic
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment

_RUNBOOK = "runbooks/flyte-emails-not-sent.md"
# flyteadmin takes ten messages at once and sends one email after the other, with up to three retries each.
_HANDLED_WITHIN = timedelta(minutes=5)
# flyteadmin asks the queue every few seconds, and starts in one or two minutes.
_WAITS_AT_MOST = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailPorts:
    """How Flyte sends emails.

    Attributes:
        topic_arn: The topic to which flyteadmin publishes that an email is to be sent.
        queue_arn: The queue from which flyteadmin takes that again.
        queue_name: The queue's name.
        sender: The address that emails come from: the one that flyteadmin may use.
        identity_arn: The domain of that address in Amazon SES.
        configuration_set_arn: The settings with which emails are sent, which the domain has by default.
    """

    topic_arn: str
    queue_arn: str
    queue_name: str
    sender: str
    identity_arn: str
    configuration_set_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsPorts:
    """Where Flyte tells of executions.

    Attributes:
        emails: How it sends emails; ``None`` where it sends none.
        events_topic_arn: The topic for events of executions, nodes and tasks; ``None`` where there is none.
        key_arn: The key that encrypts the topics.
    """

    emails: EmailPorts | None
    events_topic_arn: str | None
    key_arn: str


def has_notifications(environment: Environment) -> bool:
    """Whether Flyte tells anybody of anything, so that there is a stack for it."""
    return environment.flyte.notifications or environment.flyte.events


class NotificationsStack(AerodromeStack):
    """Topics, a queue, and the domain that emails come from; of each what the environment asks for."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        alerts: AlertsPorts,
        alerts_key: kms.IKey,
    ) -> None:
        """Make the stack.

        Args:
            scope: The app.
            construct_id: The stack's part of the platform.
            environment: What the team decided.
            alerts: Who is told when emails are not sent.
            alerts_key: The key of what is on its way to people, which encrypts the topics.
        """
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Flyte's emails: topic, queue and sender; and the topic for events of executions",
        )
        self._alerts, self._key = alerts, alerts_key
        self.ports = NotificationsPorts(
            emails=self._emails(environment) if environment.flyte.notifications else None,
            events_topic_arn=self._events_topic_arn() if environment.flyte.events else None,
            key_arn=alerts_key.key_arn,
        )

    def _emails(self, environment: Environment) -> EmailPorts:
        zone, domain = environment.access.hosted_zone_id, environment.access.domain_name
        if zone is None:
            raise ValueError(
                f"flyte.notifications of {environment.name} is true, but access.hosted_zone_id is not given; without a "
                f"zone nothing proves that {domain} may send emails: give it, or write false"
            )
        name = f"{self.prefix}-flyte-emails"
        outbox = Outbox(
            self,
            "Emails",
            OutboxProps(
                name=name,
                key=self._key,
                handled_within=_HANDLED_WITHIN,
                waits_at_most=_WAITS_AT_MOST,
                topic=self._alerts.topic,
                runbook=_RUNBOOK,
            ),
        )
        sender = EmailSender(
            self,
            "Sender",
            EmailSenderProps(
                domain=domain,
                hosted_zone_id=zone,
                configuration_set=name,
                topic=self._alerts.topic,
                runbook=_RUNBOOK,
            ),
        )
        return EmailPorts(
            topic_arn=outbox.messages.topic_arn,
            queue_arn=outbox.queue.queue_arn,
            queue_name=name,
            sender=f"flyte@{domain}",
            identity_arn=sender.identity_arn,
            configuration_set_arn=sender.configuration_set_arn,
        )

    def _events_topic_arn(self) -> str:
        return event_topic(self, "Events", name=f"{self.prefix}-flyte-events", key=self._key).topic_arn
