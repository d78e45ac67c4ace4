import json
import threading
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.clock import Clock
from flytekit_aws_batch.core.events import EventFollower
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.poller import JobPoller
from tests.connectors.core.fake_aws import World, client_error, detail

URL = "https://sqs.example/131313131313/events"


def message(body: object, receipt: str = "receipt") -> dict[str, Any]:
    return {"MessageId": "id", "ReceiptHandle": receipt, "Body": body if isinstance(body, str) else json.dumps(body)}


def event(job: dict[str, Any], time: str = "1970-01-01T00:16:40Z") -> dict[str, Any]:
    """An event; its time is that of the fake clock's beginning, 1000 s after 1970 began."""
    return {"source": "aws.batch", "detail-type": "Batch Job State Change", "time": time, "detail": job}


class Queue:
    """A queue that holds what a test put there, and a follower that reads it."""

    def __init__(self, *, url: str | None = URL) -> None:
        self.world = World(events_queue=url)
        self.messages: list[dict[str, Any]] = []
        self.world.answers.update(
            describe_jobs=lambda jobs: {"jobs": [detail(job, "RUNNABLE") for job in jobs]},
            receive_message=self._receive,
            delete_message_batch=lambda **_: {},
            change_message_visibility_batch=lambda **_: {},
        )
        self.poller = JobPoller(self.world.aws, self.world.settings)
        self.follower = EventFollower(self.world.aws, self.world.settings, self.poller)

    def _receive(self, **_: object) -> dict[str, Any]:
        received, self.messages = self.messages[:10], self.messages[10:]
        # SQS leaves the list out when there is none.
        return {"Messages": received} if received else {}

    def watch(self, *jobs: str) -> None:
        for job in jobs:
            self.world.run(self.poller.get(job))

    def receipts(self, operation: str) -> list[str]:
        return [entry["ReceiptHandle"] for request in self.world.client.of(operation) for entry in request["Entries"]]

    def events(self, result: str) -> float:
        return self.world.sample("events_total", result=result)


def test_state_changes_reach_the_poller_and_leave_the_queue() -> None:
    queue = Queue()
    queue.watch("a")
    queue.messages = [message(event(detail("a", "RUNNING")))]
    assert queue.follower.step() == 0
    answer = queue.world.run(queue.poller.get("a"))
    assert answer.job is not None
    assert answer.job.status == "RUNNING"
    assert queue.receipts("delete_message_batch") == ["receipt"]
    assert queue.world.client.of("receive_message") == [
        {"QueueUrl": URL, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}
    ]
    assert len(queue.world.client.of("describe_jobs")) == 1
    assert queue.events("taken") == 1


def test_it_reads_only_while_there_is_something_to_watch() -> None:
    queue = Queue()
    assert queue.follower.step() > 0
    assert queue.world.client.calls == []
    queue.watch("a")
    assert queue.follower.step() == 0
    assert len(queue.world.client.of("receive_message")) == 1
    queue.messages = [message(event(detail("a", "SUCCEEDED")))]
    queue.follower.step()
    assert queue.follower.step() > 0
    assert len(queue.world.client.of("receive_message")) == 2


def test_others_jobs_are_left_to_other_readers_for_a_minute() -> None:
    queue = Queue()
    queue.watch("a")
    queue.messages = [
        message(event(detail("b", "RUNNING")), "new"),
        message(event(detail("b", "STARTING"), "1970-01-01T00:15:30Z"), "old"),
        message(event(detail("a", "RUNNING")), "mine"),
    ]
    queue.follower.step()
    assert queue.receipts("delete_message_batch") == ["old", "mine"]
    assert queue.receipts("change_message_visibility_batch") == ["new"]
    [request] = queue.world.client.of("change_message_visibility_batch")
    # 0 would bring it back at once.
    assert request["Entries"][0]["VisibilityTimeout"] == 10
    assert (queue.events("released"), queue.events("stale"), queue.events("taken")) == (1, 1, 1)


def test_after_a_fail_over_the_other_reader_gets_the_state_changes() -> None:
    queue = Queue()
    queue.watch("a")
    queue.world.clock.time += 61
    queue.watch("b")
    queue.messages = [message(event(detail("a", "RUNNING"), "1970-01-01T00:17:40Z"))]
    queue.follower.step()
    assert queue.receipts("change_message_visibility_batch") == ["receipt"]
    assert queue.receipts("delete_message_batch") == []
    # Propeller may come back to this one.
    asked = len(queue.world.client.of("describe_jobs"))
    answer = queue.world.run(queue.poller.get("a"))
    assert answer.job is not None
    assert answer.job.status == "RUNNING"
    assert len(queue.world.client.of("describe_jobs")) == asked


