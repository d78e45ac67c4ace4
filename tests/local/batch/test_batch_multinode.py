"""Multi-node parallel jobs: several nodes that start together, and end with the main one."""

import threading
from pathlib import Path
from typing import Any

import pytest

Batch = Any  # conftest's class, which a test module cannot import
MakeBatch = Any
Json = dict[str, Any]


def container(script: str, vcpus: str = "1", memory: str = "2048", **members: Any) -> Json:  # noqa: ANN401 - as AWS
    requirements = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
    return {"image": "busybox", "command": ["sh", "-c", script], "resourceRequirements": requirements, **members}


def main_node(directory: Path, children: int, end: str = "true") -> Json:
    """The container of a main node that ends once so many others of its attempt have said that they ran."""
    seen = f"$(ls {directory} | grep -c ^$AWS_BATCH_JOB_ATTEMPT-)"
    return container(f"until test {seen} = {children}; do sleep 0.02; done; sleep 0.2; {end}")


def child(directory: Path, script: str = "true") -> Json:
    """The container of another node, which says that it runs."""
    return container(f"{script}; touch {directory}/$AWS_BATCH_JOB_ATTEMPT-$AWS_BATCH_JOB_NODE_INDEX")


def test_all_nodes_run_at_the_same_time_and_know_who_they_are(batch: Batch, tmp_path: Path) -> None:
    show = "env | grep -E '^AWS_BATCH_JOB_(MAIN|NODE|NUM)' | sort"
    # Each waits for the other two, so that all of them must run at the same time.
    here = tmp_path / "here"
    here.mkdir()
    meet = f"touch {here}/$AWS_BATCH_JOB_NODE_INDEX; until test $(ls {here} | wc -l) = 3; do sleep 0.02; done"
    batch.simple_queue()
    main = container(f"{show}; {meet}; sleep 0.2")
    batch.multinode({"0:": container(f"{show}; {meet}"), "1:1": main}, main=1)
    job_id = batch.submit("multi")
    job = batch.ended(job_id)
    assert job["status"] == "SUCCEEDED", job
    batch.eventually(lambda: all(node["status"] == "SUCCEEDED" for node in batch.nodes(job_id)))
    for index, node in enumerate(batch.nodes(job_id)):
        expected = {
            "AWS_BATCH_JOB_MAIN_NODE_INDEX=1",
            f"AWS_BATCH_JOB_NODE_INDEX={index}",
            "AWS_BATCH_JOB_NUM_NODES=3",
        }
        if index != 1:
            expected.add("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS=127.0.0.1")
        assert set(batch.log(node)) == expected
        assert node["nodeDetails"] == {"nodeIndex": index, "isMainNode": index == 1}
        assert node["jobName"] == job["jobName"]
        assert node["jobArn"] == f"{job['jobArn']}#{index}"
        assert "nodeProperties" not in node
    assert len({node["container"]["logStreamName"] for node in batch.nodes(job_id)}) == 3


def test_the_job_itself_shows_its_nodes_properties_and_its_main_nodes_attempts(batch: Batch) -> None:
    batch.simple_queue()
    arn = batch.multinode({"0:": container("exit 0")}, nodes=2)
    job = batch.ended(batch.submit("multi"))
    assert "container" not in job
    assert job["jobDefinition"] == arn
    assert (job["nodeProperties"]["numNodes"], job["nodeProperties"]["mainNode"]) == (2, 0)
    main = batch.nodes(job["jobId"], 2)[0]
    (attempt,) = job["attempts"]
    assert attempt["container"] == main["attempts"][0]["container"]
    assert attempt["container"]["exitCode"] == 0
    assert job["startedAt"] == main["startedAt"]
    (definition,) = batch.call("DescribeJobDefinitions", jobDefinitions=[arn])["jobDefinitions"]
    assert definition["type"] == "multinode"
    assert "containerProperties" not in definition
    assert definition["nodeProperties"]["nodeRangeProperties"][0]["container"]["environment"] == []


