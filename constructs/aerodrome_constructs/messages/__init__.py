"""Queues of messages between AWS services, with a place for what nobody could deal with."""

from aerodrome_constructs.messages.message_queue import LONGEST_RETENTION, message_queue

__all__ = ["LONGEST_RETENTION", "message_queue"]