def test_what_comes_twice_or_out_of_order_is_thrown_away() -> None:
    queue = Queue()
    queue.watch("a")
    queue.messages = [message(event(detail("a", "RUNNING")), "1"), message(event(detail("a", "STARTING")), "2")]
    queue.follower.step()
    assert queue.receipts("delete_message_batch") == ["1", "2"]
    assert (queue.events("taken"), queue.events("stale")) == (1, 1)


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        "{}",
        {"detail-type": "Batch Job Queue Blocked", "detail": {}},
        {"detail-type": "Batch Job State Change"},
        event({}),
        event({"jobId": 7}),
        event(detail("b"), "yesterday"),
        event({"jobId": "a", "status": "RUNNING"}),
        event(detail("a", attempts="none")),
    ],
)
def test_what_is_no_state_change_is_thrown_away_and_harms_nothing(body: object) -> None:
    queue = Queue()
    queue.watch("a")
    queue.messages = [message(body, "odd"), message(event(detail("a", "RUNNING")), "good")]
    assert queue.follower.step() == 0
    assert queue.receipts("delete_message_batch") == ["odd", "good"]
    assert (queue.events("unreadable"), queue.events("taken")) == (1, 1)


def test_it_is_well_while_the_queue_answers() -> None:
    queue = Queue()
    assert not queue.follower.well
    queue.watch("a")
    queue.follower.step()
    assert queue.follower.well
    assert queue.world.sample("events_well") == 1
    queue.world.clock.time += 61
    assert not queue.follower.well
    queue.world.answers["receive_message"] = failing
    queue.follower.step()
    assert queue.world.sample("events_well") == 0


def failing(**_: object) -> dict[str, Any]:
    raise client_error("AWS.SimpleQueueService.NonExistentQueue", 400)


def test_errors_lengthen_the_pause_and_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue()
    queue.watch("a")
    queue.world.clock.chance = lambda: 1.0  # type: ignore[method-assign]  # the longest pauses
    works = queue.world.answers["receive_message"]
    queue.world.answers["receive_message"] = failing
    assert [queue.follower.step() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert "NonExistentQueue" in caplog.text
    queue.world.answers["receive_message"] = works
    assert queue.follower.step() == 0
    queue.world.answers["receive_message"] = failing
    assert queue.follower.step() == 1


def test_a_queue_that_is_gone_for_days_is_asked_all_the_time_twice_a_minute_at_least() -> None:
    queue = Queue()
    queue.world.clock.chance = lambda: 1.0  # type: ignore[method-assign]  # the longest of all pauses
    queue.watch("a")

    def refuse(**_: object) -> dict[str, Any]:
        raise client_error("AWS.SimpleQueueService.NonExistentQueue", 400)

    queue.world.answers["receive_message"] = refuse
    # So many that twice as long each time would be more than a number holds.
    pauses = [queue.follower.step() for _ in range(1100)]
    assert pauses[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert set(pauses[7:]) == {30}


def test_an_event_that_cannot_be_deleted_was_taken_all_the_same() -> None:
    queue = Queue()
    queue.watch("a")

    def refuse(**_: object) -> dict[str, Any]:
        raise client_error("AccessDenied", 403)

    queue.world.answers["delete_message_batch"] = refuse
    queue.messages = [message(event(detail("a", "RUNNING")))]
    assert queue.follower.step() >= 0
    answer = queue.world.run(queue.poller.get("a"))
    assert answer.job is not None
    assert answer.job.status == "RUNNING"


def test_the_thread_starts_once_lives_through_everything_and_stops() -> None:
    queue = Queue()
    settings = queue.world.settings
    aws = Aws(
        settings,
        session=queue.world.session,  # type: ignore[arg-type]  # what of a session is used, it has
        metrics=Metrics(CollectorRegistry()),
        clock=Quick(),
    )
    poller = JobPoller(aws, settings)
    follower = EventFollower(aws, settings, poller)
    heard = threading.Event()
    polls = iter([ValueError("no answer at all"), client_error("ServerException", 500)])

    def receive(**_: object) -> dict[str, Any]:
        error = next(polls, None)
        if error:
            raise error
        heard.set()
        return {"Messages": [message(event(detail("a", "SUCCEEDED")))]}

    queue.world.answers["receive_message"] = receive
    # Watched, without a loop and its time.
    poller._known.wanted("a")  # noqa: SLF001 - get() would wait in real time
    follower.ensure_running()
    follower.ensure_running()
    assert heard.wait(60)
    assert [thread.name for thread in threading.enumerate()].count("flytekit-aws-batch-events") == 1
    follower.stop(within_seconds=60)
    follower.ensure_running()
    assert "flytekit-aws-batch-events" not in {thread.name for thread in threading.enumerate()}
    aws.close()


class Quick(Clock):
    """The machine's time, with the shortest of all pauses."""

    def chance(self) -> float:
        return 0.0


def test_without_a_queue_there_is_no_thread() -> None:
    queue = Queue(url=None)
    queue.follower.ensure_running()
    assert "flytekit-aws-batch-events" not in {thread.name for thread in threading.enumerate()}
    assert not queue.follower.well
