"""A function for each element of a list, as one array."""

from pathlib import Path

from flyteidl.core.execution_pb2 import TaskExecution

from tests.connectors.flytekit import batch_tasks
from tests.connectors.flytekit.laptop import Account
from tests.connectors.flytekit.propeller import Attempt, Propeller


def jobs_of(account: Account, done: Attempt) -> list[int]:
    """The sizes of a run's submissions."""
    jobs = account.jobs()
    return [jobs[each].get("arrayProperties", {}).get("size", 1) for each in done.jobs]


def test_a_list_is_one_array_and_only_what_failed_runs_again(
    tmp_path: Path, account: Account, propeller: Propeller
) -> None:
    done = propeller.run(batch_tasks.any_squares, number=list(range(20)), plus=[0] * 20, folder=[str(tmp_path)] * 20)

    assert done.last.phase == TaskExecution.SUCCEEDED, done.message
    assert propeller.outputs(done) == {"o0": [number * number for number in range(20)]}
    assert jobs_of(account, done) == [20, 1]


def test_some_may_fail(propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.most_squares, number=[1, -1, 2, -2, 4])

    assert done.last.phase == TaskExecution.SUCCEEDED, done.message
    assert propeller.outputs(done) == {"o0": [1, None, 4, None, 16]}


def test_too_many_that_fail_fail_the_task_in_their_own_words(account: Account, propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.most_squares, number=[1, -1, -2])

    assert done.last.phase == TaskExecution.FAILED
    said = [line for line in done.message.splitlines() if line.startswith(("element ", "at "))]
    assert said[0] == "element 1: ValueError: -1 is below zero"
    assert said[1].startswith("at ")
    assert "batch_tasks.py, line " in said[1]
    assert said[1].endswith(", in square")
    assert "Traceback" not in "".join(said)
    # What the code calls final is not tried again, though the task has a retry.
    assert jobs_of(account, done) == [3]


def test_no_more_than_asked_for_run_at_once(account: Account, propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.squares_in_turn, number=[1, 2, 4])

    assert propeller.outputs(done) == {"o0": [2, 5, 17]}
    assert jobs_of(account, done) == [2, 1]


def test_a_list_without_outputs_has_none(tmp_path: Path, propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.notes, number=[7, 8], folder=[str(tmp_path)] * 2)

    assert done.last.phase == TaskExecution.SUCCEEDED, done.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8"]


def test_flytekit_s_own_map_task_makes_a_job_of_each_element(account: Account, propeller: Propeller) -> None:
    attempt = propeller.attempt(batch_tasks.squares_by_flyte, number=[4, 5], plus=[0, 1], folder=["", ""])
    # As propeller says which element it is (flytepropeller, nodes/array).
    attempt.metadata.environment_variables.update(
        {"BATCH_JOB_ARRAY_INDEX_VAR_NAME": "FLYTE_K8S_ARRAY_INDEX", "FLYTE_K8S_ARRAY_INDEX": "1"}
    )
    done = propeller.until(propeller.create(attempt))

    assert (attempt.template.type, attempt.template.task_type_version) == ("aws-batch-job", 1)
    assert done.last.phase == TaskExecution.SUCCEEDED, done.message
    assert propeller.outputs(done, {"o0": int}) == {"o0": 26}
    assert jobs_of(account, done) == [1]


def test_an_empty_list_is_done_at_once(account: Account, propeller: Propeller) -> None:
    before = set(account.jobs())
    done = propeller.run(batch_tasks.squares, number=[])

    assert done.last.phase == TaskExecution.SUCCEEDED
    assert len(done.seen) == 1
    assert propeller.outputs(done) == {"o0": []}
    propeller.delete(done)
    assert set(account.jobs()) == before


def test_a_list_that_is_too_long_is_refused(propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.squares, number=[1] * 10_001)

    assert done.last.phase == TaskExecution.FAILED
    assert "a list of 10,001 elements: an array of AWS Batch has 10,000 at most" in done.message


def test_lists_of_two_lengths_are_refused(propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.notes, number=[1, 2], folder=["a"])

    assert done.last.phase == TaskExecution.FAILED
    assert "number has 2, folder has 1; make them equal" in done.message
