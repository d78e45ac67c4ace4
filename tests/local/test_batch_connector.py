"""The connector of AWS Batch on the deployed platform: what its settings name is there, and a task runs with it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from aerodrome_stacks.names import flyte_jobs_events_name
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.spec import ArraySpec, JobSpec, Resources
from tests.local.account import Account
from tests.local.waiting import eventually

PROJECT: Final = "fraud-detection"
DOMAIN: Final = "development"


@pytest.fixture
def settings(dev: Account) -> Settings:
    """What the connector of the release that is deployed is told."""
    (release,) = [
        one for one in dev.aws.view("releases") if one["account"] == dev.id and one["release"] == "aerodrome-flyte"
    ]
    return Settings.model_validate(release["values"]["connectors"]["aws-batch"]["settings"]["content"])


def role_of(dev: Account, arn: str) -> dict[str, Any]:
    role: dict[str, Any] = dev.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]
    assert role["Arn"] == arn
    return role


def test_its_queues_are_there_and_are_of_the_kind_that_they_are_said_to_be(dev: Account, settings: Settings) -> None:
    batch = dev.client("batch")
    queues = {queue.arn: queue for queue in settings.queues_of(DOMAIN)}
    assert len(queues) == 4
    found = batch.describe_job_queues(jobQueues=list(queues))["jobQueues"]
    assert {one["jobQueueArn"] for one in found} == queues.keys()
    for one in found:
        queue = queues[one["jobQueueArn"]]
        assert (one["state"], one["status"]) == ("ENABLED", "VALID")
        assert bool(one.get("schedulingPolicyArn")) is queue.fair_share
        names = [order["computeEnvironment"] for order in one["computeEnvironmentOrder"]]
        environments = batch.describe_compute_environments(computeEnvironments=names)["computeEnvironments"]
        resources = {each["computeResources"]["type"]: each["computeResources"] for each in environments}
        assert {kind.startswith("FARGATE") for kind in resources} == {queue.kind == "fargate"}
        assert any(kind.endswith("SPOT") for kind in resources) is queue.has_spot
        assert queue.most_vcpus is not None
        assert queue.most_vcpus <= max(each["maxvCpus"] for each in resources.values())


def test_its_shares_are_those_of_the_scheduling_policy(dev: Account, settings: Settings) -> None:
    batch = dev.client("batch")
    queues = [queue.arn for queue in settings.queues_of(DOMAIN)]
    policies = {one["schedulingPolicyArn"] for one in batch.describe_job_queues(jobQueues=queues)["jobQueues"]}
    (policy,) = batch.describe_scheduling_policies(arns=[*policies])["schedulingPolicies"]

    shares = {share["shareIdentifier"] for share in policy["fairsharePolicy"]["shareDistribution"]}
    assert set(settings.shares.values()) == shares


def test_its_roles_are_there_and_for_containers(dev: Account, settings: Settings) -> None:
    arns = [*settings.job_roles.values(), *settings.execution_roles.values()]
    assert len(arns) == 4
    for arn in arns:
        trust = json.dumps(role_of(dev, arn)["AssumeRolePolicyDocument"])
        assert "ecs-tasks.amazonaws.com" in trust


def test_containers_are_started_with_the_secrets_and_the_log_that_it_names(dev: Account, settings: Settings) -> None:
    place = {"project": PROJECT, "domain": DOMAIN}
    arn = settings.role_of(settings.execution_roles, PROJECT, DOMAIN)
    assert arn is not None
    group = settings.log_group.format(**place)
    (found,) = dev.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["logGroupName"] == group

    iam, name = dev.client("iam"), role_of(dev, arn)["RoleName"]
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    rights = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    allowed = {action: one["Resource"] for one in rights["Statement"] for action in _listed(one["Action"])}
    assert allowed["logs:PutLogEvents"].endswith(f":log-group:{group}:*")
    assert allowed["secretsmanager:GetSecretValue"].endswith(f":secret:{settings.secret_prefix.format(**place)}*")


def _listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


@pytest.fixture
def runner(dev: Account, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchRunner]:
    """The connector's own code with the release's settings, which leaves the state changes to the test."""
    for name, value in dev.aws.variables(dev.id).items():
        monkeypatch.setenv(name, value)
    runner = BatchRunner(settings.model_copy(update={"events_queue": None}))
    yield runner
    runner.close()


def request_of(dev: Account, execution: str, **others: Any) -> JobRequest:  # noqa: ANN401 - parts of a request
    folder = f"metadata/propeller/{PROJECT}-{DOMAIN}-{execution}/n0/data/0"
    return JobRequest(
        project=PROJECT,
        domain=DOMAIN,
        execution=execution,
        node="n0",
        task="tasks.train",
        attempt=0,
        image="public.ecr.aws/docker/library/python:3.11",
        command=("python", "-c", "print('a task of Flyte')"),
        environment={},
        resources=Resources(vcpus=1, memory_mib=512),
        spec=JobSpec(),
        retries=0,
        timeout_seconds=600,
        interruptible=True,
        job_role=None,
        output_prefix=f"s3://{dev.bucket('Metadata')}/{folder}",
        **others,
    )


async def ended(runner: BatchRunner, request: JobRequest) -> Progress:
    handle = await runner.start(request)
    assert handle.refused is None
    while True:
        progress = await runner.poll(handle)
        if progress.phase in {Phase.SUCCEEDED, Phase.FAILED, Phase.FAILED_RETRYABLE}:
            return progress
        await asyncio.sleep(0.1)


def test_a_task_runs_as_a_job_of_its_project(dev: Account, settings: Settings, runner: BatchRunner) -> None:
    progress = asyncio.run(asyncio.wait_for(ended(runner, request_of(dev, "alone")), 60))

    assert progress.phase is Phase.SUCCEEDED, progress.message
    (job,) = dev.client("batch").describe_jobs(jobs=[*progress.jobs])["jobs"]
    assert job["jobQueue"].endswith(f"/{dev.name}-{DOMAIN}-spot")
    assert job["shareIdentifier"] == settings.shares[PROJECT]
    assert job["jobDefinition"].rpartition("/")[2].startswith(f"{settings.definition_prefix}{PROJECT}-{DOMAIN}-")
    container = job["container"]
    assert container["jobRoleArn"] == settings.job_roles[f"{PROJECT}/{DOMAIN}"]
    assert container["executionRoleArn"] == settings.execution_roles[f"{PROJECT}/{DOMAIN}"]
    assert container["logConfiguration"]["options"]["awslogs-group"] == f"/aerodrome/dev/jobs/{PROJECT}-{DOMAIN}"
    assert job["tags"].items() >= {"aerodrome:environment": "dev", "aerodrome:project": PROJECT}.items()


def test_changes_of_its_jobs_are_told_and_of_no_others(dev: Account, settings: Settings, runner: BatchRunner) -> None:
    batch, sqs = dev.client("batch"), dev.client("sqs")
    assert settings.events_queue is not None
    name = flyte_jobs_events_name(dev.environment)
    assert settings.events_queue.endswith(f"/{dev.id}/{name}")
    # The embedded AWS answers at an address of its own, which names the queue the same.
    queue = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    people = batch.submit_job(
        jobName="of-people",
        jobQueue=f"{dev.name}-{DOMAIN}-spot",
        jobDefinition=f"{dev.name}-{PROJECT}-{DOMAIN}-train-classifier",
        shareIdentifier=settings.shares[PROJECT],
        schedulingPriorityOverride=0,
    )["jobId"]

    array = asyncio.run(asyncio.wait_for(ended(runner, request_of(dev, "list", array=ArraySpec(size=3))), 60))
    alone = asyncio.run(asyncio.wait_for(ended(runner, request_of(dev, "told")), 60))

    assert (array.phase, alone.phase) == (Phase.SUCCEEDED, Phase.SUCCEEDED), (array.message, alone.message)
    told: dict[str, set[str]] = {}

    def ends_are_told() -> bool:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            detail = json.loads(message["Body"])["detail"]
            told.setdefault(detail["jobId"], set()).add(detail["status"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return all("SUCCEEDED" in told.get(job, ()) for job in (*array.jobs, *alone.jobs))

    eventually(ends_are_told, f"the ends of {array.jobs} and {alone.jobs} are in {name}")
    assert "RUNNING" in told[alone.jobs[0]]
    # Neither what people submit, nor each element of a list.
    assert people not in told
    assert [job for job in told if ":" in job] == []
