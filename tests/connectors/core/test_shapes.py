from typing import Any

import pytest

from flytekit_aws_batch.core.shapes import FARGATE_MEMORY_MIB, fargate_size_problem, spec_problems
from flytekit_aws_batch.core.spec import EfsMount, JobSpec, Resources, SecretVariable

SMALL = Resources(vcpus=1, memory_mib=2048)


def problems(spec: JobSpec, resources: Resources = SMALL, **more: Any) -> list[str]:  # noqa: ANN401 - any argument
    return spec_problems(spec, resources, **{"retries": 0, "timeout_seconds": None, **more})


@pytest.mark.parametrize(
    ("vcpus", "memory", "expected"),
    [
        (0.25, 512, None),
        (32, 249_856, None),
        (3, 8192, "vcpus=3: Fargate has 0.25, 0.5, 1, 2, 4, 8, 16 or 32; give one of them"),
        (
            0.25,
            4096,
            "memory_mib=4096 with 0.25 vCPUs: Fargate has 512, 1024, 2048; give one of them, or 0.5, 1 or 2 vCPUs",
        ),
        (8, 20_000, "memory_mib=20000 with 8 vCPUs: Fargate has 16384 to 61440 in steps of 4096; give one of them"),
    ],
)
def test_a_size_that_fargate_lacks_is_refused_with_those_that_it_has(
    vcpus: float, memory: int, expected: str | None
) -> None:
    assert fargate_size_problem(vcpus, memory) == expected


def test_each_number_of_vcpus_has_as_many_sizes_of_memory_as_in_aws_s_table() -> None:
    assert [len(sizes) for sizes in FARGATE_MEMORY_MIB.values()] == [3, 4, 7, 13, 23, 12, 12, 3]


def test_what_is_sensible_has_no_problem() -> None:
    spec = JobSpec(
        share="risk",
        execution_role="arn:aws:iam::121212121212:role/service/start",
        secrets={"DB": SecretVariable(secret="db", field="password")},
        mounts=(EfsMount(path="/a", file_system="shared"), EfsMount(path="/b", file_system="shared", root="/x")),
        tags={"team": "risk é", "empty": ""},
    )
    assert problems(spec, array_size=10_000, retries=3, timeout_seconds=1) == []


@pytest.mark.parametrize(
    "spec",
    [
        JobSpec(shared_memory_mib=SMALL.memory_mib),
        JobSpec(queue="fargate", platform_version="1.3.0"),
        JobSpec(queue="fargate", platform_version="LATEST", mounts=(EfsMount(path="/a", file_system="b"),)),
        JobSpec(mounts=(EfsMount(path="/a", file_system="b", root="/", access_point="fsap-01234567"),)),
    ],
)
def test_what_is_just_allowed_has_no_problem_either(spec: JobSpec) -> None:
    assert problems(spec) == []


