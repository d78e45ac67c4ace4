import asyncio
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from flytekit_aws_batch.core.job_state import Attempt, JobState
from flytekit_aws_batch.core.known_jobs import KnownJobs
from flytekit_aws_batch.core.poller import Answer, JobPoller
from flytekit_aws_batch.core.settings import Limits
from tests.connectors.core.fake_aws import QUEUE, World, client_error, detail


class Batch:
    """Batch as far as DescribeJobs shows it: what each job is, which a test changes."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - any setting
        self.world = World(**{"limits": Limits(describes=50), **settings})
        self.jobs: dict[str, dict[str, Any]] = {}
        self.failures: Iterable[Exception | None] = ()
        self.world.answers["describe_jobs"] = self._describe
        self.poller = JobPoller(self.world.aws, self.world.settings)

    def _describe(self, jobs: list[str]) -> dict[str, Any]:
        assert 0 < len(jobs) <= 100
        assert len(set(jobs)) == len(jobs)
        failure = next(self._failing, None)
        if failure:
            raise failure
        return {"jobs": [self.jobs[job] for job in jobs if job in self.jobs]}

    @property
    def failures(self) -> Iterable[Exception | None]:
        return self._failing

    @failures.setter
    def failures(self, failures: Iterable[Exception | None]) -> None:
        self._failing = iter(failures)

    def set(self, job_id: str, status: str, **more: object) -> None:
        self.jobs[job_id] = detail(job_id, status, **more)

    @property
    def calls(self) -> int:
        return len(self.world.client.calls)

    def get(self, job_id: str, **options: float) -> Answer:
        """One question, in an event loop of its own, as flytekit's local mode asks."""
        return self.world.run(self.poller.get(job_id, **options))

    def get_all(self, job_ids: Iterable[str]) -> list[Answer]:
        async def ask() -> list[Answer]:
            return list(await asyncio.gather(*(self.poller.get(job_id) for job_id in job_ids)))

        return self.world.run(ask())

    def get_every_second(self, job_id: str, seconds: int) -> None:
        async def ask() -> None:
            for _ in range(seconds):
                await self.poller.get(job_id)
                self.world.clock.time += 1

        self.world.run(ask())

    def status(self, job_id: str) -> str | None:
        answer = self.get(job_id)
        return answer.job.status if answer.job else None


def test_five_hundred_questions_make_five_calls() -> None:
    batch = Batch()
    names = [f"job-{number}" for number in range(500)]
    for name in names:
        batch.set(name, "RUNNING")
    answers = batch.get_all(names)
    assert [answer.job.id for answer in answers if answer.job] == names
    assert [len(request["jobs"]) for request in batch.world.client.of("describe_jobs")] == [100] * 5
    assert batch.world.sample("described_jobs_total") == 500
    assert batch.world.sample("polls_total", answer="asked") == 500


def test_ten_thousand_jobs_keep_the_limit_of_calls() -> None:
    batch = Batch(limits=Limits(describes=15))
    names = [f"job-{number}" for number in range(10_000)]
    for name in names:
        batch.set(name, "RUNNING")
    answers = batch.get_all(names)
    assert all(answer.job and answer.error is None for answer in answers)
    times = [time for time, _, _ in batch.world.client.calls]
    assert len(times) == 100
    assert max(sum(start <= time < start + 0.999 for time in times) for start in times) <= 15


def test_a_few_questions_wait_a_quarter_of_a_second_for_others() -> None:
    batch = Batch()
    batch.set("a", "RUNNING")
    batch.set("b", "RUNNING")
    answers = batch.get_all(["a", "b", "a", "a"])
    assert [answer.job.id for answer in answers if answer.job] == ["a", "b", "a", "a"]
    assert batch.world.client.calls == [(1000.25, "describe_jobs", {"jobs": ["a", "b"]})]


def test_whoever_comes_while_the_call_is_under_way_shares_it() -> None:
    batch = Batch()
    batch.set("a", "RUNNING")
    first, second = batch.world.clock.loop(), batch.world.clock.loop()
    # The first one's loop stands still after it has joined; the second one sends the call and the first one gets its
    # answer, too.
    waiting = first.create_task(batch.poller.get("a"))
    first.run_until_complete(asyncio.sleep(0))
    answer = second.run_until_complete(batch.poller.get("a"))
    assert answer.job is not None
    second.close()
    assert first.run_until_complete(waiting).job == answer.job
    first.close()
    assert batch.calls == 1


