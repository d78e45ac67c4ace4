"""The platform's own queues and compute environments on the embedded AWS: who waits, who runs, and what a change does.

An embedded AWS of this module's own, in which a second of Batch's takes a millisecond: its shortest time limit is 600.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self, get_args

import pytest

from aerodrome_constructs.batch import compute, families
from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.batch_queues import Kind, flyte_queue_name, ingest_queue_name, queue_name
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.environment.domain_types import Domain
from pytest_cdk.settings import Settings
from tests.local.account import Account
from tests.local.deployment import build_queues, deployed
from tests.local.waiting import eventually

DOMAINS: tuple[Domain, ...] = get_args(Domain)
FIRST, SECOND = "fraud-detection", "demand-forecast"
VCPUS = 8
RECLAIMED = [
    {"onStatusReason": "Host EC2*", "action": "RETRY"},
    {"onReason": "*", "action": "EXIT"},
]


@pytest.fixture(scope="module")
def environment(cdk_settings: Settings) -> Environment:
    """dev, with every project in every domain, one with three times the share of the other, and a ceiling of 8."""
    given = load_environment("dev", cdk_settings.root / "environments")
    capacity = {"spot_vcpus": VCPUS, "on_demand_vcpus": VCPUS, "fargate_vcpus": 4, "reserved_percent": 25}
    shares = {FIRST: 3, SECOND: 1}
    projects = tuple(
        project.model_copy(
            update={
                "domains": dict.fromkeys(DOMAINS, next(iter(project.domains.values()))),
                "batch": project.batch.model_copy(update={"share": shares[project.name]}),
            }
        )
        for project in given.projects
    )
    return given.model_copy(update={"batch": given.batch.model_copy(update=capacity), "projects": projects})


Deploy = Callable[[], Account]


@pytest.fixture(scope="module")
def deploy(
    environment: Environment, cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deploy]:
    """Synthesizes the stacks as the code stands, and deploys them to the module's embedded AWS."""
    aws = EmbeddedAws.start(
        tmp_path_factory.mktemp("embedded-aws"),
        variables={"AERODROME_BATCH_TIME_SCALE": "0.001", "AERODROME_BATCH_SLOTS": "64"},
    )

    def deploy() -> Account:
        build = partial(build_queues, environment=environment)
        return deployed(build, environment, aws, cdk_settings, tmp_path_factory)

    yield deploy
    aws.stop()


