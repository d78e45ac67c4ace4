"""Jobs that run, fail, lose their host and wait on the embedded AWS, and what CloudWatch then knows of them.

The stacks are dev's own, on an embedded AWS of this module's own: counts are exact where nobody else runs jobs.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import aws_cdk as cdk
import pytest

from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.alerts_stack import AlertsStack
from aerodrome_stacks.batch_queues import Kind, flyte_queue_name, ingest_queue_name, queue_name
from aerodrome_stacks.batch_stack import BatchStack
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.job_monitoring_stack import JobMonitoringStack
from aerodrome_stacks.job_prices import USD_PER_VCPU_HOUR
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.network_stack import NetworkStack
from pytest_cdk.settings import Settings
from tests.constructs.job_monitoring import samples
from tests.local.account import Account
from tests.local.deployment import deployed
from tests.local.waiting import eventually

ONE, ANOTHER = "fraud-detection", "demand-forecast"
ONCE_MORE = {
    "attempts": 3,
    "evaluateOnExit": [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
}
ALL: Mapping[str, str] = {}
TOGETHER: Mapping[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "SampleCount": sum,
    "Maximum": max,
    "Minimum": min,
}

Submit = Callable[..., str]


def build(app: cdk.App, _variant: str, *, environment: Environment) -> None:
    """What jobs need, and what measures them."""
    keys = KeysStack(app, "Keys", environment=environment).ports
    alerts = AlertsStack(app, "Alerts", environment=environment, alerts_key=keys.alerts).ports
    network = NetworkStack(app, "Network", environment=environment, log_key=keys.logs).ports
    batch = BatchStack(app, "Batch", environment=environment, network=network, log_key=keys.logs)
    JobMonitoringStack(
        app,
        "JobMonitoring",
        environment=environment,
        network=network,
        batch=batch.ports,
        alerts=alerts,
        log_key=keys.logs,
        after=batch,
    )


@pytest.fixture(scope="module")
def account(cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    environment = load_environment("dev", cdk_settings.root / "environments")
    aws = EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), variables={"AERODROME_BATCH_SLOTS": "16"})
    try:
        stacks = partial(build, environment=environment)
        yield deployed(stacks, environment, aws, cdk_settings, tmp_path_factory)
    finally:
        aws.stop()


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of the environment's jobs, read back.

    Attributes:
        account: Whose they are.
    """

    account: Account

    def read(self, statistic: str, name: str, dimensions: Mapping[str, str] = ALL) -> float | None:
        """A statistic of the last hour. None: there is no data."""
        now = datetime.now(UTC)
        answer = self.account.client("cloudwatch").get_metric_statistics(
            Namespace=names.NAMESPACE,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in {"Environment": "dev", **dimensions}.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=2),
            Period=3600,
            Statistics=[statistic],
        )
        # The hour may have begun just now: there are two points then.
        found: list[float] = [point[statistic] for point in answer["Datapoints"]]
        return TOGETHER[statistic](found) if found else None

    def total(self, name: str, dimensions: Mapping[str, str] = ALL) -> float | None:
        """The sum of the last hour. None: there is no data."""
        return self.read("Sum", name, dimensions)

    def jobs(self, state: str, dimensions: Mapping[str, str] = ALL) -> float | None:
        return self.total(names.JOBS, {**dimensions, names.STATE: state})


@pytest.fixture(scope="module")
def metrics(account: Account) -> Metrics:
    return Metrics(account)


@pytest.fixture(scope="module")
def submit(account: Account) -> Submit:
    """Submits a job that runs a line of the shell."""
    batch = account.client("batch")

    def submitted(queue: str, script: str, project: str | None = None, vcpus: int = 1, **request: object) -> str:
        definition = batch.register_job_definition(
            jobDefinitionName="line",
            type="container",
            containerProperties={
                "image": "busybox",
                "command": ["sh", "-c", script],
                "resourceRequirements": [
                    {"type": "VCPU", "value": str(vcpus)},
                    {"type": "MEMORY", "value": str(2048 * vcpus)},
                ],
            },
        )["jobDefinitionArn"]
        share = {"shareIdentifier": project.replace("-", ""), "schedulingPriorityOverride": 0} if project else {}
        answer = batch.submit_job(jobName="line", jobQueue=queue, jobDefinition=definition, **share, **request)
        return str(answer["jobId"])

    return submitted


