"""What an instance type's name says about what fits on it, and what becomes of a job that fits on none."""

from typing import Any

import pytest

from aerodrome_constructs.batch.families import ARM, GPU, X86
from aerodrome_local.batch_service.instance_types import Demand, can_hold

Batch = Any  # conftest's class, which a test module cannot import

GIB = 1024


@pytest.mark.parametrize(
    ("instance_type", "vcpus", "gib", "gpus", "fits"),
    [
        ("c6i.xlarge", 4, 7, 0, True),
        ("c6i.xlarge", 4, 8, 0, False),  # all of it: the system and the agent need some
        ("c6i.xlarge", 5, 7, 0, False),
        ("m6i.xlarge", 1, 15, 0, True),
        ("r6i.2xlarge", 8, 63, 0, True),
        ("r6i.2xlarge", 8, 65, 0, False),
        ("m7g.large", 2, 7, 0, True),
        ("m7g.large", 3, 7, 0, False),
        ("c6i", 128, 255, 0, True),  # a family is as large as its largest size
        ("c6i", 129, 1, 0, False),
        ("c6i", 1, 257, 0, False),
        ("r7a", 1, 1535, 0, True),
        ("r7a", 1, 1537, 0, False),
        ("c7g", 65, 1, 0, False),
        ("c6i", 1, 1, 1, False),  # no GPUs
        ("g5", 8, 100, 1, True),
        ("g5", 8, 769, 1, False),
        ("g5", 8, 100, 9, False),
        ("optimal", 500, 10_000, 0, True),  # the name does not tell
        ("u7i-12tb.224xlarge", 448, 12_000, 0, True),
    ],
)
def test_what_fits_on_an_instance_type(instance_type: str, vcpus: float, gib: float, gpus: int, fits: bool) -> None:  # noqa: FBT001 - a case
    assert can_hold(instance_type, Demand(vcpus, gib * GIB, gpus)) is fits


def test_the_memory_of_every_family_of_the_platform_is_known() -> None:
    known = [family for hardware in (X86, ARM, GPU) for family in hardware.families]
    assert known
    assert [family for family in known if can_hold(family, Demand(1, 1_000_000 * GIB, 0))] == []


def submitted(batch: Batch, types: list[str], memory_gib: int, **more: str) -> str:
    batch.queue("queue", batch.environment("environment", 256, instanceTypes=types))
    requirements = {"VCPU": "1", "MEMORY": str(memory_gib * GIB), **more}
    given = [{"type": kind, "value": value} for kind, value in requirements.items()]
    batch.definition("definition", "true", container={"resourceRequirements": given})
    return str(batch.submit("definition"))


def test_a_job_with_more_memory_than_any_instance_type_has_says_so(batch: Batch) -> None:
    job_id = submitted(batch, ["c6i", "m6i.4xlarge"], 300)
    assert batch.reason(job_id) == (
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than "
        "that can be met by the CE(s) attached to the job queue."
    )
    assert batch.status(job_id) == "RUNNABLE"


def test_a_job_whose_memory_one_of_the_types_has_runs(batch: Batch) -> None:
    assert batch.ended(submitted(batch, ["c6i", "r6i"], 300))["status"] == "SUCCEEDED"


def test_one_type_must_have_it_all(batch: Batch) -> None:
    job_id = submitted(batch, ["r6i", "g5"], 1000, GPU="1")
    assert "JOB_RESOURCE_REQUIREMENT" in batch.reason(job_id), "the GPUs are on instances of at most 768 GiB"
