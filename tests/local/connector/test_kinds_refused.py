"""What cannot run is refused before anything is submitted: with the value, what is allowed, and the remedy."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from aerodrome_local.testing import EmbeddedAws
from flytekit_aws_batch.core.settings import Queue
from flytekit_aws_batch.core.spec import ArraySpec, JobSpec, Resources, SecretVariable
from tests.local.connector.kinds_world import ACCOUNT, MOST_MEMORY_MIB, REPOSITORY, SHUT, KindsWorld, kinds_world
from tests.local.connector.world import PROJECT

MANIFEST: Final = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": "sha256:1f"},
        "layers": [],
    }
)


@pytest.fixture(scope="module")
def world(embedded_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindsWorld]:
    with kinds_world(embedded_aws, "kinds-refused", tmp_path_factory.mktemp("notes")) as of_module:
        yield of_module


@dataclass(frozen=True, slots=True)
class Case:
    """A task that cannot run, and why: ``{SpotQueue}`` and the like stand for what the stack made."""

    name: str
    wrong: dict[str, Any]
    why: str


CASES: Final = (
    Case(
        "a-queue-that-the-domain-has-not",
        {"spec": JobSpec(queue="nightly")},
        "queue='nightly': tasks in development may use {SpotQueue} (spot), {DemandQueue} (on-demand), {GpuQueue} "
        "(gpu), {ArmQueue} (arm), {FargateQueue} (fargate), {FargateSpotQueue} (fargate); give one of them, or its "
        "kind",
    ),
    Case(
        "a-queue-that-is-not-there",
        {"domain": SHUT, "resources": Resources(vcpus=1, memory_mib=128, gpus=1)},
        "queue='arn:aws:batch:us-east-1:191919191919:job-queue/nobody-made-it': there is no such job queue; give the "
        "name or ARN of one that there is",
    ),
    Case(
        "a-queue-that-is-disabled",
        {"domain": SHUT},
        "queue {ShutQueue} is DISABLED and takes no jobs; have it enabled, or name another",
    ),
    Case(
        "memory-that-no-instance-has",
        {"resources": Resources(vcpus=1, memory_mib=MOST_MEMORY_MIB + 1)},
        "memory_mib=7169: {SpotQueue} has 7168 MiB at most for one container; ask for less",
    ),
    Case(
        "memory-that-fargate-has-not",
        {"spec": JobSpec(queue="fargate"), "resources": Resources(vcpus=0.5, memory_mib=512)},
        "memory_mib=512 with 0.5 vCPUs: Fargate has 1024 to 4096 in steps of 1024; give one of them, or 0.25 vCPUs",
    ),
    Case(
        "vcpus-that-fargate-has-not",
        {"spec": JobSpec(queue="fargate"), "resources": Resources(vcpus=3, memory_mib=8192)},
        "vcpus=3: Fargate has 0.25, 0.5, 1, 2, 4, 8, 16 or 32; give one of them",
    ),
    Case(
        "gpus-on-fargate",
        {"spec": JobSpec(queue="fargate"), "resources": Resources(vcpus=1, memory_mib=2048, gpus=1)},
        "gpus=1: Fargate has none; use queue='gpu'",
    ),
    Case(
        "a-list-that-is-too-long",
        # Whoever makes an ArraySpec is told so before: this is one that no validation has seen.
        {"array": ArraySpec.model_construct(size=10_001, concurrency=None, min_success_ratio=1.0)},
        "a list of 10001 elements: an array of Batch has 1 to 10,000; give each element more to do, or map over "
        "several lists",
    ),
    Case(
        "a-secret-that-is-not-there",
        {"spec": JobSpec(secrets={"TOKEN": SecretVariable(secret="hub/token")})},
        "secret 'aerodrome/fraud/hub/token': Secrets Manager has none; have it made, or give the name of one that "
        "there is",
    ),
    Case(
        "a-share-where-there-is-none",
        {"spec": JobSpec(share="urgent", priority=3)},
        "share='urgent': {SpotQueue} has no fair share; leave it out",
    ),
    Case(
        "nodes-on-spot",
        {"spec": JobSpec(queue="spot", nodes=2)},
        "nodes=2 on queue='spot': Batch runs multi-node jobs on no spot instances; use 'on-demand'",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_cannot_run_is_refused(world: KindsWorld, case: Case) -> None:
    names = {key: value.rpartition("/")[2] for key, value in world.made.items()}
    problems = world.refused(world.request("exit 0", case.name, **case.wrong))
    assert case.why.format_map(names) in problems


def test_a_role_that_containers_may_not_have_is_refused(world: KindsWorld) -> None:
    role = world.made["LambdaRole"]
    remedy = (
        "no container can have it, as it does not trust ECS's tasks; have sts:AssumeRole allowed to "
        "ecs-tasks.amazonaws.com in its trust policy"
    )
    assert world.refused(world.request("exit 0", "stranger", job_role=role)) == [f"the job's role={role!r}: {remedy}"]
    spec = JobSpec(queue="fargate", execution_role=role)
    asked = world.request("exit 0", "starter", spec=spec, resources=Resources(vcpus=0.25, memory_mib=512))
    assert world.refused(asked) == [f"execution_role={role!r}: {remedy}"]


def test_a_role_that_is_not_there_is_refused(world: KindsWorld) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/nobody-made-it"
    (problem,) = world.refused(world.request("exit 0", "nobody", job_role=role))
    assert problem == (
        f"the job's role={role!r}: there is no such role; give the ARN of one that there is, or have it made"
    )


def test_an_image_that_ecr_lacks_is_refused_and_one_that_it_has_is_taken(world: KindsWorld) -> None:
    ecr, repository = world.embedded.client("ecr", ACCOUNT), world.made["Repository"]
    ecr.put_image(repositoryName=REPOSITORY, imageManifest=MANIFEST, imageTag="1.2.0")
    for lacking in (f"{repository}:1.3.0", f"{repository}-nobody-made-it:1.2.0"):
        (problem,) = world.refused(world.request("exit 0", "no-image", image=lacking))
        assert problem == (
            f"image={lacking!r}: ECR has no such image; push it, or give the tag or digest of one that there is"
        )
    _, job = world.run("exit 0", "image", image=f"{repository}:1.2.0")
    assert job["container"]["image"] == f"{repository}:1.2.0"


def test_everything_that_is_wrong_is_said_at_once(world: KindsWorld) -> None:
    spec = JobSpec(queue="fargate", shared_memory_mib=64, platform_version="newest")
    problems = world.refused(world.request("exit 0", "much", spec=spec, resources=Resources(vcpus=3, memory_mib=1)))
    assert [problem.partition("=")[0] for problem in problems] == ["vcpus", "shared_memory_mib", "platform_version"]
    secrets = {name: SecretVariable(secret=name.lower()) for name in ("ONE", "TWO")}
    role = world.made["LambdaRole"]
    looked_up = world.refused(world.request("exit 0", "more", spec=JobSpec(secrets=secrets), job_role=role))
    assert len(looked_up) == 3
    assert [problem for problem in looked_up if "aerodrome/fraud/one" in problem or "aerodrome/fraud/two" in problem]


def test_fargate_and_secrets_want_an_execution_role(world: KindsWorld) -> None:
    spec = JobSpec(queue="fargate", secrets={"TOKEN": SecretVariable(secret="database")})
    asked = world.request("exit 0", "no-role", spec=spec, resources=Resources(vcpus=0.25, memory_mib=512))
    with world.another_connector(world.settings.model_copy(update={"execution_roles": {}})):
        (problem,) = world.refused(asked)
    assert problem == (
        "execution_role is missing, with which ECS starts the container: needed for Fargate and secrets; give its ARN, "
        f"or have one written into the settings for {PROJECT} in development"
    )


def test_what_the_settings_do_not_know_of_a_queue_is_looked_up(world: KindsWorld) -> None:
    """A queue with fair share that the settings take for one without."""
    fair = world.made["FairQueue"]
    queues = {"*": (Queue(arn=fair, kind="on-demand"),)}
    with world.another_connector(world.settings.model_copy(update={"queues": queues})):
        (problem,) = world.refused(world.request("exit 0", "unfair"))
    name = fair.rpartition("/")[2]
    assert (
        problem
        == f"share is missing: queue {name} has fair share; give share, or have the queue listed in the settings with "
        "fair_share: true"
    )


def test_a_connector_that_is_told_of_no_queues_looks_for_the_one_that_is_named(world: KindsWorld) -> None:
    absent = world.made["SpotQueue"].replace("job-queue/", "job-queue/no-")
    with world.another_connector(world.settings.model_copy(update={"queues": {}})):
        (problem,) = world.refused(world.request("exit 0", "blind", spec=JobSpec(queue=absent)))
        assert problem == f"queue={absent!r}: there is no such job queue; give the name or ARN of one that there is"
        (problem,) = world.refused(world.request("exit 0", "kind"))
        assert problem.startswith(
            "queue: the connector's settings list no queues, so that none can be asked for by kind"
        )
        _, job = world.run("exit 0", "named", spec=JobSpec(queue=world.made["DemandQueue"]))
        assert job["jobQueue"] == world.made["DemandQueue"]
        fargate = world.made["FargateQueue"]
        (problem,) = world.refused(world.request("exit 0", "unsaid", spec=JobSpec(queue=fargate)))
        assert problem.endswith(
            "is on Fargate, which nobody said; give platform_version='LATEST', or have the settings list the queue "
            "with kind: fargate"
        )
        said = JobSpec(queue=fargate, platform_version="LATEST")
        _, job = world.run("exit 0", "said", spec=said, resources=Resources(vcpus=1, memory_mib=2048))
    assert (job["jobQueue"], job["platformCapabilities"]) == (fargate, ["FARGATE"])