def test_a_question_that_is_given_up_takes_nothing_from_the_others() -> None:
    batch = Batch()
    batch.set("a", "RUNNING")

    async def ask() -> Answer:
        impatient = asyncio.create_task(batch.poller.get("a"))
        patient = asyncio.create_task(batch.poller.get("a"))
        await asyncio.sleep(0.1)
        impatient.cancel()
        return await patient

    assert batch.world.run(ask()).job
    assert batch.calls == 1


def test_who_gave_up_and_left_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    batch = Batch()
    batch.set("a", "RUNNING")
    # Its event loop is closed by the time of the answer.
    assert batch.get("a", patience_seconds=0.1).error
    assert batch.calls == 0
    assert batch.get("a").job
    assert batch.calls == 1
    assert not caplog.records


def test_what_is_fresh_is_not_asked_again() -> None:
    batch = Batch(freshest_seconds=2)
    batch.set("a", "RUNNING")
    batch.get("a")
    batch.world.clock.time += 1.9
    answer = batch.get("a")
    assert answer.age_seconds == pytest.approx(1.9)
    assert batch.calls == 1
    batch.world.clock.time += 0.2
    batch.get("a")
    assert batch.calls == 2
    assert batch.world.sample("polls_total", answer="memory") == 1


def test_the_longer_a_job_stays_as_it_is_the_older_the_answer_may_be() -> None:
    batch = Batch(freshest_seconds=2, oldest_seconds=60)
    batch.set("a", "RUNNABLE")
    batch.get_every_second("a", 3600)
    gaps = [later - sooner for sooner, later in itertools.pairwise(time for time, _, _ in batch.world.client.calls)]
    assert gaps[0] == pytest.approx(2.25, abs=1)
    assert all(later >= sooner - 1.5 for sooner, later in itertools.pairwise(gaps))
    assert 59 < gaps[-1] < 63
    before = batch.calls
    batch.set("a", "RUNNING")
    batch.get_every_second("a", 70)
    # Seen at the latest after oldest_seconds, and from then on it is news again.
    assert batch.status("a") == "RUNNING"
    batch.get_every_second("a", 10)
    assert batch.calls >= before + 4


def test_a_call_that_goes_out_anyway_takes_along_what_is_due_soon() -> None:
    batch = Batch()
    for name, status in (("one", "RUNNING"), ("two", "RUNNING"), ("done", "SUCCEEDED"), ("three", "RUNNING")):
        batch.set(name, status)
    batch.get_all(["one", "two", "done"])
    batch.world.clock.time += 0.5
    batch.get("three")
    # What is known of the others is good for two seconds, of which half is not over yet.
    assert batch.world.client.of("describe_jobs")[-1] == {"jobs": ["three"]}
    batch.world.clock.time += 0.6
    batch.set("four", "RUNNING")
    batch.get("four")
    assert batch.world.client.of("describe_jobs")[-1] == {"jobs": ["four", "one", "two"]}
    batch.world.clock.time += 1
    assert batch.get_all(["one", "two", "done"])
    assert batch.calls == 3


def test_what_is_due_soon_is_not_looked_for_among_ten_thousand_with_each_call() -> None:
    world, looked_at = World(), []
    known = KnownJobs(world.settings, world.aws.metrics, world.clock)
    for number in range(10_000):
        known.wanted(f"job-{number}")

    class Besides:
        def __contains__(self, job_id: object) -> bool:
            looked_at.append(job_id)
            return False

    taken = [job_id for _ in range(20) for job_id in known.due_soon(50, Besides())]
    assert len(set(taken)) == 1000, "none is asked for twice"
    assert len(looked_at) == 1000
    known.drop("job-0")
    world.clock.time += 1
    assert len(known.due_soon(10_000, Besides())) == 9_999


def test_what_has_ended_is_never_asked_again() -> None:
    batch = Batch()
    batch.set("a", "SUCCEEDED")
    batch.get("a")
    for _ in range(100):
        batch.world.clock.time += 1000
        assert batch.status("a") == "SUCCEEDED"
    assert batch.calls == 1


def test_a_job_that_batch_does_not_know_is_no_error() -> None:
    batch = Batch()
    assert batch.get("a") == Answer(job=None)
    assert batch.get("a").error is None
    assert batch.calls == 1, "that is fresh, too"
    batch.world.clock.time += 3
    batch.set("a", "SUBMITTED")
    assert batch.status("a") == "SUBMITTED"