def test_ranges_nest_and_a_submission_changes_them(batch: Batch, tmp_path: Path) -> None:
    batch.simple_queue()
    batch.multinode(
        {
            "0:": child(tmp_path, "echo Ref::last"),
            "0:0": main_node(tmp_path, 2),
            "1:1": child(tmp_path, "echo inner $WORD"),
        },
        parameters={"last": "definition"},
    )
    environment = [{"name": "WORD", "value": "changed"}]
    overrides: Json = {
        "numNodes": 4,
        "nodePropertyOverrides": [
            {"targetNodes": "0:0", "containerOverrides": {"command": main_node(tmp_path, 3)["command"]}},
            {"targetNodes": "1:1", "containerOverrides": {"environment": environment}},
        ],
    }
    job = batch.ended(batch.submit("multi", nodeOverrides=overrides, parameters={"last": "submission"}))
    assert job["nodeProperties"]["numNodes"] == 4
    logs = [batch.log(node) for node in batch.nodes(job["jobId"], 4)]
    assert logs == [[], ["inner changed"], ["submission"], ["submission"]]


def test_when_the_main_node_ends_the_others_are_stopped(batch: Batch, tmp_path: Path) -> None:
    batch.simple_queue()
    others = container(f"echo $$; touch {tmp_path}/1-$AWS_BATCH_JOB_NODE_INDEX; exec sleep 60")
    batch.multinode({"0:0": main_node(tmp_path, 2, "exit 3"), "1:": others})
    job_id = batch.submit("multi")
    job = batch.ended(job_id)
    assert (job["status"], job["attempts"][0]["container"]["exitCode"]) == ("FAILED", 3)
    main, *stopped = batch.nodes(job_id)
    assert main["container"]["exitCode"] == 3
    for node in stopped:
        assert (node["status"], node["container"]["exitCode"]) == ("FAILED", 143)
        assert not batch.alive(int(batch.log(node)[0]))
        assert not node["isTerminated"]


def test_a_child_nodes_end_changes_nothing_for_the_others(batch: Batch, tmp_path: Path) -> None:
    batch.simple_queue()
    waits = container(f"until test -e {tmp_path}/go; do sleep 0.02; done")
    batch.multinode({"0:0": waits, "1:": container("exit 5")}, retryStrategy={"attempts": 3})
    job_id = batch.submit("multi")
    batch.eventually(lambda: all(node["status"] == "FAILED" for node in batch.nodes(job_id)[1:]))
    assert batch.status(job_id) == "RUNNING"
    (tmp_path / "go").touch()
    job = batch.ended(job_id)
    assert job["status"] == "SUCCEEDED"
    assert len(job["attempts"]) == 1
    assert [node["status"] for node in batch.nodes(job_id)] == ["SUCCEEDED", "FAILED", "FAILED"]


def test_a_retry_starts_every_node_anew(batch: Batch, tmp_path: Path) -> None:
    batch.simple_queue()
    main = main_node(tmp_path, 2, "test $AWS_BATCH_JOB_ATTEMPT = 2")
    others = child(tmp_path, "echo attempt $AWS_BATCH_JOB_ATTEMPT")
    batch.multinode({"0:0": main, "1:": others}, retryStrategy={"attempts": 5})
    job_id = batch.submit("multi")
    job = batch.ended(job_id)
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [1, 0]
    for node in batch.nodes(job_id):
        assert len(node["attempts"]) == 2
        assert node["status"] == "SUCCEEDED"
    assert batch.log(batch.nodes(job_id)[1]) == ["attempt 2"]
    batch.service.stop()
    started = ["RUNNABLE", "STARTING", "RUNNING"]
    assert batch.backend.statuses(job_id) == [*started, *started, "SUCCEEDED"]
    assert batch.backend.statuses(f"{job_id}#0") == [*started, "FAILED", *started, "SUCCEEDED"]


