"""`pyflyte run` on somebody's own machine: with data in S3 the tasks are jobs, with the code brought along."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flyteidl.core.execution_pb2 import TaskExecution
from flytekit.extend.backend.base_connector import Resource

from flytekit_aws_batch.local_lines import Lines
from tests.connectors.flytekit.laptop import BUCKET, SPOT, Account
from tests.local.waiting import eventually

PYFLYTE = Path(sys.executable).with_name("pyflyte")
TASKS = Path(__file__).with_name("batch_tasks.py")
RAW_DATA = f"s3://{BUCKET}/laptop"


def command(task: str, *inputs: str) -> list[str | Path]:
    return [PYFLYTE, "run", "--raw-output-data-prefix", RAW_DATA, TASKS, task, *inputs]


def test_a_workflow_s_tasks_are_jobs(account: Account) -> None:
    before = set(account.jobs())
    done = subprocess.run(
        command("sum_of_squares", "--numbers", "[1, 2, 4]"), check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "24" in done.stdout
    jobs = [job for each, job in account.jobs().items() if each not in before]
    # Two at a time, then the third, as the workflow says.
    assert sorted(job.get("arrayProperties", {}).get("size", 1) for job in jobs) == [1, 2]
    assert {job["container"]["command"][0] for job in jobs} == {"pyflyte-fast-execute"}
    # Each of them was told while it ran, in lines of its own, and not among the results.
    told = re.findall(r": job (\S+?)(?: in [^:]+)?: [A-Z_]+", done.stderr)
    assert set(told) == {job["jobId"] for job in jobs}
    assert SPOT not in done.stdout
    assert "Unclosed" not in done.stderr


def test_an_element_of_flytekit_s_own_map_task_is_a_job(account: Account) -> None:
    before = set(account.jobs())
    done = subprocess.run(
        command("sum_of_squares_by_flyte", "--numbers", "[1, 2]"), check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "5" in done.stdout.split()
    assert len(set(account.jobs()) - before) == 2


def test_an_error_is_told_in_the_code_s_own_words(account: Account) -> None:
    before = set(account.jobs())
    done = subprocess.run(command("greet", "--name", "nobody"), check=False, capture_output=True, text=True)

    assert done.returncode != 0
    assert "nobody is there" in done.stdout + done.stderr
    ((identifier, job),) = [(each, job) for each, job in account.jobs().items() if each not in before]
    stream = job["container"]["logStreamName"]
    assert f"job {identifier} in {SPOT}: FAILED: " in done.stderr
    assert f"job {identifier}: log stream {stream} in /aws/batch/job\n" in done.stderr


def test_a_process_that_ends_by_itself_is_told_with_its_last_line_alone(account: Account) -> None:
    del account
    done = subprocess.run(command("cut_short", "--how", "exit"), check=False, capture_output=True, text=True)

    told = done.stdout.partition("exit code 3;")[2].split("lines:\n")[1]
    assert told.split() == ["working", "on", "it,", "and", "then", "exit"]
    assert "Unclosed" not in done.stderr


def test_ctrl_c_ends_the_job(account: Account) -> None:
    before = set(account.jobs())

    def mine() -> list[str]:
        return [job["status"] for each, job in account.jobs().items() if each not in before]

    running = command("wait_for", "--seconds", "300")
    with subprocess.Popen(running, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if ": RUNNING" in line:
                break
        process.send_signal(signal.SIGINT)
        told += process.stderr.readlines()
        assert process.wait(60) != 0
    eventually(lambda: mine() == ["FAILED"], "the job has ended")
    ((identifier, job),) = [(each, job) for each, job in account.jobs().items() if each not in before]
    assert [line for line in told if line.endswith(f": ended job {identifier}\n")], told
    assert "interrupted" in job["statusReason"]
    assert "Unclosed" not in "".join(told)


@pytest.mark.parametrize(
    ("message", "project", "hinted"),
    [
        ("see that the log group is there", None, True),
        ("see that the log group is there", "churn", False),
        ("exit code 1", None, False),
    ],
)
def test_whose_a_run_is_is_told_where_its_log_group_is_not_there(
    message: str,
    project: str | None,
    *,
    hinted: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("FLYTE_AWS_BATCH_PROJECT", "FLYTE_AWS_BATCH_DOMAIN"):
        monkeypatch.delenv(name, raising=False)
        if project is not None:
            monkeypatch.setenv(name, project)
    Lines("train").tell(Resource(phase=TaskExecution.FAILED, message=message, custom_info={"jobs": ["1-2"]}))
    told = capsys.readouterr().err
    assert told.startswith(f"train: job 1-2: FAILED: {message}\n")
    assert ("without FLYTE_AWS_BATCH_PROJECT and FLYTE_AWS_BATCH_DOMAIN" in told) == hinted


def test_a_phase_is_told_once_and_each_further_job(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines("train")
    for jobs in (["1"], ["1"], ["1", "2"]):
        lines.tell(Resource(phase=TaskExecution.RUNNING, message="runs\nfor long", custom_info={"jobs": jobs}))
    assert capsys.readouterr().err == "train: job 1: RUNNING: runs\ntrain: job 2: RUNNING: runs\n"


def test_a_phase_that_the_message_begins_with_is_not_told_twice(capsys: pytest.CaptureFixture[str]) -> None:
    known: dict[str, object] = {"jobs": ["1"]}
    lines = Lines("train")
    lines.tell(Resource(phase=TaskExecution.RUNNING, message="RUNNING for 0 s", custom_info=known))
    lines.tell(Resource(phase=TaskExecution.SUCCEEDED, message="3 of 3 done", custom_info=known))
    assert capsys.readouterr().err == "train: job 1: RUNNING for 0 s\ntrain: job 1: SUCCEEDED: 3 of 3 done\n"


def test_a_job_that_could_not_be_ended_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Lines("train").tell_ended("AWS does not answer")
    assert capsys.readouterr().err == "train: its job could not be ended, and may go on: AWS does not answer\n"
