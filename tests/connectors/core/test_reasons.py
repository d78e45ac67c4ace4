from typing import Any

import pytest

from flytekit_aws_batch.core.failures import blocked, cause, is_reclaim, lost_to_reclaim, reclaims
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.links import Console
from flytekit_aws_batch.core.reasons import Reasons, duration
from tests.connectors.core.fake_aws import QUEUE, World, client_error, detail

HOST_GONE = "Host EC2 (instance i-0123456789abcdef0) terminated."
TASK_GONE = "Your Spot Task was interrupted."
EXITED = "Essential container in task exited"


def attempt(status_reason: str = EXITED, stopped_at: int = 940_000, **container: object) -> dict[str, Any]:
    return {"container": container, "statusReason": status_reason, "stoppedAt": stopped_at}


def failed(status_reason: str = EXITED, **more: Any) -> JobState:  # noqa: ANN401 - any member of a JobDetail
    """A job that failed; ``container`` adds to its container."""
    container = {"image": "code:1", "resourceRequirements": [{"type": "MEMORY", "value": "4096"}]}
    more["container"] = {**container, **more.get("container", {})}
    return JobState.of(detail("a", "FAILED", statusReason=status_reason, stoppedAt=950_000, **more))


def snapshot(*jobs: str, vcpus: float | None = None) -> dict[str, Any]:
    front = [{"jobArn": f"arn:aws:batch:eu-west-1:131313131313:job/{job}", "earliestTimeAtPosition": 1} for job in jobs]
    usage = [] if vcpus is None else [{"capacityUnit": "VCPU", "quantity": vcpus}]
    return {"frontOfQueue": {"jobs": front}, "queueUtilization": {"totalCapacityUsage": usage}}


class Told:
    """What is said of jobs, with an AWS that answers as a test says."""

    def __init__(self, lines: tuple[str, ...] = (), **answers: dict[str, Any]) -> None:
        self.world = World()
        self.world.answers["get_log_events"] = lambda **_: {
            "events": [{"timestamp": 1, "message": line} for line in lines]
        }
        for operation, answer in {"get_job_queue_snapshot": snapshot(), **answers}.items():
            self.world.answers[operation] = lambda answer=answer, **_: answer
        self.reasons = Reasons(self.world.aws, self.world.settings)

    def of(self, job: JobState | dict[str, Any]) -> str:
        return self.world.run(self.reasons.message(job if isinstance(job, JobState) else JobState.of(job)))


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (detail(status="SUBMITTED"), "SUBMITTED for 2 min: handed to spot"),
        (detail(status="PENDING"), "PENDING for 2 min: waits for another job"),
        (detail(status="STARTING"), "STARTING for 2 min: its host pulls the image code:1"),
        (detail(status="RUNNING", startedAt=990_000), "RUNNING for 10 s"),
        (detail(status="SUCCEEDED", startedAt=910_000, stoppedAt=980_000), "SUCCEEDED after 70 s"),
        (
            detail(
                status="RUNNING",
                startedAt=990_000,
                attempts=[attempt(HOST_GONE), attempt(HOST_GONE)],
                retryStrategy={"attempts": 5},
            ),
            "RUNNING for 10 s; its spot instance was taken back (2 of 5 attempts): starts anew",
        ),
    ],
)
def test_every_state_is_told(job: dict[str, Any], message: str) -> None:
    assert Told().of(job) == message


def test_an_array_is_told_by_its_elements() -> None:
    summary = {"SUCCEEDED": 400, "RUNNING": 90, "STARTING": 0, "RUNNABLE": 500, "FAILED": 10}
    job = detail(status="PENDING", arrayProperties={"size": 1000, "statusSummary": summary})
    assert Told().of(job) == "400 of 1000 elements SUCCEEDED, 90 RUNNING, 500 RUNNABLE, 10 FAILED"


def test_a_runnable_job_tells_its_place_in_line() -> None:
    told = Told(get_job_queue_snapshot=snapshot("x", "y", "one", vcpus=60))
    assert told.of(detail()) == "RUNNABLE for 2 min: waits for capacity in spot (3rd in line; 60 vCPUs in use)"
    assert told.world.client.of("get_job_queue_snapshot") == [{"jobQueue": QUEUE}]


