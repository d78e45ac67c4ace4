"""The connector's calls against the embedded AWS: real requests, real answers, real jobs."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from aerodrome_local.job_templates import job_definition, queue_resources
from aerodrome_local.testing import EmbeddedAws, Stack
from flytekit_aws_batch.core import logs
from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.clock import Clock
from flytekit_aws_batch.core.events import EventFollower
from flytekit_aws_batch.core.job_state import JobState
from flytekit_aws_batch.core.metrics import Metrics
from flytekit_aws_batch.core.poller import JobPoller
from flytekit_aws_batch.core.reasons import Reasons
from flytekit_aws_batch.core.settings import Limits, Settings
from tests.local.waiting import eventually

ACCOUNT = "131313131313"


class Seeded(Clock):
    """The machine's time, and the same chances in every run."""

    def __init__(self) -> None:
        self._random = random.Random(6)  # noqa: S311 - nothing secret is made of it

    def chance(self) -> float:
        return self._random.random()


class Connector:
    """What of the connector calls AWS, and the stack that it works with."""

    def __init__(self, embedded: EmbeddedAws, stack: Stack, settings: Settings) -> None:
        self.embedded = embedded
        self.stack = stack
        self.registry = CollectorRegistry()
        self.aws = Aws(settings, metrics=Metrics(self.registry), clock=Seeded())
        self.poller = JobPoller(self.aws, settings)
        self.reasons = Reasons(self.aws, settings)
        self.follower = EventFollower(self.aws, settings, self.poller)

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - any request
        return asyncio.run(self.aws.call(service, operation, **parameters))

    def submit(self, command: str, name: str = "calls", **more: object) -> str:
        """Submit a job; one that is refused by throttling surely is none, and is submitted again."""
        asked = {
            "jobName": name,
            "jobQueue": self.stack.physical_id("Queue"),
            "jobDefinition": self.stack.physical_id("Definition"),
            "containerOverrides": {"command": ["sh", "-c", command]},
            **more,
        }
        while True:
            try:
                return str(self.call("batch", "submit_job", once=True, **asked)["jobId"])
            except CallError as error:
                if error.kind != "throttled":
                    raise

    def get(self, job_id: str) -> JobState:
        answer = asyncio.run(self.poller.get(job_id))
        assert answer.error is None
        assert answer.job is not None
        return answer.job

    def ended(self, job_id: str) -> JobState:
        def look() -> JobState | None:
            job = self.get(job_id)
            return job if job.ended else None

        found = eventually(look, f"{job_id} ends")
        assert found is not None
        return found

    def until(self, job_id: str, status: str) -> JobState:
        eventually(lambda: self.get(job_id).status == status, f"{job_id} is {status}")
        return self.get(job_id)

    def traffic(self) -> dict[str, Any]:
        """What the embedded Batch counted of this account's calls."""
        counted: dict[str, Any] = self.embedded.view("batch")[ACCOUNT]
        return counted


@pytest.fixture
def stack(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack of the account that is this file's own."""
    of_test = embedded_aws.stack(request.node.name, ACCOUNT)
    yield of_test
    of_test.delete()


@pytest.fixture
def connect(
    embedded_aws: EmbeddedAws, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Connector]]:
    """Makes connectors that find the account as they do anywhere: by the environment."""
    for name, value in embedded_aws.variables(ACCOUNT).items():
        monkeypatch.setenv(name, value)
    made: list[Connector] = []

    def make(**settings: Any) -> Connector:  # noqa: ANN401 - any setting
        freshest = {"freshest_seconds": 0.1, "oldest_seconds": 1}
        connector = Connector(embedded_aws, stack, Settings(region=embedded_aws.region, **{**freshest, **settings}))
        made.append(connector)
        return connector

    embedded_aws.act("batch", account=ACCOUNT, reset=True)
    yield make
    embedded_aws.act("batch", account=ACCOUNT, reset=True)
    for connector in made:
        connector.follower.stop(within_seconds=30)
        connector.aws.close()


def resources(vcpus: int = 16) -> dict[str, Any]:
    return {**queue_resources(vcpus), "Definition": job_definition("true")}


