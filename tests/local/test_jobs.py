"""A project's jobs on the deployed platform, for real: their log, their secrets, which failures are tried again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest

from aerodrome.try_out.job import dataset
from aerodrome_constructs.batch import Container, ContainerJob, ContainerJobProps
from aerodrome_local.testing import Stack
from aerodrome_stacks.batch_queues import Kind, ingest_queue_name, queue_name
from tests.local.account import Account
from tests.local.waiting import eventually
from tests.stacks.test_job_pages import blocks, page
from tests.templates import new_stack, synthesized

PROJECT: Final = "fraud-detection"
DOMAIN: Final = "development"
PLACE = f"{PROJECT}/{DOMAIN}"
TAGS = {"aerodrome:project": PROJECT, "aerodrome:domain": DOMAIN}


@dataclass(frozen=True)
class Project:
    """A project as its people see it: its definitions, its share of the queue, its log group.

    Attributes:
        account: The account that the platform is deployed to.
    """

    account: Account

    @property
    def batch(self) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self.account.client("batch")

    @property
    def log_group(self) -> str:
        return f"/aerodrome/dev/jobs/{PROJECT}-{DOMAIN}"

    def definition(self, job: str) -> str:
        return f"{self.account.name}-{PROJECT}-{DOMAIN}-{job}"

    def submit(self, definition: str, **request: Any) -> str:  # noqa: ANN401 - as AWS
        """Submit a job as the page on it says: to the domain's queue, with the project's share and tags."""
        job: str = self.batch.submit_job(
            jobName="test",
            jobQueue=queue_name(self.account.environment, DOMAIN, Kind.SPOT),
            jobDefinition=definition,
            **{"shareIdentifier": "frauddetection", "schedulingPriorityOverride": 0, "tags": TAGS, **request},
        )["jobId"]
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.batch.describe_jobs(jobs=[job_id])["jobs"][0]
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        eventually(lambda: self.job(job_id)["status"] in {"SUCCEEDED", "FAILED"}, f"job {job_id} ends")
        return self.job(job_id)

    def printed(self, stream: str) -> list[str]:
        """What a container wrote, from the project's own log group."""
        events = self.account.client("logs").get_log_events(logGroupName=self.log_group, logStreamName=stream)
        return [event["message"] for event in events["events"]]


@pytest.fixture
def project(dev: Account) -> Project:
    return Project(dev)


def test_a_model_is_trained_by_a_project_on_its_own_data_into_its_own_log(project: Project, dev: Account) -> None:
    s3, source, target = dev.client("s3"), dev.bucket("BatchInput"), dev.bucket("BatchOutput")
    s3.put_object(Bucket=source, Key=f"{PLACE}/data.csv", Body=dataset())

    job = project.ended(project.submit(project.definition("train-classifier")))

    assert job["status"] == "SUCCEEDED", job.get("statusReason")
    found = s3.list_objects_v2(Bucket=target, Prefix=f"{PLACE}/train-classifier/")["Contents"]
    assert {one["Key"].rpartition("/")[2] for one in found} == {"model.joblib", "metrics.json"}
    stream = job["container"]["logStreamName"]
    assert stream.startswith("train-classifier/default/")
    assert any("trained on 569 rows" in line for line in project.printed(stream))
    assert job["container"]["logConfiguration"]["options"]["awslogs-group"] == project.log_group
    assert job["tags"] == TAGS
    assert job["shareIdentifier"] == "frauddetection"


@pytest.fixture
def shell(dev: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that `aerodrome local status` gives a reader of the pages."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", dev.aws.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", dev.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "embedded")
    monkeypatch.setenv("AWS_DEFAULT_REGION", dev.environment.region)


@pytest.mark.usefixtures("shell")
def test_the_program_of_the_page_submits_a_job(project: Project, dev: Account) -> None:
    dev.client("s3").put_object(Bucket=dev.bucket("BatchInput"), Key=f"{PLACE}/october.csv", Body=dataset())
    (program,) = blocks(page("how-to/submit-a-job.md"), "python")
    namespace: dict[str, Any] = {}

    exec(compile(program, "submit-a-job.md", "exec"), namespace)  # noqa: S102 - the page's own code

    assert project.ended(namespace["job"]["jobId"])["status"] == "SUCCEEDED"
    found = dev.client("s3").list_objects_v2(Bucket=dev.bucket("BatchOutput"), Prefix=f"{PLACE}/october/")["Contents"]
    assert {one["Key"].rpartition("/")[2] for one in found} == {"model.joblib", "metrics.json"}


@pytest.mark.usefixtures("shell")
def test_the_program_of_the_first_hour_trains_on_data_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    text = page("tutorial/first-hour.md")
    program, *_ = blocks(text, "python")

    exec(compile(program, "first-hour.md", "exec"), {})  # noqa: S102 - the page's own code

    assert f"$ .venv/bin/python mine.py\n{capsys.readouterr().out}" in text


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"shareIdentifier": None}, "must have a shareIdentifier"),
        ({"schedulingPriorityOverride": None}, "schedulingPriorityOverride is required"),
    ],
)
def test_a_submission_that_names_no_share_or_no_priority_is_refused(
    project: Project, request_: dict[str, None], said: str
) -> None:
    given = {"shareIdentifier": "frauddetection", "schedulingPriorityOverride": 0, **request_}
    with pytest.raises(project.batch.exceptions.ClientException, match=said):
        project.batch.submit_job(
            jobName="test",
            jobQueue=queue_name(project.account.environment, DOMAIN, Kind.SPOT),
            jobDefinition=project.definition("train-classifier"),
            **{key: value for key, value in given.items() if value is not None},
        )