THROTTLED = client_error("TooManyRequestsException", 429)


def test_a_third_of_the_calls_throttled_is_never_seen() -> None:
    batch = Batch()
    names = [f"job-{number}" for number in range(300)]
    for name in names:
        batch.set(name, "RUNNING")
    pattern = itertools.cycle([THROTTLED, None, None])
    batch.failures = pattern
    for _ in range(10):
        answers = batch.get_all(names)
        assert all(answer.job and answer.error is None for answer in answers)
        batch.world.clock.time += 60
    throttled = batch.world.sample("api_calls_total", operation="DescribeJobs", result="throttled")
    assert throttled > 10


@pytest.mark.parametrize("failure", [THROTTLED, ReadTimeoutError(endpoint_url="https://batch"), client_error("X", 500)])
def test_without_an_answer_the_last_one_stands_and_says_so(failure: Exception) -> None:
    batch = Batch(patience_seconds=15)
    batch.set("a", "RUNNING")
    batch.get("a")
    batch.world.clock.time += 100
    batch.failures = itertools.repeat(failure)
    started = batch.world.clock.time
    answer = batch.get("a")
    assert answer.job is not None
    assert answer.job.status == "RUNNING"
    assert answer.error is not None
    assert answer.age_seconds == pytest.approx(batch.world.clock.time - 1000.25)
    assert 10 < batch.world.clock.time - started <= 15.1
    assert batch.world.sample("polls_total", answer="stale") == 1
    batch.failures = ()
    batch.world.clock.time += 10
    answer = batch.get("a")
    assert answer.error is None


def test_without_any_answer_nothing_is_known_and_says_so() -> None:
    batch = Batch()
    batch.failures = itertools.repeat(THROTTLED)
    answer = batch.get("a")
    assert answer.job is None
    assert answer.error == "DescribeJobs: TooManyRequestsException: said AWS"


def test_what_does_not_pass_is_answered_at_once() -> None:
    batch = Batch()
    batch.failures = itertools.repeat(client_error("AccessDeniedException", 403))
    answer = batch.get("a")
    assert answer.error == "DescribeJobs: AccessDeniedException: said AWS"
    assert batch.calls == 1
    assert batch.world.clock.time == 1000.25


def test_a_job_that_cannot_be_read_keeps_no_other_one_from_being_told() -> None:
    batch = Batch()
    batch.set("good", "RUNNING")
    batch.set("bad", "RUNNING")
    batch.get_all(["good", "bad"])
    batch.world.clock.time += 10
    batch.set("bad", "RUNNING", container={"resourceRequirements": [{"type": "MEMORY", "value": "much"}]})
    good, bad = batch.get_all(["good", "bad"])
    assert good.error is None
    assert good.age_seconds == pytest.approx(0)
    assert bad.job is not None, "it is as it was, and not unknown to Batch"
    assert bad.age_seconds > 10
    assert "DescribeJobs tells of it what cannot be read: ValueError" in (bad.error or "")
    batch.set("bad", "SUCCEEDED")
    assert batch.status("bad") == "SUCCEEDED"


def test_pauses_after_failures_are_shared_by_all() -> None:
    batch = Batch(chance=1.0, patience_seconds=30)
    batch.failures = itertools.repeat(THROTTLED)
    names = [f"job-{number}" for number in range(50)]
    batch.get_all(names)
    times = [time for time, _, _ in batch.world.client.calls]
    gaps = [round(later - sooner, 2) for sooner, later in itertools.pairwise(times)]
    assert gaps == [0.25, 0.4, 0.8, 1.6, 3.2, 5, 5, 5, 5]


def test_an_answer_that_does_not_come_ends_with_patience() -> None:
    batch = Batch()
    batch.set("a", "RUNNING")
    batch.get("a")
    # Too many others wait before it.
    batch.world.aws.reserve("batch", "describe_jobs", float("inf"))
    for _ in range(2000):
        batch.world.aws.reserve("batch", "describe_jobs", float("inf"))
    batch.world.clock.time += 3
    started = batch.world.clock.time
    answer = batch.get("a", patience_seconds=4)
    assert batch.world.clock.time - started == pytest.approx(4)
    assert answer.job is not None
    assert answer.error == "AWS Batch did not answer in time"
    # Its place in the line is kept, and used by whoever asks then.
    batch.world.clock.time += 60
    assert batch.get("a").error is None