def test_of_an_array_the_first_child_in_line_counts() -> None:
    told = Told(get_job_queue_snapshot=snapshot("x:0", "x:1", "one:4", "one:5"))
    assert "(3rd in line)" in told.of(detail())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([str(number) for number in range(100)], "waits for capacity in spot (behind the first 100 in line)"),
        # It left the line since.
        ([], "waits for capacity in spot"),
    ],
)
def test_who_is_not_at_the_front_is_told_so(line: list[str], words: str) -> None:
    assert Told(get_job_queue_snapshot=snapshot(*line)).of(detail()) == f"RUNNABLE for 2 min: {words}"


@pytest.mark.parametrize(("place", "words"), [(2, "2nd"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st")])
def test_a_place_in_line_is_told_as_people_say_it(place: int, words: str) -> None:
    line = [*(f"before-{number}" for number in range(1, place)), "one"]
    assert f"({words} in line)" in Told(get_job_queue_snapshot=snapshot(*line)).of(detail())


def test_a_queue_is_looked_at_twice_a_minute_at_most() -> None:
    told = Told(get_job_queue_snapshot=snapshot("one"))
    for _ in range(10):
        told.of(detail())
    told.of(detail(jobQueue=f"{QUEUE}-other"))
    assert len(told.world.client.of("get_job_queue_snapshot")) == 2
    told.world.clock.time += 31
    told.of(detail())
    assert len(told.world.client.of("get_job_queue_snapshot")) == 3


def test_without_a_snapshot_the_place_is_left_out() -> None:
    told = Told()

    def refuse(**_: object) -> dict[str, Any]:
        raise client_error("AccessDeniedException", 403)

    told.world.answers["get_job_queue_snapshot"] = refuse
    for _ in range(3):
        assert told.of(detail()) == "RUNNABLE for 2 min: waits for capacity in spot"
    assert len(told.world.client.calls) == 1


def test_a_place_is_not_told_when_it_is_not_known_any_more() -> None:
    told = Told(get_job_queue_snapshot=snapshot("one"))
    assert "1st in line" in told.of(detail())

    def refuse(**_: object) -> dict[str, Any]:
        raise client_error("AccessDeniedException", 403)

    told.world.answers["get_job_queue_snapshot"] = refuse
    told.world.clock.time += 31
    for _ in range(3):
        assert told.of(detail()).endswith("waits for capacity in spot")
    assert len(told.world.client.of("get_job_queue_snapshot")) == 2


def test_the_wait_counts_from_the_last_attempt() -> None:
    told = Told().of(detail(attempts=[attempt(HOST_GONE, 960_000)], retryStrategy={"attempts": 5}))
    assert told.startswith("RUNNABLE for 40 s: ")
    assert told.endswith("; its spot instance was taken back (1 of 5 attempts): starts anew")


@pytest.mark.parametrize(
    ("status_reason", "words"),
    [
        (
            "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for m7i.large",
            "EC2 has no instance left",
        ),
        ("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - too small", "ask for less, name another queue"),
        ("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - none", "no instance type of its queue has"),
        ("MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - none", "lacks a permission"),
        ("MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED", "mend the compute environment"),
        ("ACTION_REQUIRED - CE is invalid", "whoever runs the platform"),
        ("UNDETERMINED - Batch job is blocked, root cause is undetermined.", "see whether the instances of its queue"),
    ],
)
def test_what_blocks_a_job_is_told_with_code_detail_and_remedy(status_reason: str, words: str) -> None:
    told = Told()
    message = told.of(detail(statusReason=status_reason))
    assert words in message
    code, _, more = status_reason.partition(" - ")
    assert f"({code}{': ' if more else ''}{more})" in message
    assert told.world.client.calls == [], "its place does not matter then"


def test_what_nobody_knows_is_told_as_it_is() -> None:
    assert Told().of(detail(statusReason="UNHEARD_OF - sorry")) == "RUNNABLE for 2 min: UNHEARD_OF - sorry"
    assert blocked("") == ""


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (failed(container={"exitCode": 1}), ("exit code 1",)),
        (
            failed(container={"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}),
            ("killed as it needs more memory than the 4096 MiB that it had", "ask for more", "OutOfMemoryError"),
        ),
        (failed(container={"exitCode": 137}), ("exit code 137: killed (SIGKILL)", "4096 MiB")),
        (failed(container={"exitCode": 247}), ("exit code 247: killed (SIGKILL)", "4096 MiB")),
        (failed(container={"exitCode": 139}), ("exit code 139: ended by SIGSEGV",)),
        (failed(container={"exitCode": 245}), ("exit code 245: ended by SIGSEGV",)),
        (failed(container={"exitCode": 191}), ("exit code 191",)),
        (failed(container={"exitCode": 127}), ("exit code 127: the command is not in the image code:1",)),
        (failed(container={"exitCode": 126}), ("exit code 126: the command cannot be executed in the image code:1",)),
        (
            failed("Task failed to start", container={"reason": "CannotPullContainerError: manifest unknown"}),
            ("the image code:1 cannot be pulled", "execution role", "(CannotPullContainerError: manifest unknown)"),
        ),
        (
            failed(container={"reason": "CannotPullImageManifestError: no"}),
            ("the image code:1 cannot be pulled", "architecture"),
        ),
        (
            failed(container={"reason": 'CannotStartContainerError: exec: "trane": executable file not found'}),
            ("see that the command is in the image code:1", "trane"),
        ),
        (
            failed(container={"reason": "ResourceInitializationError: unable to pull secrets or registry auth: x"}),
            ("see that the secret is there", "execution role"),
        ),
        (
            failed(container={"reason": "ResourceInitializationError: failed to invoke EFS utils commands"}),
            ("the file system and its access point",),
        ),
        (
            failed(container={"reason": "ResourceInitializationError: failed to validate logger args"}),
            ("log group",),
        ),
        (failed(container={"reason": "ResourceInitializationError: odd"}), ("see the job's execution role",)),
        (
            failed("Job attempt duration exceeded timeout", timeout={"attemptDurationSeconds": 60}),
            ("longer than its timeout of 60 s",),
        ),
        (failed("stopped by ada", isTerminated=True, container={"exitCode": 143}), ("terminated: stopped by ada",)),
        (failed("not needed", isCancelled=True), ("cancelled: not needed",)),
        (failed("", isTerminated=True), ("terminated: no reason was given",)),
        (
            failed(
                "Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
                isCancelled=True,
            ),
            ("it waited in vain and was cancelled: no instance type of its queue",),
        ),
        (
            failed(HOST_GONE, attempts=[attempt(HOST_GONE)] * 5, retryStrategy={"attempts": 5}),
            ("its spot instance was taken back (5 of 5 attempts), and Batch starts it anew no more",),
        ),
        (
            failed(TASK_GONE, attempts=[attempt(TASK_GONE)], retryStrategy={"attempts": 1}),
            ("its Fargate spot task was taken back (1 of 1 attempts)",),
        ),
        (
            failed("Task failed to start", attempts=[attempt("x", exitCode=3, reason="odd")]),
            ("exit code 3; odd",),
        ),
        (failed("Array Child Job failed", arrayProperties={"size": 9, "statusSummary": {"FAILED": 2}}), ("2 of 9",)),
        (failed("Array Child Job failed", arrayProperties={"size": 9}), ("Array Child Job failed",)),
        (failed("Dependent Job failed"), ("Dependent Job failed",)),
        (failed(""), ("AWS Batch gives no reason",)),
    ],
)
def test_why_a_job_failed_is_told_in_plain_words(job: JobState, words: tuple[str, ...]) -> None:
    told = cause(job)
    for each in words:
        assert each in told
    assert "None" not in told
    assert "\n" not in told


def test_a_container_that_ended_well_in_a_job_that_failed_is_told_as_it_is() -> None:
    assert cause(failed(container={"exitCode": 0}, attempts=[attempt(exitCode=1)])) == "exit code 0"


def test_what_exit_gives_for_less_than_zero_is_no_signal() -> None:
    assert cause(failed(container={"exitCode": 255})) == "exit code 255"


def test_a_failed_job_shows_the_last_lines_of_its_log() -> None:
    told = Told(lines=("Traceback:", "", "  raise ValueError", "ValueError: " + "x" * 1000))
    container = {"exitCode": 1, "logStreamName": "job/default/a"}
    job = failed(container={**container, "logConfiguration": {"options": {"awslogs-group": "/jobs"}}})
    first, *lines = told.of(job).split("\n")
    assert first == "exit code 1; last lines:"
    assert lines[:2] == ["Traceback:", "  raise ValueError"]
    assert lines[2] == f"ValueError: {'x' * 288} ..."
    [asked] = told.world.client.of("get_log_events")
    assert (asked["logGroupName"], asked["logStreamName"]) == ("/jobs", "job/default/a")


def test_five_lines_are_shown_that_tell_something() -> None:
    noise = ("Unclosed client session", "client_session: <aiohttp.client.ClientSession object at 0x7f>")
    told = Told(lines=(*(f"line {number}" for number in range(9)), *noise * 4))
    message = told.of(failed(container={"exitCode": 1, "logStreamName": "a"}))
    assert message.split("\n") == ["exit code 1; last lines:", *(f"line {number}" for number in range(4, 9))]


def test_without_a_log_there_is_the_cause_alone() -> None:
    assert Told().of(failed(container={"exitCode": 1, "logStreamName": "gone"})) == "exit code 1"
    told = Told()
    told.of(failed(container={"exitCode": 1}))
    assert told.world.client.calls == []


@pytest.mark.parametrize(
    ("status_reason", "reclaimed"), [(HOST_GONE, True), (TASK_GONE, True), (EXITED, False), ("", False)]
)
def test_reclaims_are_told_from_other_ends(status_reason: str, *, reclaimed: bool) -> None:
    assert is_reclaim(status_reason) is reclaimed
    job = failed(status_reason, attempts=[attempt(status_reason)])
    assert reclaims(job) == int(reclaimed)
    assert lost_to_reclaim(job) is reclaimed


def test_what_the_last_attempt_ended_by_counts_and_without_attempts_what_the_job_did() -> None:
    assert lost_to_reclaim(failed("Task failed", attempts=[attempt(HOST_GONE)]))
    # Lists of an array's children have no attempts.
    assert lost_to_reclaim(failed(HOST_GONE, attempts=[]))
    assert not lost_to_reclaim(failed(HOST_GONE, attempts=[attempt(EXITED)]))


def test_there_may_be_as_many_attempts_as_there_were() -> None:
    job = detail(status="RUNNING", startedAt=990_000, attempts=[attempt(HOST_GONE)] * 2)
    assert "(2 of 2 attempts)" in Told().of(job), "where Batch does not say how many there may be"


def test_the_last_host_says_what_it_was() -> None:
    job = detail(status="RUNNING", startedAt=990_000, attempts=[attempt(HOST_GONE), attempt(TASK_GONE)])
    assert "its Fargate spot task was taken back" in Told().of(job)


def test_a_job_that_failed_by_itself_after_a_reclaim_is_not_lost_to_it() -> None:
    job = failed(EXITED, attempts=[attempt(HOST_GONE), attempt(EXITED, exitCode=1)])
    assert reclaims(job) == 1
    assert not lost_to_reclaim(job)


@pytest.mark.parametrize("ended", ["isTerminated", "isCancelled"])
def test_a_job_that_somebody_ended_is_not_lost_to_a_reclaim(ended: str) -> None:
    assert not lost_to_reclaim(failed("by ada", attempts=[attempt(HOST_GONE)], **{ended: True}))


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
    ],
)
def test_links_lead_to_the_partitions_console(partition: str, region: str, host: str) -> None:
    container = {"logStreamName": "a/default/b c", "logConfiguration": {"options": {"awslogs-group": "/jobs/x"}}}
    logs, batch = Console(partition, region).links(JobState.of(detail("id-1", container=container)))
    group, stream = "$252Fjobs$252Fx", "a$252Fdefault$252Fb$2520c"
    assert (logs.name, batch.name) == ("CloudWatch Logs", "AWS Batch")
    assert logs.url == (
        f"https://{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}/log-events/{stream}"
    )
    assert batch.url == f"https://{host}/batch/home?region={region}#jobs/detail/id-1"


def test_links_may_lead_to_another_console() -> None:
    [link] = Console("aws-iso", "us-iso-east-1", "https://console.example/").links(JobState.of(detail("id-1")))
    assert link.url == "https://console.example/batch/home?region=us-iso-east-1#jobs/detail/id-1"


def test_there_are_no_links_where_no_console_is_known() -> None:
    assert Console("aws-iso", "us-iso-east-1").links(JobState.of(detail())) == ()


@pytest.mark.parametrize(
    ("more", "page"),
    [
        ({"arrayProperties": {"size": 4}}, "array-job"),
        ({"nodeProperties": {"numNodes": 2}, "container": {}}, "mnp-job"),
        ({}, "detail"),
    ],
)
def test_every_kind_of_job_has_its_page(more: dict[str, Any], page: str) -> None:
    [link] = Console("aws", "eu-west-1").links(JobState.of({**detail("id"), **more}))
    assert link.url.endswith(f"#jobs/{page}/id")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (40.4, "40 s"),
        (89, "89 s"),
        (240, "4 min"),
        (5_300, "88 min"),
        (12_000, "3 h 20 min"),
        (7_190, "2 h 0 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_times_are_told_as_people_do(seconds: float, words: str) -> None:
    assert duration(seconds) == words