def has_ended(account: Account, *job_ids: str) -> bool:
    jobs = account.client("batch").describe_jobs(jobs=list(job_ids))["jobs"]
    return all(job["status"] in {"SUCCEEDED", "FAILED"} for job in jobs)


class Queues:
    """The queues that the jobs below are in."""

    def __init__(self, environment: Environment) -> None:
        self.spot = queue_name(environment, "development", Kind.SPOT)
        self.on_demand = queue_name(environment, "development", Kind.ON_DEMAND)
        self.ingest = ingest_queue_name(environment, "development")
        self.flyte = flyte_queue_name(environment, "development", Kind.SPOT)
        self.blocked = flyte_queue_name(environment, "development", Kind.ON_DEMAND)


@pytest.fixture(scope="module")
def queues(account: Account) -> Queues:
    return Queues(account.environment)


@pytest.fixture(scope="module")
def ran(account: Account, submit: Submit, queues: Queues, metrics: Metrics) -> float:
    """Four jobs that succeed, one of them after its host was taken back, two that fail, and an array of three.

    Returns how many seconds the one on the on-demand queue ran, which takes two vCPUs.
    """
    reclaimed = submit(queues.spot, 'test "$AWS_BATCH_JOB_ATTEMPT" = 2 || sleep 60', ONE, retryStrategy=ONCE_MORE)
    dear = submit(queues.on_demand, "sleep 2", vcpus=2, project=ANOTHER)
    jobs = [
        dear,
        *(submit(queues.spot, "true", ONE) for _ in range(2)),
        *(submit(queues.spot, "exit 3", ONE, retryStrategy=ONCE_MORE) for _ in range(2)),
    ]
    tags = {"aerodrome:project": ANOTHER}
    array = submit(queues.ingest, "true", arrayProperties={"size": 3}, tags=tags)
    batch = account.client("batch")

    def is_running() -> bool:
        return bool(batch.describe_jobs(jobs=[reclaimed])["jobs"][0]["status"] == "RUNNING")

    eventually(is_running, "the job whose host is taken back runs")
    account.reclaim_host(reclaimed)
    eventually(lambda: has_ended(account, reclaimed, array, *jobs), "all jobs end")
    eventually(
        lambda: (metrics.jobs("SUCCEEDED"), metrics.jobs("FAILED"), metrics.jobs("RUNNABLE")) == (7, 2, 10),
        "all events are counted",
    )
    (attempt,) = batch.describe_jobs(jobs=[dear])["jobs"][0]["attempts"]
    return float(attempt["stoppedAt"] - attempt["startedAt"]) / 1000