def test_state_changes_save_calls() -> None:
    batch = Batch(oldest_seconds=60)
    batch.poller.followed_by(lambda: True)
    batch.set("a", "RUNNABLE")
    batch.get("a")
    assert batch.poller.update(detail("a", "RUNNING"))
    assert batch.status("a") == "RUNNING"
    batch.get_every_second("a", 290)
    assert batch.calls == 1
    batch.world.clock.time += 15
    batch.get("a")
    assert batch.calls == 2, "one may have been lost"
    assert batch.poller.update(detail("a", "SUCCEEDED"))
    assert batch.status("a") == "SUCCEEDED"
    assert batch.calls == 2


def test_without_state_changes_it_asks_as_before() -> None:
    well = True
    batch = Batch(oldest_seconds=60)
    batch.poller.followed_by(lambda: well)
    batch.set("a", "RUNNABLE")
    batch.get("a")
    batch.poller.update(detail("a", "RUNNING"))
    well = False
    batch.world.clock.time += 61
    batch.get("a")
    assert batch.calls == 2


def test_state_changes_of_jobs_that_nobody_asked_for_are_nothing() -> None:
    batch = Batch()
    assert not batch.poller.update(detail("a", "RUNNING"))
    assert not batch.poller.watches("a")
    assert batch.world.sample("watched_jobs") == 0


def test_state_changes_out_of_order_change_nothing() -> None:
    batch = Batch()
    batch.set("a", "RUNNING")
    batch.get("a")
    assert not batch.poller.update(detail("a", "STARTING"))
    assert batch.status("a") == "RUNNING"
    # Started anew: an attempt more.
    assert batch.poller.update(
        detail("a", "RUNNABLE", attempts=[{"statusReason": "Host EC2 (instance i-1) terminated."}])
    )
    assert batch.status("a") == "RUNNABLE"
    assert not batch.poller.update(detail("a", "RUNNING"))
    assert batch.poller.update(detail("a", "FAILED"))
    assert not batch.poller.update(detail("a", "RUNNABLE"))
    assert batch.status("a") == "FAILED"


def test_a_state_change_that_overtakes_an_answer_stands() -> None:
    batch = Batch()

    def describe(jobs: list[str]) -> dict[str, Any]:
        # While the call is under way, the job ends; the answer was made before.
        batch.world.clock.time += 0.1
        batch.poller.update(detail("a", "RUNNING"))
        return {"jobs": [detail(job, "RUNNABLE") for job in jobs]}

    batch.world.answers["describe_jobs"] = describe
    assert batch.status("a") == "RUNNING"


def test_of_an_array_state_changes_only_say_that_it_is_worth_asking() -> None:
    batch = Batch(oldest_seconds=60)
    batch.poller.followed_by(lambda: True)
    array = {"size": 3, "statusSummary": {"RUNNING": 3}}
    batch.set("a", "PENDING", arrayProperties=array)
    batch.get("a")
    batch.world.clock.time += 1000
    batch.get("a")
    batch.world.clock.time += 30
    batch.get("a")
    assert batch.calls == 2
    batch.set("a", "PENDING", arrayProperties={"size": 3, "statusSummary": {"RUNNING": 2, "SUCCEEDED": 1}})
    assert batch.poller.watches("a:1")
    assert batch.poller.update(detail("a:1", "SUCCEEDED"))
    answer = batch.get("a")
    assert batch.calls == 3
    assert answer.job is not None
    assert answer.job.summary == {"RUNNING": 2, "SUCCEEDED": 1}
    assert batch.poller.update(detail("a", "PENDING", arrayProperties={"size": 3}))
    batch.get("a")
    assert batch.calls == 4


def test_who_is_not_asked_for_in_an_hour_is_forgotten() -> None:
    batch = Batch()
    for name in ("a", "b"):
        batch.set(name, "RUNNING")
    batch.get_all(["a", "b"])
    assert batch.poller.watching == 2
    batch.world.clock.time += 3000
    batch.get("a")
    assert batch.poller.watching == 1, "nobody asked for the other one lately"
    assert batch.world.sample("watched_jobs") == 2
    batch.world.clock.time += 1000
    batch.get("a")
    assert (batch.poller.watches("a"), batch.poller.watches("b")) == (True, False)
    assert batch.world.sample("watched_jobs") == 1
    assert batch.world.sample("jobs", state="RUNNING", reason="") == 1


