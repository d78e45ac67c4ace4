"""What is read of a job as Batch describes it."""

from typing import Any

import pytest

from flytekit_aws_batch.core.job_state import JobState
from tests.connectors.core.fake_aws import detail


def test_the_elements_of_an_array_are_counted_by_its_summary_once_it_has_one() -> None:
    zero = dict.fromkeys(("SUBMITTED", "RUNNABLE", "FAILED"), 0)
    assert JobState.of(detail(status="SUBMITTED", arrayProperties={"size": 5})).counts() == {"SUBMITTED": 5}
    job = JobState.of(detail(status="PENDING", arrayProperties={"size": 5, "statusSummary": zero}))
    assert job.counts() == {"PENDING": 5}
    job = JobState.of(detail(status="PENDING", arrayProperties={"size": 5, "statusSummary": {**zero, "RUNNABLE": 5}}))
    assert job.counts() == {"RUNNABLE": 5}
    assert JobState.of(detail(status="RUNNING")).counts() == {"RUNNING": 1}


@pytest.mark.parametrize(
    ("main", "image"), [(0, "first"), (1, "middle"), (3, "middle"), (4, "last"), (9, "last"), (None, "first")]
)
def test_of_several_nodes_the_main_one_s_container_is_told(main: int | None, image: str) -> None:
    ranges = [
        {"targetNodes": nodes, "container": {"image": name}}
        for nodes, name in (("0", "first"), ("1:3", "middle"), ("4:", "last"))
    ]
    nodes: dict[str, Any] = {
        "numNodes": 10,
        "nodeRangeProperties": ranges,
        **({} if main is None else {"mainNode": main}),
    }
    job = JobState.of(detail(container=None, nodeProperties=nodes))
    assert (job.image, job.nodes) == (image, 10)


@pytest.mark.parametrize(
    ("container", "memory"),
    [
        ({"resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "512"}]}, 512),
        # As definitions had it before there were requirements.
        ({"memory": 1024}, 1024),
        ({"memory": 0}, None),
        ({}, None),
    ],
)
def test_the_memory_that_it_had_is_known_where_batch_says_it(container: dict[str, Any], memory: int | None) -> None:
    assert JobState.of(detail(container={"image": "code:1", **container})).memory_mib == memory


def test_of_two_accounts_the_one_with_more_behind_it_is_the_later() -> None:
    again = [{"container": {}, "statusReason": "Host EC2 (instance i-1) terminated."}]
    accounts = [
        detail(status="SUBMITTED"),
        detail(status="RUNNABLE"),
        detail(status="RUNNING"),
        # It starts anew.
        detail(status="RUNNABLE", attempts=again),
        detail(status="RUNNING", attempts=again),
        detail(status="FAILED"),
        detail(status="FAILED", attempts=again),
    ]
    ranks = [JobState.of(each).rank for each in accounts]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_a_reason_without_end_is_kept_in_short() -> None:
    endless = "x" * 1_000_000
    job = JobState.of(detail(statusReason=endless, container={"reason": endless}, attempts=[{"statusReason": endless}]))
    assert max(len(text) for text in (job.status_reason, job.reason, job.attempts[0].status_reason)) < 10_000
