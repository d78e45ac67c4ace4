"""The cleaner of job definitions on the embedded AWS: 500 revisions, some of them needed, among those of others."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.batch_queues import Kind, flyte_queue_name
from aerodrome_stacks.environment import load_environment
from pytest_cdk.settings import Settings
from tests.local.account import Account
from tests.local.deployment import build_queues, deployed
from tests.local.waiting import eventually

KEPT = 5
REPOSITORY = "111122223333.dkr.ecr.us-east-1.amazonaws.com/teams"
FRAUD, FORECAST = "aerodrome-dev-fraud-detection-development", "aerodrome-dev-demand-forecast-development"
# What propeller registered, by name, image and role, and how often. Two images share a name, as two versions of one do.
REGISTERED = {
    ("trainer", f"{REPOSITORY}/trainer:1.0", FRAUD): 300,
    ("trainer", f"{REPOSITORY}/trainer:1.1", FRAUD): 97,
    ("trainer", f"{REPOSITORY}/trainer:1.1", FORECAST): 3,
    ("features", f"{REPOSITORY}/features@sha256:{'0a' * 32}", FORECAST): 100,
}
MORE_THAN_KEPT = sum(1 for times in REGISTERED.values() if times > KEPT)


@pytest.fixture(scope="module")
def account(cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """dev's queues and its cleaner, on an embedded AWS of the module's own."""
    aws = EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"))
    try:
        environment = load_environment("dev", cdk_settings.root / "environments")
        build = partial(build_queues, environment=environment)
        yield deployed(build, environment, aws, cdk_settings, tmp_path_factory)
    finally:
        aws.stop()


@dataclass(frozen=True, slots=True)
class Definitions:
    """Job definitions and jobs, as propeller and others make them.

    Attributes:
        account: The account.
        batch: A client of AWS Batch there.
    """

    account: Account
    batch: Any

    def by_propeller(self, name: str, image: str, role: str) -> str:
        """Register as ``RegisterJobDefinition`` of the plugin's client.go does, and return the ARN."""
        container = {
            "image": image,
            "jobRoleArn": f"arn:aws:iam::{self.account.id}:role/{role}",
            "vcpus": 1,
            "memory": 100,
        }
        return self.register(name, container, platformCapabilities=["EC2"])

    def register(self, name: str, container: Mapping[str, Any], **others: Any) -> str:  # noqa: ANN401 - members of the request
        answer = self.batch.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=container, **others
        )
        return str(answer["jobDefinitionArn"])

    def active(self) -> set[str]:
        """The ARNs of all that are registered."""
        pages = self.batch.get_paginator("describe_job_definitions").paginate(status="ACTIVE")
        return {definition["jobDefinitionArn"] for page in pages for definition in page["jobDefinitions"]}

    def submit(self, definition: str, **others: Any) -> str:  # noqa: ANN401 - members of the request
        queue = flyte_queue_name(self.account.environment, "development", Kind.SPOT)
        answer = self.batch.submit_job(jobName="task", jobQueue=queue, jobDefinition=definition, **others)
        return str(answer["jobId"])

    def await_status(self, job: str, status: str) -> None:
        """Wait until a job has a status."""

        def has_it() -> bool:
            (found,) = self.batch.describe_jobs(jobs=[job])["jobs"]
            return bool(found["status"] == status)

        eventually(has_it, f"job {job} is {status}")


@pytest.fixture(scope="module")
def definitions(account: Account) -> Definitions:
    return Definitions(account, account.client("batch"))