def test_a_job_that_is_forgotten_is_asked_for_again() -> None:
    batch = Batch()
    batch.set("a", "SUCCEEDED")
    batch.get("a")
    batch.poller.forget("a")
    batch.poller.forget("a")
    batch.get("a")
    assert batch.calls == 2


def test_a_job_that_is_forgotten_while_it_is_asked_for_is_told_all_the_same() -> None:
    batch = Batch()

    def describe(jobs: list[str]) -> dict[str, Any]:
        batch.poller.forget("a")
        return {"jobs": [detail(job, "RUNNING") for job in jobs]}

    batch.world.answers["describe_jobs"] = describe
    assert batch.status("a") == "RUNNING"


def test_jobs_are_counted_by_state_and_by_what_they_wait_for() -> None:
    batch = Batch()
    batch.set("a", "RUNNABLE")
    batch.set("b", "RUNNABLE", statusReason="CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - no m7i.large")
    batch.set("c", "PENDING", arrayProperties={"size": 10, "statusSummary": {"RUNNABLE": 4, "RUNNING": 5, "FAILED": 1}})
    batch.get_all("abc")
    sample: Callable[..., float] = batch.world.sample
    assert sample("jobs", state="RUNNABLE", reason="queue") == 5
    assert sample("jobs", state="RUNNABLE", reason="capacity") == 1
    assert sample("jobs", state="RUNNING", reason="") == 5
    assert sample("jobs", state="FAILED", reason="") == 0
    batch.world.clock.time += 100
    for name in "abc":
        batch.set(name, "SUCCEEDED")
    batch.get_all("abc")
    for status, reason in (("RUNNABLE", "queue"), ("RUNNABLE", "capacity"), ("RUNNING", "")):
        assert sample("jobs", state=status, reason=reason) == 0


def test_a_connector_that_is_being_stopped_answers_too() -> None:
    batch = Batch()
    batch.world.aws.submit = lambda *_: (_ for _ in ()).throw(RuntimeError("cannot schedule new futures"))  # type: ignore[method-assign]  # as an executor that was shut down
    assert batch.get("a").error == "cannot schedule new futures"


def test_a_job_is_kept_as_what_is_told_of_it() -> None:
    state = JobState.of(
        detail(
            "a",
            "FAILED",
            statusReason="Essential container in task exited",
            startedAt=901_500,
            stopped=1,
            stoppedAt=950_000,
            timeout={"attemptDurationSeconds": 60},
            isTerminated=True,
            attempts=[
                {
                    "container": {"exitCode": 137, "reason": "OutOfMemoryError", "logStreamName": "job/default/x"},
                    "statusReason": "Essential container in task exited",
                    "startedAt": 901_500,
                    "stoppedAt": 949_000,
                }
            ],
            container={
                "image": "code:1",
                "exitCode": 137,
                "reason": "OutOfMemoryError",
                "logStreamName": "job/default/x",
                "environment": [{"name": "A", "value": "b"}, {"name": "FLYTE_AWS_BATCH_PREFIX", "value": "s3://o/p"}],
                "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "4096"}],
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/jobs"}},
                "command": ["train"],
            },
        )
    )
    assert state == JobState(
        id="a",
        name="name-of-a",
        queue=QUEUE,
        status="FAILED",
        status_reason="Essential container in task exited",
        created_at=900,
        started_at=901.5,
        stopped_at=950,
        attempts=(
            Attempt(
                exit_code=137,
                reason="OutOfMemoryError",
                status_reason="Essential container in task exited",
                log_stream="job/default/x",
                started_at=901.5,
                stopped_at=949,
            ),
        ),
        exit_code=137,
        reason="OutOfMemoryError",
        log_group="/jobs",
        log_stream="job/default/x",
        image="code:1",
        memory_mib=4096,
        timeout_seconds=60,
        prefix="s3://o/p",
        is_terminated=True,
    )
    assert state.ended


@pytest.mark.parametrize(
    ("targets", "image"), [("0:0", "main"), (":1", "main"), ("0:", "main"), ("0", "main"), ("1:", "")]
)
def test_of_a_multi_node_job_the_main_node_counts(targets: str, image: str) -> None:
    ranges = [{"targetNodes": targets, "container": {"image": "main", "memory": 2048}}]
    nodes = {"numNodes": 4, "mainNode": 0, "nodeRangeProperties": ranges}
    state = JobState.of({**detail("a", "RUNNING"), "container": {}, "nodeProperties": nodes})
    assert (state.nodes, state.image) == (4, image)