def test_a_job_of_the_catalogue_goes_to_a_queue_without_a_fair_share_as_well(project: Project) -> None:
    job_id = project.batch.submit_job(
        jobName="test",
        jobQueue=ingest_queue_name(project.account.environment, DOMAIN),
        jobDefinition=project.definition("train-classifier"),
        containerOverrides={"command": ["true"]},
    )["jobId"]
    assert project.ended(job_id)["status"] == "SUCCEEDED"


def test_a_job_whose_host_is_reclaimed_is_tried_again_elsewhere(project: Project, dev: Account) -> None:
    script = 'test "$AWS_BATCH_JOB_ATTEMPT" = 2 || sleep 600'
    job_id = project.submit(
        project.definition("train-classifier"), containerOverrides={"command": ["sh", "-c", script]}
    )
    eventually(lambda: project.job(job_id)["status"] == "RUNNING", "the first attempt runs")

    dev.reclaim_host(job_id)

    job = project.ended(job_id)
    assert job["status"] == "SUCCEEDED", job.get("statusReason")
    first, second = job["attempts"]
    assert first["statusReason"].startswith("Host EC2")
    assert second["container"]["exitCode"] == 0


def test_a_job_that_fails_by_itself_is_not_tried_again(project: Project) -> None:
    command = {"command": ["sh", "-c", "echo no such column >&2; exit 3"]}
    job = project.ended(project.submit(project.definition("train-classifier"), containerOverrides=command))
    assert job["status"] == "FAILED"
    (attempt,) = job["attempts"]
    assert attempt["container"]["exitCode"] == 3
    assert project.printed(attempt["container"]["logStreamName"]) == ["no such column"]


@pytest.fixture
def secret(dev: Account) -> Iterator[str]:
    """A secret of the project, named as the catalogue names them. Its name without its last six characters."""
    secrets = dev.client("secretsmanager")
    name = f"aerodrome/dev/{PLACE}/feature-store"
    made = secrets.create_secret(
        Name=name,
        SecretString=json.dumps({"username": "fraud", "password": "correct horse"}),
        Tags=[{"Key": key, "Value": value} for key, value in {**TAGS, "aerodrome:environment": "dev"}.items()],
    )
    yield made["ARN"][: -len("-AbCdEf")]
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


READS_SECRET = Container(
    image="public.ecr.aws/docker/library/python:3.13.1",
    command=["sh", "-c", 'echo "$DATABASE_USER: $DATABASE_PASSWORD"'],
    vcpus=1,
    memory_mib=512,
    timeout=timedelta(minutes=5),
    attempts=3,
)


def deployed(stack: Stack, project: Project, secrets: dict[str, str]) -> str:
    """Deploy a job of the project's with secrets, and return the name of its definition."""
    props = ContainerJobProps(
        name=f"{project.definition('reads-secret')}-{len(secrets)}",
        container=READS_SECRET,
        job_role_arn=f"arn:aws:iam::{project.account.id}:role/{project.account.name}-{PROJECT}-{DOMAIN}",
        execution_role_arn=f"arn:aws:iam::{project.account.id}:role/made-up",
        log_group_name=project.log_group,
        log_stream_prefix="reads-secret",
        secrets=secrets,
    )
    made = new_stack()
    ContainerJob(made, "Job", props)
    stack.deploy(dict(synthesized(made)["Resources"]))
    return props.name


def test_a_field_of_a_secret_reaches_the_container_and_no_description_of_the_job(
    stack: Stack, project: Project, secret: str
) -> None:
    sources = {"DATABASE_USER": f"{secret}:username::", "DATABASE_PASSWORD": f"{secret}:password::"}
    job = project.ended(project.submit(deployed(stack, project, sources)))
    assert job["status"] == "SUCCEEDED", job["attempts"]
    assert project.printed(job["container"]["logStreamName"]) == ["fraud: correct horse"]
    assert "correct horse" not in json.dumps(job, default=str)


def test_a_job_whose_secret_is_missing_tries_again_and_says_which(stack: Stack, project: Project, secret: str) -> None:
    job = project.ended(project.submit(deployed(stack, project, {"DATABASE_USER": f"{secret}-of-nobody:username::"})))
    assert job["status"] == "FAILED"
    assert len(job["attempts"]) == READS_SECRET.attempts
    reasons = {
        (attempt["statusReason"], attempt["container"]["reason"].partition(":")[0]) for attempt in job["attempts"]
    }
    assert reasons == {("Task failed to start", "ResourceInitializationError")}
    assert "feature-store-of-nobody" in job["attempts"][0]["container"]["reason"]