@pytest.mark.usefixtures("ran")
class TestJobs:
    def test_states_are_counted_by_queue(self, metrics: Metrics, queues: Queues) -> None:
        spot, ingest = {names.QUEUE: queues.spot}, {names.QUEUE: queues.ingest}
        assert [metrics.jobs(state, spot) for state in names.STATES] == [6, 6, 6, 3, 2]
        assert [metrics.jobs(state, ingest) for state in names.STATES] == [3, 3, 3, 3, 0]
        assert metrics.jobs("SUCCEEDED", {names.QUEUE: queues.on_demand}) == 1
        assert [metrics.jobs(state) for state in names.STATES] == [10, 10, 10, 7, 2]

    def test_and_by_project_whoever_says_whose_they_are(self, metrics: Metrics) -> None:
        by_share, by_tag_and_share = {names.PROJECT: ONE}, {names.PROJECT: ANOTHER}
        assert [metrics.jobs(state, by_share) for state in ("SUCCEEDED", "FAILED")] == [3, 2]
        assert [metrics.jobs(state, by_tag_and_share) for state in ("SUCCEEDED", "FAILED")] == [4, 0]
        assert metrics.jobs("SUCCEEDED", {names.PROJECT: names.OTHER_PROJECT}) is None

    def test_the_attempt_that_lost_its_host_is_counted_as_that_and_no_failure_of_the_code_is(
        self, metrics: Metrics, queues: Queues
    ) -> None:
        spot = {names.QUEUE: queues.spot}
        assert (metrics.total(names.ATTEMPTS, spot), metrics.total(names.SPOT_RECLAIMS, spot)) == (6, 1)
        assert (metrics.total(names.ATTEMPTS), metrics.total(names.SPOT_RECLAIMS)) == (10, 1)
        assert metrics.total(names.SPOT_RECLAIMS, {names.PROJECT: ANOTHER}) == 0

    def test_every_attempt_has_waited_and_has_run(self, metrics: Metrics) -> None:
        assert metrics.read("SampleCount", names.WAIT_SECONDS) == 10
        assert metrics.read("SampleCount", names.RUN_SECONDS) == 10

    def test_cost_is_time_by_vcpus_by_price(self, metrics: Metrics, queues: Queues, ran: float) -> None:
        on_demand = {names.QUEUE: queues.on_demand}
        assert ran > 1
        assert metrics.total(names.RUN_SECONDS, on_demand) == round(ran)
        assert metrics.total(names.VCPU_SECONDS, on_demand) == pytest.approx(2 * ran)
        usd = metrics.total(names.ESTIMATED_USD, on_demand)
        assert usd == pytest.approx(2 * ran / 3600 * USD_PER_VCPU_HOUR[Kind.ON_DEMAND])

    def test_alarms_look_at_metrics_that_are_there(self, account: Account) -> None:
        cloudwatch = account.client("cloudwatch")
        rule = account.client("events").describe_rule(Name="aerodrome-dev-batch-watch")["Arn"]
        account.aws.act("events", runRule=rule)

        def listed() -> set[tuple[str, frozenset[tuple[str, str]]]]:
            pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace=names.NAMESPACE)
            return {key_of(metric) for page in pages for metric in page["Metrics"]}

        eventually(lambda: any(name == names.RUNNABLE_AGE for name, _ in listed()), "the watch has looked")
        there = listed()
        looked_at = [
            metric
            for alarm in cloudwatch.describe_alarms()["MetricAlarms"]
            for metric in [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
            or [alarm]
            if metric["Namespace"] == names.NAMESPACE
        ]
        assert len(looked_at) > 8
        assert [metric for metric in looked_at if key_of(metric) not in there] == []


def key_of(metric: Mapping[str, Any]) -> tuple[str, frozenset[tuple[str, str]]]:
    return metric["MetricName"], frozenset((one["Name"], one["Value"]) for one in metric["Dimensions"])


def test_a_double_and_a_message_that_is_no_event_do_no_harm(account: Account, metrics: Metrics, queues: Queues) -> None:
    """As SQS may bring them: the deployed function, with a batch that no chance has put together."""
    now = datetime.now(UTC).isoformat()
    event = {**samples.ended("SUCCEEDED", samples.attempt(), jobQueue=samples.QUEUES + queues.flyte), "time": now}
    bodies = [json.dumps(event), json.dumps(event), "no event"]
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    answer = account.client("lambda").invoke(
        FunctionName="aerodrome-dev-job-events", Payload=json.dumps({"Records": records}).encode()
    )
    assert json.load(answer["Payload"]) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    flyte = {names.QUEUE: queues.flyte}
    assert metrics.jobs("SUCCEEDED", flyte) == 1
    assert metrics.total(names.VCPU_SECONDS, flyte) == 120


def test_a_queue_that_is_blocked_is_counted_and_told_with_the_reason(
    account: Account, submit: Submit, metrics: Metrics, queues: Queues
) -> None:
    sqs, sns = account.client("sqs"), account.client("sns")
    url = sqs.create_queue(QueueName="mailbox")["QueueUrl"]
    mailbox = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = f"arn:aws:sns:{account.environment.region}:{account.id}:aerodrome-dev-alerts"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=mailbox)

    job = submit(queues.blocked, "true", vcpus=account.environment.batch.on_demand_vcpus + 1)
    reason = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
    by_reason = {names.QUEUE: queues.blocked, names.REASON: reason}
    eventually(lambda: metrics.total(names.QUEUE_BLOCKED, by_reason) == 1, "the blocked queue is counted")
    assert metrics.total(names.QUEUE_BLOCKED) == 1
    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)["Messages"]
    told = [text for one in messages if f"({job}) blocks" in (text := json.loads(one["Body"])["Message"])]
    assert len(told) == 1
    assert f"The job line ({job}) blocks the queue" in told[0]
    assert reason in told[0]
    assert "runbooks/batch-queue-blocked.md" in told[0]

    # It stands there until its time is up: the watch sees for how long.
    look(account)
    age = metrics.read("Maximum", names.RUNNABLE_AGE, {names.QUEUE: queues.blocked})
    assert age
    assert metrics.read("Maximum", names.WAITING_JOBS, {names.QUEUE: queues.blocked}) == 1
    assert metrics.read("Maximum", names.RUNNABLE_AGE, {names.QUEUE: queues.ingest}) == 0
    account.client("batch").cancel_job(jobId=job, reason="a test is over")


