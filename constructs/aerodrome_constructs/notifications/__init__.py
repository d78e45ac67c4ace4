"""Messages that go out: events for programs, and emails for people."""

from aerodrome_constructs.notifications.email_sender import EmailSender, EmailSenderProps
from aerodrome_constructs.notifications.event_topic import event_topic
from aerodrome_constructs.notifications.outbox import Outbox, OutboxProps

__all__ = ["EmailSender", "EmailSenderProps", "Outbox", "OutboxProps", "event_topic"]
