"""Python functions as jobs of the embedded AWS, each in a process of its own."""

from pathlib import Path
from typing import Any

import pytest
from flyteidl.core.execution_pb2 import TaskExecution
from flytekit import FlyteFile

from tests.connectors.flytekit import batch_tasks
from tests.connectors.flytekit.laptop import BUCKET, ON_DEMAND, SPOT, Account
from tests.connectors.flytekit.propeller import Propeller
from tests.local.waiting import eventually


def test_a_function_runs_as_a_job_and_gives_what_it_gives(account: Account, propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.greet, name="you")

    assert done.last.phase == TaskExecution.SUCCEEDED, done.message
    (job_id,) = done.jobs
    assert propeller.outputs(done) == {"o0": f"hello you from {job_id}"}
    job = account.jobs()[job_id]
    assert job["jobQueue"].endswith(f"/{SPOT}")
    assert job["container"]["image"] == batch_tasks.IMAGE
    assert "fraud" in job["tags"].values()
    assert done.last.log_links


def test_the_code_knows_whose_execution_it_is(propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.whose)
    assert propeller.outputs(done)["o0"].startswith("fraud/development/run")


def test_files_are_read_and_written_where_they_are(propeller: Propeller) -> None:
    place = f"s3://{BUCKET}/in/text.txt"
    propeller.put(place, b"not so loud")
    done = propeller.run(batch_tasks.capitals, text=FlyteFile(place))

    assert done.last.phase == TaskExecution.SUCCEEDED, done.message
    assert Path(propeller.outputs(done)["o0"].download()).read_text("utf-8") == "NOT SO LOUD"


def test_a_large_result_does_not_fill_the_request_for_the_next_task(account: Account, propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.pages, count=4096)

    assert propeller.outputs(done) == {"o0": ["x" * 1024] * 4096}
    key = f"{done.prefix.removeprefix(f's3://{BUCKET}/')}/outputs.pb"
    assert account.client("s3").head_object(Bucket=BUCKET, Key=key)["ContentLength"] < 1024


def test_an_exception_is_told_in_its_own_words_and_not_tried_again(propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.greet, name="nobody")

    assert done.last.phase == TaskExecution.FAILED
    assert "ValueError: nobody is there" in done.message.splitlines()[0]
    assert "exit code 1" in done.message


def test_a_recoverable_exception_is_worth_another_try(propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.greet, name="nobody yet")

    assert done.last.phase == TaskExecution.RETRYABLE_FAILED
    assert "FlyteRecoverableException" in done.message
    assert "nobody is there yet" in done.message


def test_a_process_that_is_killed_is_worth_another_try(propeller: Propeller) -> None:
    done = propeller.run(batch_tasks.greet, name="killed")

    assert done.last.phase == TaskExecution.RETRYABLE_FAILED
    assert "exit code 137" in done.message


@pytest.mark.parametrize("how", ["exit", "kill", "end"])
def test_what_leaves_no_error_is_told_with_the_code_s_own_last_lines(
    account: Account, propeller: Propeller, how: str
) -> None:
    attempt = propeller.create(propeller.attempt(batch_tasks.cut_short, how=how))
    if how == "end":
        propeller.until(attempt, TaskExecution.RUNNING)
        eventually(lambda: propeller.logs(attempt), "it writes at once, though it runs on")
        # As Batch does at the timeout, of which the least is a minute.
        account.client("batch").terminate_job(jobId=attempt.jobs[0], reason="too late")
    done = propeller.until(attempt)
    first, *lines = done.message.splitlines()
    assert first.endswith("; last lines:")
    assert lines == [f"working on it, and then {how}"]
    # Nor does flytekit add a word about its own end.
    assert propeller.logs(done) == lines


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        pytest.param(
            batch_tasks.interrupted, ON_DEMAND, id="the last attempt of a task that may be interrupted is not"
        ),
        pytest.param(batch_tasks.wait_for, SPOT, id="what says nothing may be, whatever Flyte's default is"),
        pytest.param(batch_tasks.tried_twice, ON_DEMAND, id="its last attempt is not"),
    ],
)
def test_flytes_label_and_what_the_author_says_choose_the_queue(
    account: Account,
    propeller: Propeller,
    task: Any,  # noqa: ANN401 - flytekit's
    queue: str,
) -> None:
    inputs = {"seconds": 0} if task is batch_tasks.wait_for else {}
    attempt = propeller.attempt(task, f"on-{queue}", 2, **inputs)
    attempt.metadata.labels["interruptible"] = "false"
    done = propeller.until(propeller.create(attempt))

    (job_id,) = done.jobs
    assert account.jobs()[job_id]["jobQueue"].endswith(f"/{queue}")