@dataclass(frozen=True, slots=True)
class Platform:
    """What stands, and how a person would use it."""

    account: Account
    batch: Any

    def compute_environment(self, name: str) -> str:
        """The ARN of a compute environment by its ID, such as ``ArmSpot``."""
        found = self.account.resources("batch", "AWS::Batch::ComputeEnvironment")
        (arn,) = [arn for logical, arn in found.items() if logical.removeprefix("Compute")[:-8] == name]
        return arn

    def set_state(self, name: str, state: str) -> None:
        """Enable or disable a compute environment, and wait until it is."""
        arn = self.compute_environment(name)
        self.batch.update_compute_environment(computeEnvironment=arn, state=state)

        def settled() -> bool:
            (found,) = self.batch.describe_compute_environments(computeEnvironments=[arn])["computeEnvironments"]
            return (found["state"], found["status"]) == (state, "VALID")

        eventually(settled, f"{name} is {state}")

    def define(self, name: str, script: str, *, vcpus: int = 1, gpus: int = 0, fargate: bool = False) -> None:
        memory = 2048 * vcpus  # the least that Fargate takes, and enough for anything here
        requirements = [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": str(memory)}]
        if gpus:
            requirements.append({"type": "GPU", "value": str(gpus)})
        container: dict[str, Any] = {
            "image": "busybox",
            "command": ["sh", "-c", script],
            "resourceRequirements": requirements,
        }
        if fargate:
            container["executionRoleArn"] = f"arn:aws:iam::{self.account.id}:role/pulls"
        self.batch.register_job_definition(
            jobDefinitionName=name,
            type="container",
            platformCapabilities=["FARGATE" if fargate else "EC2"],
            containerProperties=container,
            # Of no meaning here, and asked for by every queue with shares.
            schedulingPriority=0,
            retryStrategy={"attempts": 3, "evaluateOnExit": RECLAIMED},
        )

    def submit(self, queue: str, definition: str, project: str | None = None) -> str:
        share = {"shareIdentifier": project.replace("-", "")} if project else {}
        answer = self.batch.submit_job(jobName="job", jobQueue=queue, jobDefinition=definition, **share)
        return str(answer["jobId"])

    def jobs(self, *job_ids: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.batch.describe_jobs(jobs=list(job_ids))["jobs"]
        assert len(found) == len(job_ids)
        return found

    def until(self, status: str, *job_ids: str) -> list[dict[str, Any]]:
        """Wait until all these jobs have a status, and return them."""
        eventually(lambda: {job["status"] for job in self.jobs(*job_ids)} == {status}, f"{job_ids} are {status}")
        return self.jobs(*job_ids)

    def running(self, *job_ids: str) -> Counter[str]:
        """How many of these jobs run, by share."""
        return Counter(job["shareIdentifier"] for job in self.jobs(*job_ids) if job["status"] == "RUNNING")


@pytest.fixture(scope="module")
def platform(deploy: Deploy) -> Platform:
    account = deploy()
    return Platform(account, account.client("batch"))


def people(environment: Environment, kind: Kind, domain: Domain = "development") -> str:
    return queue_name(environment, domain, kind)


@pytest.mark.parametrize("which", ["people", "flyte", "ingest", "fargate"])
def test_a_job_that_no_host_ever_fits_is_cancelled_with_that_reason_and_the_next_one_runs(
    platform: Platform, environment: Environment, which: str
) -> None:
    domain: Domain = "development"
    queue = {
        "people": queue_name(environment, domain, Kind.SPOT),
        "flyte": flyte_queue_name(environment, domain, Kind.ON_DEMAND),
        "ingest": ingest_queue_name(environment, domain),
        "fargate": queue_name(environment, domain, Kind.FARGATE),
    }[which]
    fargate = which == "fargate"
    share = FIRST if which in {"people", "fargate"} else None
    if fargate:
        # No task has more than 16 vCPUs, so only a ceiling below that can be too low.
        for name in ("FargateSpot", "Fargate"):
            platform.batch.update_compute_environment(
                computeEnvironment=platform.compute_environment(name), computeResources={"maxvCpus": 2}
            )
    platform.define(f"large-{which}", "true", vcpus=4 if fargate else VCPUS + 1, fargate=fargate)
    platform.define(f"small-{which}", "true", fargate=fargate)
    large, small = platform.submit(queue, f"large-{which}", share), platform.submit(queue, f"small-{which}", share)
    (cancelled,) = platform.until("FAILED", large)
    assert cancelled["statusReason"] == (
        "Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
    )
    assert cancelled["attempts"] == [], "it never started"
    platform.until("SUCCEEDED", small)


def test_a_job_with_a_gpu_in_a_queue_without_is_cancelled_with_that_reason(
    platform: Platform, environment: Environment
) -> None:
    platform.define("gpu", "true", gpus=1)
    (cancelled,) = platform.until("FAILED", platform.submit(people(environment, Kind.SPOT), "gpu", FIRST))
    assert cancelled["statusReason"].endswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")


def test_a_job_that_waits_for_capacity_waits_for_as_long_as_it_takes(
    platform: Platform, environment: Environment, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    platform.define("all-of-it", f"until test -e {gate}; do sleep 0.02; done", vcpus=VCPUS)
    queue = flyte_queue_name(environment, "development", Kind.ON_DEMAND)
    holding, waiting = platform.submit(queue, "all-of-it"), platform.submit(queue, "all-of-it")
    platform.until("RUNNING", holding)
    # Twice the limit after which one that waits in vain is gone: the clock is the server's own.
    (since,) = platform.until("RUNNABLE", waiting)
    platform.define("clock", "sleep 1.2")
    clock = platform.submit(flyte_queue_name(environment, "development", Kind.SPOT), "clock")
    (told,) = platform.until("SUCCEEDED", clock)
    assert told["stoppedAt"] - since["createdAt"] >= 2 * 600
    platform.until("RUNNABLE", waiting)
    gate.touch()
    platform.until("SUCCEEDED", holding, waiting)


def test_spot_comes_first_and_on_demand_where_spot_is_full(
    platform: Platform, environment: Environment, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    platform.define("half", f"echo; until test -e {gate}; do sleep 0.02; done", vcpus=VCPUS // 2)
    queue = ingest_queue_name(environment, "development")
    ids = [platform.submit(queue, "half") for _ in range(3)]
    hosts = [job["container"]["containerInstanceArn"] for job in platform.until("RUNNING", *ids)]
    gate.touch()
    platform.until("SUCCEEDED", *ids)
    names = [platform.compute_environment(name).rpartition("/")[2] for name in ("Spot", "Spot", "OnDemand")]
    assert all(name in host for name, host in zip(names, hosts, strict=True)), hosts


def test_projects_get_what_their_shares_say_and_some_is_kept_for_who_comes_late(
    platform: Platform, environment: Environment, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    platform.define("shared", f"until test -e {gate}; do sleep 0.02; done")
    queue = people(environment, Kind.ON_DEMAND)
    early = [platform.submit(queue, "shared", SECOND) for _ in range(VCPUS)]
    # A quarter of 8 is kept while one project has jobs ...
    eventually(lambda: platform.running(*early).total() == 6, "6 of 8 run")
    late = [platform.submit(queue, "shared", FIRST) for _ in range(VCPUS)]
    # ... and a sixteenth, half a vCPU, while two have: room for one of the other's.
    eventually(lambda: platform.running(*late).total() == 1, "one of the late ones runs")
    assert platform.running(*early).total() == 6
    gate.touch()
    platform.until("SUCCEEDED", *early, *late)


def test_a_project_with_three_times_the_share_has_three_times_the_hosts(
    platform: Platform, environment: Environment, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    platform.define("weighed", f"until test -e {gate}; do sleep 0.02; done")
    # A domain in which nobody has used anything yet.
    queue = people(environment, Kind.ON_DEMAND, "staging")
    platform.set_state("OnDemand", "DISABLED")
    ids = [platform.submit(queue, "weighed", project) for _ in range(VCPUS) for project in (SECOND, FIRST)]
    platform.until("RUNNABLE", *ids)
    platform.set_state("OnDemand", "ENABLED")
    eventually(lambda: platform.running(*ids).total() == 7, "all run that may")
    # Seven of eight: five to two is as near to three to one as it gets.
    assert platform.running(*ids) == {FIRST.replace("-", ""): 5, SECOND.replace("-", ""): 2}
    gate.touch()
    platform.until("SUCCEEDED", *ids)


def test_production_goes_before_staging_and_that_before_development(
    platform: Platform, environment: Environment
) -> None:
    platform.define("whole", "sleep 0.05", vcpus=VCPUS)
    platform.set_state("OnDemand", "DISABLED")
    order: tuple[Domain, ...] = ("development", "staging", "production")
    ids = [platform.submit(flyte_queue_name(environment, domain, Kind.ON_DEMAND), "whole") for domain in order]
    platform.until("RUNNABLE", *ids)
    platform.set_state("OnDemand", "ENABLED")
    development, staging, production = platform.until("SUCCEEDED", *ids)
    assert production["stoppedAt"] <= staging["startedAt"]
    assert staging["stoppedAt"] <= development["startedAt"]


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at all queues at once found.

    Attributes:
        named: The compute environments that some queue offers its jobs to.
        usable: The compute environments that take jobs.
    """

    named: frozenset[str]
    usable: frozenset[str]


@dataclass(slots=True)
class Watch:
    """Looks again and again while something else happens, and once before and after."""

    batch: Any
    looks: list[Look] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.look()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        assert self._thread is not None
        self._thread.join()
        self.look()

    def _run(self) -> None:
        while not self._done.is_set():
            self.look()

    def look(self) -> None:
        before = self._named()
        found = self.batch.describe_compute_environments()["computeEnvironments"]
        # Otherwise what the queues were moved away from in between would seem to be missing.
        if before == self._named():
            usable = [
                each["computeEnvironmentArn"]
                for each in found
                if (each["state"], each["status"]) == ("ENABLED", "VALID")
            ]
            named = frozenset(arn for behind in before.values() for arn in behind)
            self.looks.append(Look(named, frozenset(usable)))

    def _named(self) -> Mapping[str, list[str]]:
        queues = self.batch.describe_job_queues()["jobQueues"]
        assert {(queue["state"], queue["status"]) for queue in queues} == {("ENABLED", "VALID")}
        return {
            queue["jobQueueName"]: [entry["computeEnvironment"] for entry in queue["computeEnvironmentOrder"]]
            for queue in queues
        }


def test_a_change_of_instance_types_leaves_no_queue_without_hosts_and_loses_no_job(
    platform: Platform, environment: Environment, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = platform.compute_environment("Spot")
    untouched = platform.compute_environment("FargateSpot")
    # Runs for as long as its host does, and on another host to its end.
    platform.define("long", 'test "$AWS_BATCH_JOB_ATTEMPT" != 1 || sleep 600')
    queue = flyte_queue_name(environment, "production", Kind.SPOT)
    job_id = platform.submit(queue, "long")
    platform.until("RUNNING", job_id)

    monkeypatch.setattr(compute, "X86", replace(families.X86, families=("m7i", "c7i", "r7i")))
    with Watch(platform.batch) as watch:
        deploy()

    new = platform.compute_environment("Spot")
    assert new != old
    assert platform.compute_environment("FargateSpot") == untouched
    assert old in watch.looks[0].named
    assert new in watch.looks[-1].named
    # So none was named before it was VALID, and none went, or was disabled, while it still was.
    assert [look.named - look.usable for look in watch.looks if look.named - look.usable] == []
    found = platform.batch.describe_compute_environments()["computeEnvironments"]
    assert old not in {each["computeEnvironmentArn"] for each in found}
    (resources,) = [each["computeResources"] for each in found if each["computeEnvironmentArn"] == new]
    assert resources["instanceTypes"] == ["m7i", "c7i", "r7i"]
    (job,) = platform.until("SUCCEEDED", job_id)
    assert [attempt["statusReason"].partition(" (")[0] for attempt in job["attempts"]] == [
        "Host EC2",
        "Essential container in task exited",
    ]


def test_another_month_makes_all_hosts_anew(
    platform: Platform, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ("Spot", "OnDemand", "FargateSpot", "Fargate")
    old = {kind: platform.compute_environment(kind) for kind in kinds}
    monkeypatch.setattr(compute, "HOSTS_SINCE", "2027-01")
    deploy()
    assert [kind for kind in kinds if platform.compute_environment(kind) != old[kind]] == ["Spot", "OnDemand"]