@pytest.mark.parametrize("suffix", ["", "#0"], ids=["the job", "its main node"])
def test_terminating_ends_every_node(batch: Batch, suffix: str) -> None:
    batch.simple_queue()
    batch.multinode({"0:": container("exec sleep 60")}, retryStrategy={"attempts": 3})
    job_id = batch.submit("multi")
    batch.eventually(lambda: all(node["status"] == "RUNNING" for node in batch.nodes(job_id)))
    batch.call("TerminateJob", jobId=job_id + suffix, reason="enough")
    job = batch.ended(job_id)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "enough", True)
    assert len(job["attempts"]) == 1
    for node in batch.nodes(job_id):
        assert (node["status"], node["statusReason"]) == ("FAILED", "enough")


def test_a_child_node_that_is_terminated_ends_alone(batch: Batch, tmp_path: Path) -> None:
    batch.simple_queue()
    waits = container(f"until test -e {tmp_path}/go; do sleep 0.02; done")
    batch.multinode({"0:0": waits, "1:": container("exec sleep 60")}, nodes=2)
    job_id = batch.submit("multi")
    batch.until(f"{job_id}#1", "RUNNING")
    batch.call("TerminateJob", jobId=f"{job_id}#1", reason="not this one")
    assert batch.ended(f"{job_id}#1")["statusReason"] == "not this one"
    (tmp_path / "go").touch()
    assert batch.ended(job_id)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("operation", ["TerminateJob", "CancelJob"])
@pytest.mark.parametrize("suffix", ["", "#1"], ids=["the job", "a node"])
def test_a_job_that_has_not_started_ends_with_its_nodes(batch: Batch, operation: str, suffix: str) -> None:
    batch.simple_queue(vcpus=2)
    batch.multinode({"0:": container("true")})
    job_id = batch.submit("multi")
    assert "COMPUTE_ENVIRONMENT_MAX_RESOURCE" in batch.reason(job_id), "three nodes need three vCPUs"
    batch.call(operation, jobId=job_id + suffix, reason="enough")
    assert [node["status"] for node in batch.nodes(job_id)] == ["FAILED"] * 3
    job = batch.job(job_id)
    assert (job["status"], job["statusReason"], job["attempts"]) == ("FAILED", "enough", [])


def test_nodes_start_together_or_not_at_all(batch: Batch) -> None:
    batch.simple_queue(vcpus=4)
    batch.definition("single", "sleep", "0.5", vcpus="2")
    single = batch.submit("single")
    batch.until(single, "RUNNING")
    batch.multinode({"0:": container("sleep 1")})
    job_id = batch.submit("multi")
    assert {node["status"] for node in batch.nodes(job_id)} == {"RUNNABLE"}
    batch.until(job_id, "RUNNING")
    assert batch.environment_detail("environment")["computeResources"]["desiredvCpus"] == 3, "one for each node"
    job, ended = batch.ended(job_id), batch.ended(single)
    assert job["startedAt"] >= ended["stoppedAt"]
    assert batch.environment_detail("environment")["computeResources"]["desiredvCpus"] == 0, "all room is free again"


def test_a_nodes_overrides_that_are_too_long_fail_the_job_when_it_is_to_start(batch: Batch) -> None:
    batch.simple_queue()
    batch.multinode({"0:0": container("true"), "1:": container("true")})
    long = {"environment": [{"name": "LONG", "value": "x" * 8200}]}
    changes = [{"targetNodes": "1:", "containerOverrides": long}]
    job_id = batch.submit("multi", nodeOverrides={"nodePropertyOverrides": changes})
    job = batch.ended(job_id)
    assert (job["status"], job["attempts"]) == ("FAILED", [])
    assert job["statusReason"] == "Container Overrides length must be at most 8192"
    assert [node["status"] for node in batch.nodes(job_id)] == ["FAILED"] * 3


