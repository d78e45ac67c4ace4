"""What a container may be: everything that AWS Batch would refuse is said at once, with what it takes instead."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import botocore.session
import pytest
from botocore.model import StructureShape

from aerodrome_constructs.batch import Container, Platform
from aerodrome_constructs.batch.fargate import MEMORY_MIB, size_problem
from flytekit_aws_batch.core.shapes import FARGATE_MEMORY_MIB

ON_INSTANCES = Container(
    image="public.ecr.aws/docker/library/python:3.13.1",
    command=["python", "score.py", "Ref::input"],
    parameters={"input": "s3://bucket/data.csv"},
    vcpus=2,
    memory_mib=4096,
    timeout=timedelta(minutes=90),
)
ON_FARGATE = replace(ON_INSTANCES, platform=Platform.FARGATE, vcpus=0.25, memory_mib=1024)


@pytest.mark.parametrize(
    "container",
    [
        ON_INSTANCES,
        ON_FARGATE,
        replace(ON_INSTANCES, gpus=1, attempts=10, user="1000", read_only_root=True, tmp_mib=512),
        replace(ON_INSTANCES, attempts=1, image="registry.example.com:5000/team/score@sha256:" + "0" * 64),
        replace(ON_FARGATE, ephemeral_gib=21, timeout=timedelta(days=14), environment={"LOG_LEVEL": "debug"}),
    ],
)
def test_what_aws_batch_takes_is_taken(container: Container) -> None:
    assert list(container.problems()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": "python"}, "image='python': name a version"),
        ({"image": "python:latest"}, "name a version"),
        ({"command": [], "parameters": {}}, "command is empty"),
        ({"parameters": {"input": "a", "outptu": "b"}}, "nothing reads 'outptu'; write Ref::outptu into the command"),
        ({"environment": {"AWS_BATCH_JOB_ID": "1"}}, "'AWS_BATCH_JOB_ID' is no name for a variable"),
        ({"environment": {"1st": "1"}}, "'1st' is no name for a variable"),
        ({"user": "root"}, "a job is not root"),
        ({"user": "0:0"}, "a job is not root"),
        ({"vcpus": 0.5}, "vcpus=0.5: on instances whole ones, 1 or more; parts of one only on Fargate"),
        ({"vcpus": 0}, "vcpus=0: on instances whole ones"),
        ({"memory_mib": 2}, "memory_mib=2: Batch takes 4 or more"),
        ({"gpus": -1}, "gpus=-1: 0 or more"),
        ({"attempts": 0}, "attempts=0: Batch takes 1 to 10"),
        ({"attempts": 11}, "attempts=11: Batch takes 1 to 10"),
        ({"timeout": timedelta(seconds=59)}, "timeout=59 s: Batch takes 60 s or more"),
        ({"ephemeral_gib": 50}, "only a Fargate task has a disk of its own"),
        ({"tmp_mib": 4096}, "tmp_mib=4096: it is part of memory_mib=4096; choose 1 to less than that"),
    ],
)
def test_what_aws_batch_refuses_on_instances_is_refused_here(changes: dict[str, Any], said: str) -> None:
    (problem,) = replace(ON_INSTANCES, **changes).problems()
    assert said in problem


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vcpus": 3}, "vcpus=3: Fargate has 0.25, 0.5, 1, 2, 4, 8, 16, 32"),
        (
            {"memory_mib": 4096},
            "memory_mib=4096 with 0.25 vCPUs: Fargate has 512, 1024, 2048; 4096 goes with 0.5, 1 or 2 vCPUs",
        ),
        ({"memory_mib": 1025}, "memory_mib=1025 with 0.25 vCPUs: Fargate has 512, 1024, 2048"),
        ({"memory_mib": 249856}, "249856 goes with 32 vCPUs"),
        ({"vcpus": 8, "memory_mib": 17000}, "Fargate has 16384 to 61440 in steps of 4096"),
        ({"gpus": 1}, "gpus=1: Fargate has none; run the job on instances"),
        ({"ephemeral_gib": 20}, "ephemeral_gib=20: Fargate takes 21 to 200"),
        ({"ephemeral_gib": 201}, "ephemeral_gib=201: Fargate takes 21 to 200"),
        ({"tmp_mib": 100}, "tmp_mib=100: Fargate mounts no memory"),
        ({"timeout": timedelta(days=15)}, "timeout=15 days: Fargate may end a job after 14"),
    ],
)
def test_what_fargate_refuses_is_refused_here(changes: dict[str, Any], said: str) -> None:
    (problem,) = replace(ON_FARGATE, **changes).problems()
    assert said in problem


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = replace(ON_FARGATE, image="python", attempts=20, vcpus=3, gpus=2)
    assert len(list(wrong.problems())) == 4


def test_the_sizes_of_fargate_are_those_of_the_aws_documentation() -> None:
    shape = botocore.session.get_session().get_service_model("batch").shape_for("ResourceRequirement")
    assert isinstance(shape, StructureShape)
    text = re.sub(r"<[^>]+>", " ", shape.members["value"].documentation)
    documented = {
        float(vcpus): [int(size) for size in re.findall(r"\d+", sizes)]
        for vcpus, sizes in re.findall(r"value\s*=\s*([\d.]+)\s+MEMORY\s*=\s*((?:[\d, ]|or|\s)+)", text)
    }
    assert documented
    assert {vcpus: list(sizes) for vcpus, sizes in MEMORY_MIB.items()} == documented


def test_the_connector_has_the_same_sizes() -> None:
    # It is a project of its own, and cannot take them from here.
    assert FARGATE_MEMORY_MIB == MEMORY_MIB


@pytest.mark.parametrize("vcpus", MEMORY_MIB)
def test_each_size_of_fargate_goes_with_its_vcpus(vcpus: float) -> None:
    assert [size for size in MEMORY_MIB[vcpus] if size_problem(vcpus, size)] == []
    assert size_problem(vcpus, MEMORY_MIB[vcpus][-1] + 1)