def look(account: Account) -> None:
    answer = account.client("lambda").invoke(FunctionName="aerodrome-dev-batch-watch", Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def test_a_compute_environment_that_is_invalid_raises_an_alarm_until_it_is_mended(
    account: Account, metrics: Metrics
) -> None:
    batch, cloudwatch = account.client("batch"), account.client("cloudwatch")
    found = account.resources("batch", "AWS::Batch::ComputeEnvironment")
    (arn,) = [arn for logical, arn in found.items() if logical.removeprefix("Compute")[:-8] == "Fargate"]
    (before,) = batch.describe_compute_environments(computeEnvironments=[arn])["computeEnvironments"]

    def set_subnets(subnets: list[str], status: str) -> None:
        batch.update_compute_environment(computeEnvironment=arn, computeResources={"subnets": subnets})

        def is_so() -> bool:
            (now,) = batch.describe_compute_environments(computeEnvironments=[arn])["computeEnvironments"]
            return bool(now["status"] == status)

        eventually(is_so, f"the compute environment is {status}")
        look(account)

    def alarm() -> str:
        (described,) = cloudwatch.describe_alarms(AlarmNames=["aerodrome-dev-batch-compute-environment-invalid"])[
            "MetricAlarms"
        ]
        return str(described["StateValue"])

    set_subnets(["subnet-00000000000000000"], "INVALID")
    by_name = {names.COMPUTE_ENVIRONMENT: "Fargate"}
    assert metrics.read("Maximum", names.INVALID_COMPUTE_ENVIRONMENTS, by_name) == 1
    assert metrics.read("Maximum", names.INVALID_COMPUTE_ENVIRONMENTS, {names.COMPUTE_ENVIRONMENT: "Spot"}) == 0
    assert alarm() == "ALARM"
    set_subnets(before["computeResources"]["subnets"], "VALID")
    assert metrics.read("Minimum", names.INVALID_COMPUTE_ENVIRONMENTS, by_name) == 0


def test_what_reads_the_queue_is_tagged_and_says_which_messages_failed(account: Account) -> None:
    client = account.client("lambda")
    (mapping,) = client.list_event_source_mappings(FunctionName="aerodrome-dev-job-events")["EventSourceMappings"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    tags = client.list_tags(Resource=mapping["EventSourceMappingArn"])["Tags"]
    assert tags["aerodrome:stack"] == "JobMonitoring"


def test_the_dashboard_is_there(account: Account) -> None:
    body = account.client("cloudwatch").get_dashboard(DashboardName="aerodrome-dev-batch")["DashboardBody"]
    assert len(json.loads(body)["widgets"]) > 10