def test_a_time_limit_is_the_whole_jobs(batch: Batch) -> None:
    batch.simple_queue()
    batch.multinode({"0:": container("exec sleep 60")}, timeout={"attemptDurationSeconds": 300})
    job_id = batch.submit("multi")
    job = batch.ended(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    assert [node["container"]["exitCode"] for node in batch.nodes(job_id)] == [143, 143, 143]
    assert ["timeout" in node for node in batch.nodes(job_id)] == [True, False, False], "the other nodes have none"


def test_a_node_that_is_ready_too_late_is_not_started(batch: Batch, tmp_path: Path) -> None:
    main_has_ended = threading.Event()
    batch.backend.secret = lambda _scope, _name: str(main_has_ended.wait(10))
    late = container(f"touch {tmp_path}/ran", secrets=[{"name": "SECRET", "valueFrom": "secret"}])
    batch.simple_queue()
    batch.multinode({"0:0": container("true"), "1:": late}, nodes=2)
    job_id = batch.submit("multi")
    batch.until(f"{job_id}#0", "SUCCEEDED")
    main_has_ended.set()
    assert batch.ended(job_id)["status"] == "SUCCEEDED"
    assert batch.job(f"{job_id}#1")["status"] == "FAILED"
    assert not (tmp_path / "ran").exists()


def test_a_reclaimed_host_of_the_main_node_is_the_jobs(batch: Batch) -> None:
    batch.simple_queue()
    batch.multinode(
        {"0:": container("test $AWS_BATCH_JOB_ATTEMPT = 2 || exec sleep 60")}, retryStrategy={"attempts": 2}
    )
    job_id = batch.submit("multi")
    batch.until(job_id, "RUNNING")
    batch.service.reclaim_host(job_id)
    job = batch.ended(job_id)
    assert job["status"] == "SUCCEEDED"
    assert job["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")


def test_a_job_waits_for_a_multinode_job_and_a_multinode_job_for_a_job(batch: Batch) -> None:
    batch.simple_queue()
    batch.multinode({"0:": container("true")})
    batch.definition("single", "true")
    batch.definition("fails", "false")
    first = batch.submit("multi")
    second = batch.submit("single", dependsOn=[{"jobId": first}])
    third = batch.submit("multi", dependsOn=[{"jobId": batch.submit("fails")}])
    assert batch.ended(second)["status"] == "SUCCEEDED"
    assert batch.ended(third)["statusReason"] == "Dependent Job failed"
    assert [node["status"] for node in batch.nodes(third)] == ["FAILED"] * 3


@pytest.mark.parametrize(("kind", "runs"), [("EC2", True), ("SPOT", False)])
def test_a_multinode_job_does_not_start_on_spot_instances(batch: Batch, kind: str, runs: bool) -> None:  # noqa: FBT001 - a case
    batch.queue("queue", batch.environment("environment", 8, kind))
    batch.multinode({"0:": container("true")})
    job_id = batch.submit("multi")
    if runs:
        assert batch.ended(job_id)["status"] == "SUCCEEDED"
    else:
        assert "JOB_RESOURCE_REQUIREMENT" in batch.reason(job_id)
        assert batch.status(job_id) == "RUNNABLE"


def test_a_multinode_job_goes_past_spot_instances_to_on_demand_ones(batch: Batch) -> None:
    batch.queue("queue", batch.environment("spot", 8, "SPOT"), batch.environment("on-demand", 8))
    batch.multinode({"0:": container("echo $AWS_BATCH_CE_NAME")})
    job_id = batch.submit("multi")
    batch.ended(job_id)
    assert batch.log(batch.nodes(job_id)[0]) == ["on-demand"]


def test_nodes_that_a_killed_server_left_lose_their_hosts(make_batch: MakeBatch) -> None:
    batch = make_batch()
    batch.simple_queue()
    batch.multinode(
        {"0:": container("test $AWS_BATCH_JOB_ATTEMPT = 2 || exec sleep 60")}, retryStrategy={"attempts": 2}
    )
    job_id = batch.submit("multi")
    batch.eventually(lambda: all(node["status"] == "RUNNING" for node in batch.nodes(job_id)))
    batch.service.stop()
    after = make_batch()
    job = after.ended(job_id)
    assert job["status"] == "SUCCEEDED"
    assert job["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")
    for node in after.nodes(job_id):
        assert node["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")
