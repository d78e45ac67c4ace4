"""Any container as a job, and what it left in S3 as Flyte's values."""

import pytest
from flyteidl.core.execution_pb2 import TaskExecution

from tests.connectors.flytekit import batch_tasks
from tests.connectors.flytekit.laptop import Account
from tests.connectors.flytekit.propeller import Attempt, Propeller


def counted(propeller: Propeller, number: int = 3, text: str = "hello", without: str = "") -> Attempt:
    return propeller.run(batch_tasks.count, number=number, text=text, without=without)


def test_what_it_writes_is_what_it_gives(account: Account, propeller: Propeller) -> None:
    done = counted(propeller)
    folder = f"{done.prefix}/raw_output"

    assert done.last.phase == TaskExecution.SUCCEEDED, done.message
    given = propeller.outputs(done)
    assert (given["words"], given["share"], given["long"]) == (3, 0.25, True)
    assert given["said"] == f"hello in {folder}"
    assert given["file"].remote_source == f"{folder}/file"
    assert given["folder"].remote_source == f"{folder}/folder"
    (job_id,) = done.jobs
    command = account.jobs()[job_id]["container"]["command"]
    assert command[0] == "python"
    assert command[-1] == "", "what carries the prefix to the connector is not the container's"


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ("words", "output words: the container wrote no s3://"),
        ("file", "output file: the container wrote nothing to s3://"),
    ],
)
def test_what_it_does_not_write_fails_the_task(propeller: Propeller, without: str, told: str) -> None:
    done = counted(propeller, without=without)

    assert done.last.phase == TaskExecution.FAILED
    assert told in done.message


def test_a_value_of_another_type_fails_the_task(propeller: Propeller) -> None:
    attempt = propeller.attempt(batch_tasks.count, number=3, text="", without="share")
    propeller.put(f"{attempt.prefix}/raw_output/share", b"a quarter")
    done = propeller.until(propeller.create(attempt))

    assert done.last.phase == TaskExecution.FAILED
    assert "output share: s3://" in done.message
    assert "could not convert string to float: 'a quarter'" in done.message


def test_a_value_that_is_too_long_is_for_a_file(propeller: Propeller) -> None:
    attempt = propeller.attempt(batch_tasks.count, number=3, text="", without="said")
    propeller.put(f"{attempt.prefix}/raw_output/said", b"x" * 70_000)
    done = propeller.until(propeller.create(attempt))

    assert done.last.phase == TaskExecution.FAILED
    assert "has 70,000 bytes, and a value has 65,536 at most; declare a file" in done.message