@pytest.mark.parametrize(
    ("spec", "more", "words"),
    [
        (JobSpec(), {"array_size": 10_001}, "a list of 10001 elements: an array of Batch has 1 to 10,000"),
        (JobSpec(), {"array_size": 0}, "a list of 0 elements"),
        (JobSpec(), {"retries": -1}, "retries=-1"),
        (JobSpec(), {"timeout_seconds": -5}, "timeout=-5 s: 60 s or more"),
        (JobSpec(), {"resources": Resources(vcpus=0, memory_mib=512)}, "vcpus=0: more than 0"),
        (JobSpec(), {"resources": Resources(vcpus=float("nan"), memory_mib=512)}, "vcpus=nan: more than 0"),
        (JobSpec(), {"resources": Resources(vcpus=float("inf"), memory_mib=512)}, "vcpus=inf: more than 0"),
        (JobSpec(), {"resources": Resources(vcpus=1, memory_mib=3)}, "memory_mib=3: Batch takes 4 or more"),
        (JobSpec(), {"resources": Resources(vcpus=1, memory_mib=512, gpus=-1)}, "gpus=-1: 0 or more"),
        (JobSpec(nodes=2), {"array_size": 3}, "nodes=2 in a list: no array of Batch has multi-node jobs"),
        (
            JobSpec(nodes=2, queue="spot"),
            {},
            "nodes=2 on queue='spot': Batch runs multi-node jobs on no spot instances",
        ),
        (JobSpec(nodes=2, queue="fargate"), {}, "nodes=2: Fargate takes no multi-node jobs"),
        (
            JobSpec(queue="fargate"),
            {"resources": Resources(vcpus=1, memory_mib=2048, gpus=1)},
            "gpus=1: Fargate has none",
        ),
        (JobSpec(queue="fargate"), {"resources": Resources(vcpus=1, memory_mib=100)}, "memory_mib=100 with 1 vCPUs"),
        (JobSpec(queue="fargate", shared_memory_mib=64), {}, "shared_memory_mib=64: not on Fargate"),
        (JobSpec(queue="fargate", platform_version="1.4"), {}, "platform_version='1.4': LATEST, or a version such as"),
        (
            JobSpec(queue="fargate", platform_version="1.3.0", mounts=(EfsMount(path="/a", file_system="b"),)),
            {},
            "platform_version='1.3.0' mounts no EFS; give 1.4.0 or later",
        ),
        (JobSpec(platform_version="1.4.0"), {}, "platform_version='1.4.0': only Fargate has one"),
        (JobSpec(ephemeral_gib=50), {}, "ephemeral_gib=50: only a task on Fargate has a disk of its own"),
        (JobSpec(shared_memory_mib=3000), {}, "shared_memory_mib=3000: it is part of the container's memory, 2048 MiB"),
        (JobSpec(queue="arm"), {}, "architecture='x86_64' on queue='arm'"),
        (JobSpec(queue="spot"), {"resources": Resources(vcpus=1, memory_mib=512, gpus=1)}, "gpus=1 on queue='spot'"),
        (JobSpec(share="no-share"), {}, "share='no-share': 1 to 255 letters and digits"),
        (JobSpec(execution_role="starter"), {}, "execution_role='starter': the ARN of a role is needed"),
        (JobSpec(queue=""), {}, "queue='': spot, on-demand, arm, gpu or fargate, or a queue's name or ARN"),
        (JobSpec(secrets={"AWS_BATCH_X": SecretVariable(secret="db")}), {}, "'AWS_BATCH_X': Batch keeps names"),
        (
            JobSpec(secrets={"FLYTE_AWS_BATCH_WAVE": SecretVariable(secret="db")}),
            {},
            "secrets['FLYTE_AWS_BATCH_WAVE']: every job has a variable of that name already",
        ),
        (JobSpec(secrets={"A=B": SecretVariable(secret="db")}), {}, "'A=B': a name has no spaces and no equals sign"),
        (JobSpec(secrets={"A": SecretVariable(secret="my db")}), {}, "secrets['A'].secret='my db': letters, digits"),
        (
            JobSpec(secrets={"A": SecretVariable(secret="db-AbCdEf")}),
            {},
            "takes a hyphen and six characters for the end",
        ),
        (JobSpec(secrets={"A": SecretVariable(secret="arn:aws:s3:::b")}), {}, "the ARN of a secret of Secrets Manager"),
        (JobSpec(secrets={"A": SecretVariable(secret="db", field="a:b")}), {}, "secrets['A'].field='a:b'"),
        (JobSpec(mounts=(EfsMount(path="data", file_system="b"),)), {}, "mounts[0].path='data': an absolute path"),
        (JobSpec(mounts=(EfsMount(path="/", file_system="b"),)), {}, "mounts[0].path='/': an absolute path below"),
        (JobSpec(mounts=(EfsMount(path="/a", file_system=""),)), {}, "mounts[0].file_system is empty"),
        (JobSpec(mounts=(EfsMount(path="/a", file_system="b", root="x"),)), {}, "mounts[0].root='x': an absolute path"),
        (
            JobSpec(mounts=(EfsMount(path="/a", file_system="b"), EfsMount(path="/a/", file_system="c"))),
            {},
            "mounts[1].path='/a/': another file system is mounted there",
        ),
        (
            JobSpec(mounts=(EfsMount(path="/a", file_system="b", root="/x", access_point="fsap-01234567"),)),
            {},
            "mounts[0]: access_point and root",
        ),
        (
            JobSpec(tags={f"k{n}": "" for n in range(46)}),
            {},
            "46 tags: a job has 50 at most, of which 5 say whose it is",
        ),
        (JobSpec(tags={"AWS:x": ""}), {}, "tags: 'AWS:x': keys that begin with aws: or flyte: are taken"),
        (JobSpec(tags={"flyte:x": ""}), {}, "tags: 'flyte:x': keys that begin with aws: or flyte: are taken"),
        (JobSpec(tags={"a*": ""}), {}, "tags: 'a*': a key has 1 to 128 letters"),
        (JobSpec(tags={"": ""}), {}, "tags: '': a key has 1 to 128 letters"),
        (JobSpec(tags={"a": "x" * 257}), {}, "a value has up to 256 letters"),
    ],
)
def test_what_batch_would_refuse_is_said_at_registration(spec: JobSpec, more: dict[str, Any], words: str) -> None:
    (problem,) = problems(spec, **more)
    assert words in problem


def test_of_a_queue_by_name_the_platform_is_not_known() -> None:
    anything = Resources(vcpus=0.3, memory_mib=1)
    assert problems(JobSpec(queue="of-others", ephemeral_gib=50, shared_memory_mib=64), anything) == []


def test_all_problems_are_said_at_once() -> None:
    assert len(problems(JobSpec(share="-", tags={"aws:x": ""}), Resources(vcpus=0, memory_mib=0))) == 4