def test_a_create_that_is_repeated_submits_nothing(account: Account, propeller: Propeller) -> None:
    attempt = propeller.create(propeller.attempt(batch_tasks.greet, "twice", name="you"))
    again = propeller.create(propeller.attempt(batch_tasks.greet, "twice", name="you"))

    assert again.meta == attempt.meta
    propeller.until(attempt)
    assert len([job for job in account.jobs().values() if job["jobName"].startswith("twice-")]) == 1


def test_an_attempt_whose_job_is_alive_is_taken_over_with_its_outputs(account: Account, propeller: Propeller) -> None:
    first = propeller.create(propeller.attempt(batch_tasks.greet, "adopted", name="you"))
    second = propeller.until(propeller.create(propeller.attempt(batch_tasks.greet, "adopted", 1, name="you")))

    assert second.last.phase == TaskExecution.SUCCEEDED, second.message
    (job,) = [job for job in account.jobs().values() if job["jobName"].startswith("adopted-")]
    assert propeller.outputs(second) == {"o0": f"hello you from {job['jobId']}"}
    assert second.prefix != first.prefix


def test_what_it_prints_is_read_while_it_runs(propeller: Propeller) -> None:
    attempt = propeller.create(propeller.attempt(batch_tasks.wait_for, seconds=300))
    propeller.until(attempt, TaskExecution.RUNNING)
    eventually(lambda: "waiting" in propeller.logs(attempt), "its line is in the log")
    propeller.delete(attempt)


def test_a_deleted_task_leaves_no_job(account: Account, propeller: Propeller) -> None:
    attempt = propeller.create(propeller.attempt(batch_tasks.wait_for, seconds=300))
    propeller.until(attempt, TaskExecution.RUNNING)
    propeller.delete(attempt)
    propeller.delete(attempt)
    propeller.until(attempt)

    assert attempt.last.phase == TaskExecution.FAILED
    assert "Flyte aborted the task" in attempt.message
    (job_id,) = attempt.jobs
    eventually(lambda: account.jobs()[job_id]["status"] == "FAILED", "its job is ended")


def test_what_cannot_run_fails_with_the_reason_and_no_retry(propeller: Propeller) -> None:
    attempt = propeller.attempt(batch_tasks.greet, name="you")
    attempt.template.custom["spec"] = {"queue": "arn:aws:batch:us-east-1:151515151515:job-queue/nowhere"}
    done = propeller.until(propeller.create(attempt))

    assert done.last.phase == TaskExecution.FAILED
    assert len(done.seen) == 1
    assert "nowhere" in done.message


def test_a_task_of_another_version_is_refused(propeller: Propeller) -> None:
    attempt = propeller.attempt(batch_tasks.greet, name="you")
    attempt.template.custom["spec"] = {"colour": "red"}
    done = propeller.until(propeller.create(attempt))
    assert "spec.colour: Extra inputs are not permitted" in done.message
    assert "register it with the version of flytekit-aws-batch that the connector has" in done.message


def test_every_node_of_a_multi_node_job_runs_the_function_and_the_main_one_gives(
    tmp_path: Path, account: Account, propeller: Propeller
) -> None:
    done = propeller.run(batch_tasks.ring, folder=str(tmp_path))

    assert done.last.phase == TaskExecution.SUCCEEDED, done.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]
    assert propeller.outputs(done)["o0"].startswith("0 of 3 at ")
    (job_id,) = done.jobs
    assert account.jobs()[job_id]["nodeProperties"]["numNodes"] == 3