@pytest.fixture(scope="module")
def order(account: Account) -> dict[str, Any]:
    """What the schedule sends the function."""
    events = account.client("events")
    name = account.resource("batch", "AWS::Events::Rule", "CleanerSchedule")
    assert events.describe_rule(Name=name)["State"] == "ENABLED"
    (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
    assert target["Arn"].endswith(":function:aerodrome-dev-job-definition-cleaner")
    sent: dict[str, Any] = json.loads(target["Input"])
    return sent


def run(account: Account, order: Mapping[str, Any]) -> dict[str, int]:
    """Start the deployed function as its schedule would, but for the pace, and return its report."""
    answer = account.client("lambda").invoke(
        FunctionName="aerodrome-dev-job-definition-cleaner",
        Payload=json.dumps({**order, "callsPerSecond": 10_000}),
    )
    report: dict[str, int] = json.load(answer["Payload"])
    assert "FunctionError" not in answer, report
    return report


@pytest.fixture(scope="module")
def revisions(definitions: Definitions) -> dict[tuple[str, str, str], list[str]]:
    """What propeller has registered, the oldest first, by turns."""
    made: dict[tuple[str, str, str], list[str]] = {key: [] for key in REGISTERED}
    for time in range(max(REGISTERED.values())):
        for key, times in REGISTERED.items():
            if time < times:
                made[key].append(definitions.by_propeller(*key))
    assert sum(map(len, made.values())) == 500
    return made


@pytest.fixture(scope="module")
def foreign(definitions: Definitions, revisions: Mapping[tuple[str, str, str], list[str]]) -> set[str]:
    """What is not this environment's Flyte's, and as much alike as can be. Ten of each: more than are kept."""
    assert revisions
    image = f"{REPOSITORY}/trainer:1.0"
    own = f"arn:aws:iam::{definitions.account.id}:role/{FRAUD}"
    like_propeller = {"image": image, "jobRoleArn": own, "vcpus": 1, "memory": 100}
    made: set[str] = set()
    for _ in range(2 * KEPT):
        made |= {
            # Another environment's in the same account, of which the name begins with this one's.
            definitions.by_propeller("trainer", image, "aerodrome-dev-eu-fraud-detection-development"),
            definitions.by_propeller("trainer", image, "aerodrome-staging-fraud-detection-development"),
            # Somebody's without a role, as of a Flyte elsewhere.
            definitions.register("trainer", {"image": image, "vcpus": 1, "memory": 100}),
            # The platform's own.
            definitions.register("aerodrome-dev-fraud-detection-development-train", like_propeller),
            # People's, who write down what propeller leaves to each job.
            definitions.register("trainer", {**like_propeller, "command": ["python", "train.py"]}),
            definitions.register("trainer", {**like_propeller, "memory": 4096}),
            definitions.register("trainer", like_propeller, retryStrategy={"attempts": 3}),
            definitions.register("trainer", like_propeller, timeout={"attemptDurationSeconds": 600}),
            definitions.register("trainer", like_propeller, tags={"owner": "somebody"}),
        }
    return made


@pytest.fixture(scope="module")
def in_use(definitions: Definitions, revisions: Mapping[tuple[str, str, str], list[str]]) -> dict[str, str]:
    """Old revisions that jobs still need, by the job: one that runs, three that wait for it, one of them an array."""
    old = revisions["trainer", f"{REPOSITORY}/trainer:1.0", FRAUD]
    running = definitions.submit(old[7], containerOverrides={"command": ["sleep", "600"]})
    after: dict[str, Any] = {"dependsOn": [{"jobId": running}]}
    jobs = {
        running: old[7],
        definitions.submit(old[8], **after): old[8],
        definitions.submit(old[200], arrayProperties={"size": 3}, **after): old[200],
        definitions.submit(revisions["trainer", f"{REPOSITORY}/trainer:1.1", FRAUD][0], **after): revisions[
            "trainer", f"{REPOSITORY}/trainer:1.1", FRAUD
        ][0],
    }
    definitions.await_status(running, "RUNNING")
    return jobs


def test_the_newest_and_what_is_in_use_are_kept_and_nothing_of_others_is_touched(
    definitions: Definitions,
    order: Mapping[str, Any],
    revisions: Mapping[tuple[str, str, str], list[str]],
    foreign: set[str],
    in_use: Mapping[str, str],
) -> None:
    assert order["keep"] == KEPT
    # One that used an old revision and has ended needs it no more.
    ended = definitions.submit(
        revisions["features", f"{REPOSITORY}/features@sha256:{'0a' * 32}", FORECAST][3],
        containerOverrides={"command": ["true"]},
    )
    definitions.await_status(ended, "SUCCEEDED")
    before = definitions.active()
    assert len(before) == 500 + len(foreign)

    report = run(definitions.account, order)

    newest = {arn for made in revisions.values() for arn in made[-KEPT:]}
    assert len(newest) == MORE_THAN_KEPT * KEPT + 3
    assert definitions.active() == newest | set(in_use.values()) | foreign
    assert report == {
        "found": 500,
        "inUse": len(in_use),
        "deregistered": 500 - len(newest) - len(in_use),
        "failed": 0,
        "leftForNextTime": 0,
    }

    # A task that propeller submits to what it has in memory runs.
    remembered = revisions["trainer", f"{REPOSITORY}/trainer:1.0", FRAUD][-1]
    new = definitions.submit(remembered, containerOverrides={"command": ["true"]})
    definitions.await_status(new, "SUCCEEDED")

    # A second night finds nothing to do.
    again = run(definitions.account, order)
    assert (again["deregistered"], again["inUse"]) == (0, len(in_use))
    assert definitions.active() == newest | set(in_use.values()) | foreign

    # Once no job needs them, they go, too.
    for job in in_use:
        definitions.batch.terminate_job(jobId=job, reason="the test ends it")
        definitions.await_status(job, "FAILED")
    assert run(definitions.account, order)["deregistered"] == len(in_use)
    assert definitions.active() == newest | foreign


def test_an_event_of_somebody_elses_deregisters_nothing(
    account: Account, definitions: Definitions, order: Mapping[str, Any], foreign: set[str]
) -> None:
    assert foreign
    before = definitions.active()
    for wrong in ({}, {**order, "keep": 0}, {**order, "jobQueues": []}):
        answer = account.client("lambda").invoke(
            FunctionName="aerodrome-dev-job-definition-cleaner", Payload=json.dumps(wrong)
        )
        assert answer["FunctionError"]
        assert "must" in json.load(answer["Payload"])["errorMessage"]
    assert definitions.active() == before