def test_throttling_of_every_third_call_is_never_seen(
    embedded_aws: EmbeddedAws, stack: Stack, connect: Callable[..., Connector]
) -> None:
    stack.deploy(resources())
    connector = connect(patience_seconds=30, limits=Limits(submits=40, describes=50, others=50))
    embedded_aws.act("batch", account=ACCOUNT, throttle=0.3, seed=6)
    jobs = [connector.submit("true", f"calls-{number}") for number in range(120)]
    assert len(set(jobs)) == 120

    async def all_ended() -> bool:
        answers = await asyncio.gather(*(connector.poller.get(job) for job in jobs))
        assert [answer.error for answer in answers] == [None] * 120
        return all(answer.job and answer.job.status == "SUCCEEDED" for answer in answers)

    eventually(lambda: asyncio.run(all_ended()), "all have succeeded")
    embedded_aws.act("batch", account=ACCOUNT, throttle=0)
    counted = connector.traffic()
    assert counted["operations"]["SubmitJob"]["throttled"] > 10
    # None was submitted twice.
    assert counted["operations"]["SubmitJob"]["served"] == 120
    # Questions at once went together. How many exactly depends on the machine: test_poller.py has the numbers.
    assert max(map(int, counted["jobsPerDescribe"])) > 20
    described = counted["operations"]["DescribeJobs"]
    labels = {"operation": "DescribeJobs"}
    calls = connector.registry.get_sample_value
    assert calls("flyte_aws_batch_api_calls_total", {**labels, "result": "ok"}) == described["served"]
    assert (calls("flyte_aws_batch_api_calls_total", {**labels, "result": "throttled"}) or 0) == described["throttled"]


def test_an_answer_that_is_lost_is_ambiguous_and_not_asked_for_again(
    embedded_aws: EmbeddedAws, stack: Stack, connect: Callable[..., Connector]
) -> None:
    stack.deploy(resources())
    connector = connect()
    embedded_aws.act("batch", account=ACCOUNT, losing=1, operations=["SubmitJob"])
    with pytest.raises(CallError) as raised:
        connector.submit("true")
    assert raised.value.kind == "ambiguous"
    embedded_aws.act("batch", account=ACCOUNT, losing=0)
    listed = connector.call(
        "batch",
        "list_jobs",
        jobQueue=stack.physical_id("Queue"),
        filters=[{"name": "JOB_NAME", "values": ["calls"]}],
    )
    assert len(listed["jobSummaryList"]) == 1


def test_a_failed_job_tells_exit_code_last_lines_and_links(stack: Stack, connect: Callable[..., Connector]) -> None:
    stack.deploy(resources())
    connector = connect()
    job = connector.ended(connector.submit("echo first; echo no such column: amount; exit 3"))
    assert asyncio.run(connector.reasons.message(job)) == ("exit code 3; last lines:\nfirst\nno such column: amount")
    log, batch = connector.reasons.links(job)
    assert "us-east-1.console.aws.amazon.com/cloudwatch" in log.url
    assert "$252Faws$252Fbatch$252Fjob" in log.url
    assert batch.url.endswith(job.id)
    found = logs.stream_of(job)
    assert found is not None
    page = asyncio.run(logs.page(connector.aws, *found))
    assert [line.text for line in page.lines] == ["first", "no such column: amount"]
    again = asyncio.run(logs.page(connector.aws, *found, page.token))
    assert again.lines == ()


def test_a_command_that_is_not_there_is_told_with_the_remedy(stack: Stack, connect: Callable[..., Connector]) -> None:
    stack.deploy({**queue_resources(), "Definition": job_definition("no-such-command")})
    connector = connect()
    job = connector.ended(connector.submit("", containerOverrides={}))
    message = asyncio.run(connector.reasons.message(job))
    assert "see that the command is in the image busybox" in message
    assert "no-such-command" in message


def test_a_job_that_waits_tells_its_place_in_line(stack: Stack, connect: Callable[..., Connector]) -> None:
    stack.deploy(resources(vcpus=2))
    connector = connect()
    first = [connector.submit("sleep 600", f"first-{number}") for number in range(2)]
    for job in first:
        connector.until(job, "RUNNING")
    waiting = [connector.submit("true", f"waiting-{number}") for number in range(3)]
    states = [connector.until(job, "RUNNABLE") for job in waiting]
    message = asyncio.run(connector.reasons.message(states[2]))
    assert message.startswith("RUNNABLE for ")
    assert f"waits for capacity in {stack.physical_id('Queue').rpartition('/')[2]} (3rd in line" in message
    for job in first:
        connector.call("batch", "terminate_job", jobId=job, reason="the test is over")
    ended = connector.ended(first[0])
    assert asyncio.run(connector.reasons.message(ended)).startswith("terminated: the test is over")
    for job in waiting:
        assert connector.ended(job).status == "SUCCEEDED"


