"""`pyflyte run` on somebody's own machine: with data in S3 the tasks are jobs, with the code brought along."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.connectors.flytekit.laptop import BUCKET, Account
from tests.local.job_templates import eventually

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


def test_an_error_is_told_in_the_code_s_own_words(account: Account) -> None:
    assert account.variables
    done = subprocess.run(command("greet", "--name", "nobody"), check=False, capture_output=True, text=True)

    assert done.returncode != 0
    assert "nobody is there" in done.stdout + done.stderr


def test_ctrl_c_ends_the_job(account: Account) -> None:
    before = set(account.jobs())

    def mine() -> list[str]:
        return [job["status"] for each, job in account.jobs().items() if each not in before]

    with subprocess.Popen(command("wait_for", "--seconds", "300"), stdout=subprocess.DEVNULL) as process:
        eventually(lambda: mine() == ["RUNNING"], "the job runs")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    eventually(lambda: mine() == ["FAILED"], "the job has ended")
