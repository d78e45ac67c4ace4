"""What becomes of a job: its process, its attempts, its log and its events."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from aerodrome_local.batch_service.errors import ClientException

Batch = Any  # conftest's class, which a test module cannot import
MakeBatch = Any


def test_a_job_runs_its_command_and_succeeds(batch: Batch) -> None:
    job = batch.run("sh", "-c", "echo out; echo err >&2; printf last")
    assert job["status"] == "SUCCEEDED"
    assert job["statusReason"] == "Essential container in task exited"
    assert job["container"]["exitCode"] == 0
    assert batch.log(job) == ["out", "err", "last"]
    assert job["container"]["logStreamName"].startswith("definition/default/")
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    (attempt,) = job["attempts"]
    assert attempt["container"]["exitCode"] == 0
    assert attempt["container"]["logStreamName"] == job["container"]["logStreamName"]
    assert attempt["startedAt"] == job["startedAt"]
    assert attempt["stoppedAt"] <= job["stoppedAt"]


def test_every_step_of_a_job_is_an_event(batch: Batch) -> None:
    job = batch.run("true")
    batch.service.stop()
    assert batch.backend.statuses(job["jobId"]) == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    detail_type, detail, resources = batch.backend.events[-1]
    assert detail_type == "Batch Job State Change"
    assert resources == [job["jobArn"]]
    assert detail == {**job, "tags": {"resourceArn": job["jobArn"]}}


def test_a_job_gets_the_environment_of_batch_and_nothing_of_the_servers(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_SERVER", "1")
    container = {"environment": [{"name": "COLOUR", "value": "red"}, {"name": "SIZE", "value": "1"}]}
    batch.simple_queue()
    batch.definition("definition", "env", container=container)
    override = {"environment": [{"name": "SIZE", "value": "2"}, {"name": "SHAPE", "value": "round"}]}
    job = batch.ended(batch.submit("definition", containerOverrides=override))
    found = dict(line.split("=", 1) for line in batch.log(job))
    home = found["HOME"]
    assert found.pop("PATH").split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert found.pop("TMPDIR").startswith(home)
    assert {name: value for name, value in found.items() if name not in {"HOME", "PWD", "SHLVL", "_"}} == {
        "COLOUR": "red",
        "SIZE": "2",
        "SHAPE": "round",
        "AWS_BATCH_JOB_ID": job["jobId"],
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": "queue",
        "AWS_BATCH_CE_NAME": "environment",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "111122223333",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    assert not Path(home).exists(), "the working directory is gone when the attempt has ended"


def test_parameters_are_put_into_the_command(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "echo", "Ref::what", "to=Ref::whom", parameters={"what": "hello", "whom": "you"})
    job = batch.ended(batch.submit("definition", parameters={"whom": "me"}))
    assert batch.log(job) == ["hello to=me"]
    assert job["parameters"] == {"what": "hello", "whom": "me"}
    batch.definition("other", "echo", "Ref::nothing")
    with pytest.raises(ClientException, match="No parameter found for reference nothing"):
        batch.submit("other")


def test_a_failing_job_is_tried_again_and_every_attempt_is_recorded(batch: Batch) -> None:
    job = batch.run("sh", "-c", "exit $((AWS_BATCH_JOB_ATTEMPT + 6))", retryStrategy={"attempts": 3})
    assert job["status"] == "FAILED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [7, 8, 9]
    assert job["container"]["exitCode"] == 9
    assert len({attempt["container"]["logStreamName"] for attempt in job["attempts"]}) == 3
    batch.service.stop()
    retried = ["RUNNABLE", "STARTING", "RUNNING"]
    assert batch.backend.statuses(job["jobId"]) == [*retried, *retried, *retried, "FAILED"]


def test_a_job_that_succeeds_at_last_has_succeeded(batch: Batch) -> None:
    job = batch.run("sh", "-c", "test $AWS_BATCH_JOB_ATTEMPT = 2", retryStrategy={"attempts": 5})
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [1, 0]


@pytest.mark.parametrize(
    ("rules", "attempts"),
    [
        ([{"onExitCode": "4*", "action": "EXIT"}], 1),
        ([{"onExitCode": "5", "action": "EXIT"}], 3),
        ([{"onExitCode": "42", "action": "retry"}, {"onReason": "*", "action": "EXIT"}], 3),
        ([{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}], 1),
        ([{"onStatusReason": "essential*", "onExitCode": "42", "action": "EXIT"}], 1),
        ([{"onStatusReason": "Host EC2*", "onExitCode": "42", "action": "EXIT"}], 3),
    ],
)
def test_evaluate_on_exit_decides_about_another_attempt(
    batch: Batch, rules: list[dict[str, str]], attempts: int
) -> None:
    job = batch.run("sh", "-c", "exit 42", retryStrategy={"attempts": 3, "evaluateOnExit": rules})
    assert job["status"] == "FAILED"
    assert len(job["attempts"]) == attempts


def test_a_command_that_does_not_exist_fails_with_the_containers_reason(batch: Batch) -> None:
    job = batch.run("no-such-command", "--now")
    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Task failed to start"
    assert 'exec: "no-such-command": executable file not found' in job["container"]["reason"]
    assert "startedAt" not in job


def test_a_job_without_a_command_says_that_no_image_is_run(batch: Batch) -> None:
    assert "runs no image" in batch.run()["container"]["reason"]


def test_a_job_whose_time_is_up_is_killed_with_all_that_it_started(batch: Batch, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    # 300 seconds are 0.3 here. The child ignores SIGTERM, so that only SIGKILL of the whole group ends it.
    script = f"trap '' TERM; (trap '' TERM; sleep 60) & echo $! > {pids}; wait"
    job = batch.run("sh", "-c", script, timeout={"attemptDurationSeconds": 300}, retryStrategy={"attempts": 3})
    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Job attempt duration exceeded timeout"
    assert job["container"]["exitCode"] == 137
    assert len(job["attempts"]) == 1, "a job that ran out of time is not tried again"
    assert not batch.alive(int(pids.read_text(encoding="utf-8")))


def test_what_a_job_leaves_running_ends_with_it(batch: Batch) -> None:
    job = batch.run("sh", "-c", "sleep 60 & echo $!")
    assert job["status"] == "SUCCEEDED"
    assert not batch.alive(int(batch.log(job)[0]))


def test_a_terminated_job_fails_with_the_reason_and_is_not_tried_again(batch: Batch) -> None:
    batch.simple_queue()
    job_id = batch.submit(batch.definition("definition", "sleep", "60"), retryStrategy={"attempts": 3})
    batch.until(job_id, "RUNNING")
    batch.call("TerminateJob", jobId=job_id, reason="no longer needed")
    job = batch.ended(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "no longer needed")
    assert job["container"]["exitCode"] == 143
    assert job["isTerminated"]
    assert len(job["attempts"]) == 1


def test_a_terminated_job_that_ends_well_has_failed_all_the_same(batch: Batch) -> None:
    batch.simple_queue()
    job_id = batch.submit(batch.definition("definition", "sh", "-c", "trap 'exit 0' TERM; echo ready; sleep 60 & wait"))
    batch.eventually(lambda: batch.status(job_id) == "RUNNING" and batch.log(batch.job(job_id)) == ["ready"])
    batch.call("TerminateJob", jobId=job_id, reason="no longer needed")
    job = batch.ended(job_id)
    assert job["container"]["exitCode"] == 0
    assert (job["status"], job["statusReason"]) == ("FAILED", "no longer needed")


def test_cancelling_ends_a_job_that_waits_and_leaves_one_that_runs(batch: Batch) -> None:
    batch.simple_queue(vcpus=1)
    batch.definition("definition", "sleep", "0.5")
    running, waiting = batch.submit("definition"), batch.submit("definition")
    batch.until(running, "RUNNING")
    for job_id in (running, waiting):
        batch.call("CancelJob", jobId=job_id, reason="changed my mind")
    job = batch.job(waiting)
    assert (job["status"], job["statusReason"], job["isCancelled"]) == ("FAILED", "changed my mind", True)
    assert batch.ended(running)["status"] == "SUCCEEDED"


def test_a_reclaimed_host_is_a_failure_of_the_host(batch: Batch) -> None:
    batch.simple_queue()
    rules = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    batch.definition("definition", "sh", "-c", "test $AWS_BATCH_JOB_ATTEMPT = 2 || sleep 60")
    job_id = batch.submit("definition", retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    batch.until(job_id, "RUNNING")
    batch.service.reclaim_host(job_id)
    job = batch.ended(job_id)
    assert job["status"] == "SUCCEEDED"
    first, second = job["attempts"]
    assert first["statusReason"].startswith("Host EC2 (instance i-")
    assert "exitCode" not in first["container"]
    assert second["container"]["exitCode"] == 0
    with pytest.raises(ClientException, match="not RUNNING"):
        batch.service.reclaim_host(job_id)


def test_secrets_become_environment_variables(batch: Batch) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:database-AbCdEf:password::"
    batch.backend.secrets[arn] = "hunter2"
    batch.simple_queue()
    container = {"secrets": [{"name": "PASSWORD", "valueFrom": arn}]}
    batch.definition("definition", "sh", "-c", "echo $PASSWORD", container=container)
    assert batch.log(batch.ended(batch.submit("definition"))) == ["hunter2"]
    batch.backend.secrets.clear()
    job = batch.ended(batch.submit("definition"))
    assert job["status"] == "FAILED"
    assert f"ResourceInitializationError: unable to retrieve secret {arn}" in job["container"]["reason"]


def test_the_log_goes_to_the_group_of_the_definition_which_must_exist(batch: Batch) -> None:
    options = {"awslogs-group": "/team/jobs", "awslogs-stream-prefix": "train"}
    container = {"logConfiguration": {"logDriver": "awslogs", "options": options}}
    batch.simple_queue()
    batch.definition("definition", "echo", "hello", container=container)
    job = batch.ended(batch.submit("definition"))
    assert job["status"] == "FAILED"
    assert "/team/jobs" in job["container"]["reason"]
    batch.backend.groups.add("/team/jobs")
    job = batch.ended(batch.submit("definition"))
    assert job["container"]["logStreamName"].startswith("train/default/")
    assert batch.log(job) == ["hello"]


def test_long_lines_are_split_and_no_byte_is_lost(batch: Batch) -> None:
    job = batch.run("python", "-c", "print('x' * 600_000); print('y')")
    lines = batch.log(job)
    assert max(len(line) for line in lines) <= 262_000
    assert "".join(lines) == "x" * 600_000 + "y"