def test_an_array_is_one_question(stack: Stack, connect: Callable[..., Connector]) -> None:
    stack.deploy(resources())
    connector = connect()
    job_id = connector.submit("exit $(($AWS_BATCH_JOB_ARRAY_INDEX / 9))", arrayProperties={"size": 10})
    job = connector.ended(job_id)
    assert (job.status, job.size, dict(job.summary)) == ("FAILED", 10, {"SUCCEEDED": 9, "FAILED": 1})
    assert asyncio.run(connector.reasons.message(job)) == "1 of 10 elements failed"
    assert set(connector.traffic()["jobsPerDescribe"]) == {"1"}


def test_batch_does_not_know_every_job(stack: Stack, connect: Callable[..., Connector]) -> None:
    stack.deploy(resources())
    answer = asyncio.run(connect().poller.get("00000000-0000-0000-0000-000000000000"))
    assert (answer.job, answer.error) == (None, None)


def followed() -> dict[str, Any]:
    """A queue of SQS that gets the state changes of the stack's jobs."""
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["Changes", "Arn"]},
    }
    return {
        "Changes": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 600}},
        "Allowed": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Changes"}],
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [allowed]},
            },
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {
                    "source": ["aws.batch"],
                    "detail-type": ["Batch Job State Change"],
                    "detail": {"jobQueue": [{"Ref": "Queue"}]},
                },
                "Targets": [{"Id": "changes", "Arn": {"Fn::GetAtt": ["Changes", "Arn"]}}],
            },
        },
    }


def test_state_changes_come_from_the_queue_instead_of_calls(stack: Stack, connect: Callable[..., Connector]) -> None:
    stack.deploy({**resources(), **followed()})
    # Without events it would be asked again after a minute at the earliest.
    connector = connect(events_queue=stack.physical_id("Changes"), freshest_seconds=60, oldest_seconds=60)
    job_id = connector.submit("sleep 2")
    connector.get(job_id)
    connector.follower.ensure_running()
    assert connector.ended(job_id).status == "SUCCEEDED"
    assert connector.follower.well
    assert connector.traffic()["operations"]["DescribeJobs"]["calls"] == 1
    connector.follower.stop(within_seconds=30)
    left = connector.call("sqs", "get_queue_attributes", QueueUrl=stack.physical_id("Changes"), AttributeNames=["All"])[
        "Attributes"
    ]
    assert int(left["ApproximateNumberOfMessages"]) + int(left["ApproximateNumberOfMessagesNotVisible"]) <= 1


def test_state_changes_of_others_stay_in_the_queue(stack: Stack, connect: Callable[..., Connector]) -> None:
    stack.deploy({**resources(), **followed()})
    url = stack.physical_id("Changes")
    connector = connect(events_queue=url)
    mine, other = connector.submit("sleep 600", "mine"), connector.submit("true", "other")
    connector.get(mine)

    def released() -> bool:
        connector.follower.step()
        return bool(connector.registry.get_sample_value("flyte_aws_batch_events_total", {"result": "released"}))

    eventually(released, "a state change of another's job was seen")
    # Hidden for a while, and not deleted.
    left = connector.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert int(left["ApproximateNumberOfMessages"]) + int(left["ApproximateNumberOfMessagesNotVisible"]) > 0
    assert not connector.poller.watches(other)
    connector.call("batch", "terminate_job", jobId=mine, reason="the test is over")


def test_objects_are_read_in_the_thread_and_conditions_are_refused(
    stack: Stack, connect: Callable[..., Connector]
) -> None:
    stack.deploy({"Bucket": {"Type": "AWS::S3::Bucket"}})
    connector = connect()
    place = {"Bucket": stack.physical_id("Bucket"), "Key": "plan.json"}
    connector.call("s3", "put_object", **place, Body=json.dumps({"a": 1}).encode(), IfNoneMatch="*")
    with pytest.raises(CallError) as raised:
        connector.call("s3", "put_object", **place, Body=b"{}", IfNoneMatch="*")
    assert (raised.value.kind, raised.value.code) == ("refused", "PreconditionFailed")
    assert json.loads(connector.call("s3", "get_object", **place)["Body"]) == {"a": 1}
    with pytest.raises(CallError) as raised:
        connector.call("s3", "head_object", Bucket=place["Bucket"], Key="nothing")
    assert raised.value.kind == "not_found"
    connector.call("s3", "delete_object", **place)
