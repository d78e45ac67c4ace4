"""Jobs that wait for jobs, and arrays."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from aerodrome_local.batch_service.errors import ClientException

Batch = Any  # conftest's class, which a test module cannot import


def test_a_job_starts_only_when_those_it_depends_on_have_succeeded(batch: Batch, tmp_path: Path) -> None:
    batch.simple_queue()
    gate = tmp_path / "gate"
    batch.definition("waits", "sh", "-c", f"until test -e {gate}; do sleep 0.02; done")
    batch.definition("follows", "true")
    first, second = batch.submit("waits"), batch.submit("waits")
    third = batch.submit("follows", dependsOn=[{"jobId": first}, {"jobId": second}])
    batch.until(first, "RUNNING")
    assert batch.status(third) == "PENDING"
    gate.touch()
    job = batch.ended(third)
    assert job["status"] == "SUCCEEDED"
    assert job["startedAt"] >= max(batch.job(first)["stoppedAt"], batch.job(second)["stoppedAt"])
    assert job["dependsOn"] == [{"jobId": first}, {"jobId": second}]
    batch.service.stop()
    assert batch.backend.statuses(third)[:2] == ["PENDING", "RUNNABLE"]


def test_a_failure_fails_all_that_depend_on_it(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("fails", "false")
    batch.definition("follows", "true")
    first = batch.submit("fails")
    second = batch.submit("follows", dependsOn=[{"jobId": first}])
    third = batch.submit("follows", dependsOn=[{"jobId": second}])
    for job_id in (second, third):
        job = batch.ended(job_id)
        assert (job["status"], job["statusReason"], job["attempts"]) == ("FAILED", "Dependent Job failed", [])
    late = batch.submit("follows", dependsOn=[{"jobId": first}])
    assert batch.status(late) == "FAILED"


def test_a_dependency_must_exist(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "true")
    with pytest.raises(ClientException, match="job nobody does not exist"):
        batch.submit("definition", dependsOn=[{"jobId": "nobody"}])
    with pytest.raises(ClientException, match="has 21 entries; a job has at most 20"):
        batch.submit("definition", dependsOn=[{"jobId": "nobody"}] * 21)


def test_an_array_runs_a_child_for_each_index(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "sh", "-c", "echo $AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE")
    parent_id = batch.submit("definition", arrayProperties={"size": 3})
    parent = batch.ended(parent_id)
    assert parent["status"] == "SUCCEEDED"
    assert parent["arrayProperties"]["size"] == 3
    summary = parent["arrayProperties"]["statusSummary"]
    assert {status: count for status, count in summary.items() if count} == {"SUCCEEDED": 3}
    children = [batch.job(f"{parent_id}:{index}") for index in range(3)]
    assert [batch.log(child) for child in children] == [["0 of 3"], ["1 of 3"], ["2 of 3"]]
    assert [child["arrayProperties"]["index"] for child in children] == [0, 1, 2]
    listed = batch.call("ListJobs", arrayJobId=parent_id, jobStatus="SUCCEEDED")["jobSummaryList"]
    assert [each["jobId"] for each in listed] == [f"{parent_id}:{index}" for index in range(3)]
    in_queue = batch.call("ListJobs", jobQueue="queue", jobStatus="SUCCEEDED")["jobSummaryList"]
    assert [each["jobId"] for each in in_queue] == [parent_id], "children are listed by their array only"


def test_an_array_fails_when_a_child_fails(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "sh", "-c", "test $AWS_BATCH_JOB_ARRAY_INDEX != 1")
    parent = batch.ended(batch.submit("definition", arrayProperties={"size": 3}))
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    summary = parent["arrayProperties"]["statusSummary"]
    assert (summary["SUCCEEDED"], summary["FAILED"]) == (2, 1)


def test_a_sequential_array_runs_one_child_after_the_other(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "true")
    parent_id = batch.submit("definition", arrayProperties={"size": 4}, dependsOn=[{"type": "SEQUENTIAL"}])
    assert batch.ended(parent_id)["status"] == "SUCCEEDED"
    children = [batch.job(f"{parent_id}:{index}") for index in range(4)]
    for before, after in itertools.pairwise(children):
        assert before["stoppedAt"] <= after["startedAt"]


def test_n_to_n_pairs_the_children_of_two_arrays(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("first", "sh", "-c", "test $AWS_BATCH_JOB_ARRAY_INDEX != 1")
    batch.definition("second", "true")
    first = batch.submit("first", arrayProperties={"size": 3})
    second = batch.submit("second", arrayProperties={"size": 3}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    assert batch.ended(second)["status"] == "FAILED"
    children = [batch.job(f"{second}:{index}") for index in range(3)]
    assert [child["status"] for child in children] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert children[1]["statusReason"] == "Dependent Job failed"
    for index in (0, 2):
        assert children[index]["startedAt"] >= batch.job(f"{first}:{index}")["stoppedAt"]
    with pytest.raises(ClientException, match="two array jobs of the same size, not 2 and 3"):
        batch.submit("second", arrayProperties={"size": 2}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])


def test_terminating_an_array_ends_every_child(batch: Batch) -> None:
    batch.simple_queue(vcpus=1)
    batch.definition("definition", "sleep", "60")
    parent_id = batch.submit("definition", arrayProperties={"size": 3})
    batch.until(f"{parent_id}:0", "RUNNING")
    batch.call("TerminateJob", jobId=parent_id, reason="enough")
    parent = batch.ended(parent_id)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "enough")
    assert {batch.job(f"{parent_id}:{index}")["statusReason"] for index in range(3)} == {"enough"}


def test_a_failure_runs_down_a_chain_of_any_length(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "false")
    parent_id = batch.submit("definition", arrayProperties={"size": 1000}, dependsOn=[{"type": "SEQUENTIAL"}])
    parent = batch.ended(parent_id)
    assert parent["arrayProperties"]["statusSummary"]["FAILED"] == 1000
    assert batch.job(f"{parent_id}:0")["statusReason"] == "Essential container in task exited"
    assert batch.job(f"{parent_id}:999")["statusReason"] == "Dependent Job failed"
