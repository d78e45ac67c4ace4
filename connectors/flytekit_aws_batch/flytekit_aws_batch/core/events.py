"""Batch's state changes, as they come from a queue of SQS."""

import json
import logging
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.settings import Settings

STATE_CHANGE: Final = "Batch Job State Change"
"""The ``detail-type`` of the events (https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html)."""

_Fate = Literal["taken", "stale", "released", "unreadable"]

_log = logging.getLogger(__name__)

_MOST_MESSAGES = 10
_LONG_POLL_SECONDS = 20
_WELL_SECONDS = 60.0
_IDLE_SECONDS = 2.0
# Another reader has so long to take an event before it is thrown away.
_LEFT_FOR_OTHERS_SECONDS = 60.0
# Not 0: this reader would have it again at once, and again. A message is read some 7 times at most before it is thrown
# away, so that a queue which moves messages to a dead-letter queue must allow for more.
_HIDDEN_SECONDS = 10
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_MOST_DOUBLINGS = 5


class EventFollower:
    """Reads state changes in a thread, as long as somebody watches a job, and hands them to the poller.

    Events of jobs that nobody has asked for here within a minute are left to the other replicas of the connector, which
    read the same queue: an event that one of them waits for would cost it a call, and the task up to five minutes. So
    the replica that was asked before lets go of a job soon. What nobody has taken in a minute is deleted: jobs that are
    not Flyte's are on the same queues.

    Whatever happens in it, the poller does without: it asks.

    Args:
        aws: The way to AWS.
        settings: The queue's URL. Without one it does nothing.
        poller: Who gets the state changes.
    """

    def __init__(self, aws: Aws, settings: Settings, poller: JobPoller) -> None:
        self._aws = aws
        self._clock = aws.clock
        self._url = settings.events_queue
        self._poller = poller
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._received_at = float("-inf")
        self._failures = 0
        poller.followed_by(lambda: self.well)

    @property
    def well(self) -> bool:
        """Whether state changes come: the queue has answered within the last minute."""
        return self._clock.now() - self._received_at < _WELL_SECONDS

    def ensure_running(self) -> None:
        """Start the thread, unless it runs, there is no queue, or it was stopped."""
        if not self._url or self._stopping.is_set():
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="flytekit-aws-batch-events", daemon=True)
                self._thread.start()

    def stop(self, *, within_seconds: float = 0.0) -> None:
        """Have the thread end, after the question that it asks now, and stay so.

        Args:
            within_seconds: How long to wait for that; it is at most 20 s.
        """
        self._stopping.set()
        thread = self._thread
        if thread is not None and within_seconds > 0:
            thread.join(within_seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self.step())

    def step(self) -> float:
        """Receive what there is, once, and say how many seconds to wait before the next time."""
        if not self._poller.watching:
            self._tell()
            return _IDLE_SECONDS
        try:
            received = self._aws.attempt(
                "sqs",
                "receive_message",
                {
                    "QueueUrl": self._url,
                    "MaxNumberOfMessages": _MOST_MESSAGES,
                    "WaitTimeSeconds": _LONG_POLL_SECONDS,
                },
            )
            self._received_at = self._clock.now()
            self._settle(received.get("Messages") or ())
        except Exception as error:  # noqa: BLE001 - the thread has to live on, and the poller does without
            _log.warning("state changes of AWS Batch cannot be read from %s: %s", self._url, error)
            longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0**self._failures)
            self._failures = min(self._failures + 1, _MOST_DOUBLINGS)
            self._tell()
            return self._clock.chance() * longest
        self._failures = 0
        self._tell()
        return 0.0

    def _tell(self) -> None:
        self._aws.metrics.events_well.set(self.well)

    def _settle(self, messages: Any) -> None:  # noqa: ANN401 - the list of SQS's messages, as botocore reads it
        done, left = [], []
        for position, message in enumerate(messages):
            fate = self._take(message)
            self._aws.metrics.events.labels(fate).inc()
            entry = {"Id": str(position), "ReceiptHandle": message["ReceiptHandle"]}
            if fate == "released":
                left.append({**entry, "VisibilityTimeout": _HIDDEN_SECONDS})
            else:
                done.append(entry)
        if done:
            self._aws.attempt("sqs", "delete_message_batch", {"QueueUrl": self._url, "Entries": done})
        if left:
            self._aws.attempt("sqs", "change_message_visibility_batch", {"QueueUrl": self._url, "Entries": left})

    def _take(self, message: Mapping[str, Any]) -> _Fate:
        try:
            event = json.loads(message["Body"])
            if event["detail-type"] != STATE_CHANGE:
                return "unreadable"
            detail = event["detail"]
            if self._poller.watches(detail["jobId"]):
                return "taken" if self._poller.update(detail) else "stale"
            # Whoever asks here once more is to know it all the same.
            self._poller.update(detail)
            age = self._clock.date() - datetime.fromisoformat(event["time"]).timestamp()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _log.warning("no state change of AWS Batch: %s: %s", message.get("MessageId"), error)
            return "unreadable"
        return "stale" if age > _LEFT_FOR_OTHERS_SECONDS else "released"
