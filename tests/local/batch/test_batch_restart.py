"""What a restart and a crash of the server leave: records that are kept, jobs that lost their host, no process."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from aerodrome_local.batch_service import process_groups

ROOT = Path(__file__).resolve().parents[3]
Batch = Any  # conftest's class, which a test module cannot import
MakeBatch = Any

# A server with one job that has written its process's id to argv[2]. It waits to be killed.
SERVER = """
import importlib.util, pathlib, sys, time
specification = importlib.util.spec_from_file_location("support", sys.argv[3])
support = importlib.util.module_from_spec(specification)
sys.modules["support"] = support
specification.loader.exec_module(support)
batch = support.Batch(pathlib.Path(sys.argv[1]))
batch.simple_queue()
script = f"test $AWS_BATCH_JOB_ATTEMPT = 2 && exit; echo $$ > {sys.argv[2]}; sleep 60"
batch.definition("definition", "sh", "-c", script)
job_id = batch.submit("definition", retryStrategy={"attempts": 2})
batch.until(job_id, "RUNNING")
print(job_id, flush=True)
time.sleep(60)
"""


def test_definitions_and_jobs_are_there_after_a_restart(make_batch: MakeBatch) -> None:
    before = make_batch()
    before.simple_queue()
    before.definition("definition", "true")
    job = before.ended(before.submit("definition", arrayProperties={"size": 2}))
    environment = before.environment_detail("environment")
    before.call("UpdateComputeEnvironment", computeEnvironment="environment", state="DISABLED")
    waiting = before.submit("definition")
    pending = before.submit("definition", dependsOn=[{"jobId": waiting}])
    before.service.stop()

    after = make_batch()
    assert after.environment_detail("environment")["uuid"] == environment["uuid"]
    assert after.job(job["jobId"]) == job
    assert after.job(f"{job['jobId']}:1")["status"] == "SUCCEEDED"
    assert [after.status(job_id) for job_id in (waiting, pending)] == ["RUNNABLE", "PENDING"]
    later = after.submit("definition")
    snapshot = after.call("GetJobQueueSnapshot", jobQueue="queue")["frontOfQueue"]["jobs"]
    assert [each["jobArn"].rpartition("/")[2] for each in snapshot] == [waiting, later]
    after.call("UpdateComputeEnvironment", computeEnvironment="environment", state="ENABLED")
    assert after.ended(pending)["status"] == "SUCCEEDED"
    assert after.definition("definition", "true").endswith(":2")


def test_jobs_that_ran_when_the_server_stopped_have_lost_their_host(make_batch: MakeBatch) -> None:
    before = make_batch()
    before.simple_queue()
    before.definition("definition", "sh", "-c", "test $AWS_BATCH_JOB_ATTEMPT = 2 || sleep 60")
    retried, failed = before.submit("definition", retryStrategy={"attempts": 2}), before.submit("definition")
    for job_id in (retried, failed):
        before.until(job_id, "RUNNING")
    before.service.stop()

    after = make_batch()
    job = after.ended(failed)
    assert job["status"] == "FAILED"
    assert job["statusReason"].startswith("Host EC2 (instance i-")
    assert job["statusReason"].endswith(") terminated.")
    job = after.ended(retried)
    assert job["status"] == "SUCCEEDED"
    assert job["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")


def test_a_killed_servers_processes_are_killed_by_the_next(make_batch: MakeBatch, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    support = Path(__file__).with_name("conftest.py")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, tmp_path, pid_file, support],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "local")},
    ) as server:
        assert server.stdout is not None
        job_id = server.stdout.readline().strip()
        server.kill()
    after = make_batch()
    after.eventually(pid_file.exists, "the job has started")
    orphan = int(pid_file.read_text(encoding="utf-8"))
    after.eventually(lambda: not after.alive(orphan), "the orphan is gone")
    job = after.ended(job_id)
    assert job["status"] == "SUCCEEDED"
    assert job["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")


def test_a_process_that_only_has_the_same_id_is_left_alone() -> None:
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as process:
        recorded = process_groups.record(process.pid)
        assert not process_groups.kill_recorded({**recorded, "started": "another time"})
        assert process.poll() is None
        assert process_groups.kill_recorded(recorded)
        assert process.wait() == -signal.SIGKILL
    assert not process_groups.kill_recorded(recorded)
