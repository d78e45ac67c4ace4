"""Every kind of job, run as a process, and what AWS Batch was really asked for: read back from DescribeJobs."""

import asyncio
import functools
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from aerodrome_local.batch_service import mounts
from aerodrome_local.testing import EmbeddedAws
from flytekit_aws_batch.core.plan import Handle
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.spec import ArraySpec, EfsMount, ExitRule, JobSpec, Resources, SecretVariable
from tests.local.connector.kinds_world import FAIR, LOG_GROUP, SECRET, SECRET_TEXT, KindsWorld, kinds_world
from tests.local.connector.world import DOMAIN, PROJECT
from tests.local.waiting import eventually

Json = dict[str, Any]

SMALLEST: Final = Resources(vcpus=0.25, memory_mib=512)
"""The smallest size of Fargate."""
EXIT: Final = {"onReason": "*", "action": "EXIT"}
HOST_GONE: Final = {"onStatusReason": "Host EC2*", "action": "RETRY"}
TASK_GONE: Final = {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KindsWorld]:
    """The account in an embedded AWS of the module's own, in which the shortest timeout, a minute, is 1.2 s."""
    variables = {"AERODROME_BATCH_TIME_SCALE": "0.02", "AERODROME_JOB_PATH": str(Path(sys.executable).parent)}
    aws = EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), variables=variables)
    with kinds_world(aws, "kinds", tmp_path_factory.mktemp("notes")) as of_module:
        yield of_module
    aws.stop()


def requirements(container: Json) -> dict[str, str]:
    return {each["type"]: each["value"] for each in container["resourceRequirements"]}


def variables(container: Json) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["environment"]}


def test_a_job_on_spot_instances_is_what_its_task_says(world: KindsWorld) -> None:
    done, job = world.run(
        'echo "$GREETING $AWS_BATCH_JQ_NAME" > "$NOTE"',
        "plain",
        environment={"NOTE": str(world.notes / "plain"), "GREETING": "hello"},
        spec=JobSpec(shared_memory_mib=64, tags={"team": "search"}),
        resources=Resources(vcpus=1.5, memory_mib=512),
    )
    queue = world.made["SpotQueue"]
    assert done.phase is Phase.SUCCEEDED
    assert world.note("plain") == [f"hello {queue.rpartition('/')[2]}"]
    assert (job["jobQueue"], job["platformCapabilities"]) == (queue, ["EC2"])
    assert job["retryStrategy"] == {"attempts": 5, "evaluateOnExit": [HOST_GONE, EXIT]}
    assert not {"timeout", "shareIdentifier", "arrayProperties", "nodeProperties"} & job.keys()
    container = job["container"]
    assert requirements(container) == {"VCPU": "2", "MEMORY": "512"}
    assert (container["image"], container["command"][:2]) == ("busybox", ["sh", "-c"])
    assert container["jobRoleArn"] == world.made["JobRole"]
    assert container["executionRoleArn"] == world.made["ExecutionRole"]
    assert container["linuxParameters"] == {"sharedMemorySize": 64}
    options = {"awslogs-group": LOG_GROUP, "awslogs-region": world.settings.region}
    assert container["logConfiguration"] == {"logDriver": "awslogs", "options": options}
    assert variables(container) == {
        "FLYTE_AWS_BATCH_PREFIX": done.output_prefix,
        "FLYTE_AWS_BATCH_WAVE": "0",
        "FLYTE_FAIL_ON_ERROR": "true",
        "GREETING": "hello",
        "NOTE": str(world.notes / "plain"),
    }


def test_a_job_says_whose_it_is(world: KindsWorld) -> None:
    _, job = world.run("exit 0", "tagged", spec=JobSpec(tags={"team": "search"}))
    of_space = {"flyte:project": PROJECT, "flyte:domain": DOMAIN, "cost-centre": f"{PROJECT}-{DOMAIN}"}
    of_job = {"flyte:execution": "tagged", "flyte:node": "n0", "flyte:task": "train", "team": "search"}
    assert job["tags"] == {**of_space, **of_job}
    assert job["propagateTags"] is True
    definition = world.definition(job)
    assert definition["tags"] == of_space
    assert definition["jobDefinitionName"].startswith(f"kinds-{PROJECT}-{DOMAIN}-")


def test_what_is_not_to_be_interrupted_goes_to_on_demand_instances_at_once(world: KindsWorld) -> None:
    done, job = world.run("exit 0", "steady", interruptible=False)
    assert done.phase is Phase.SUCCEEDED
    assert job["jobQueue"] == world.made["DemandQueue"]


def test_a_job_on_fargate_has_its_role_its_disk_and_its_platform(world: KindsWorld) -> None:
    spec = JobSpec(queue="fargate", ephemeral_gib=40, platform_version="1.4.0", architecture="arm64")
    done, job = world.run('echo ran > "$NOTE"', "fargate", spec=spec, resources=SMALLEST, interruptible=False)
    assert (done.phase, world.note("fargate")) == (Phase.SUCCEEDED, ["ran"])
    assert (job["jobQueue"], job["platformCapabilities"]) == (world.made["FargateQueue"], ["FARGATE"])
    assert job["retryStrategy"]["evaluateOnExit"] == [TASK_GONE, EXIT]
    container = job["container"]
    assert requirements(container) == {"VCPU": "0.25", "MEMORY": "512"}
    assert container["executionRoleArn"] == world.made["ExecutionRole"]
    assert container["ephemeralStorage"] == {"sizeInGiB": 40}
    assert container["fargatePlatformConfiguration"] == {"platformVersion": "1.4.0"}
    assert container["networkConfiguration"] == {"assignPublicIp": "DISABLED"}
    assert container["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}


@pytest.mark.parametrize(
    ("queue", "sizes", "spec"),
    [
        ("GpuQueue", Resources(vcpus=4, memory_mib=8192, gpus=2), JobSpec()),
        ("ArmQueue", Resources(vcpus=1, memory_mib=128), JobSpec(architecture="arm64")),
    ],
)
def test_what_a_job_needs_chooses_its_queue(world: KindsWorld, queue: str, sizes: Resources, spec: JobSpec) -> None:
    done, job = world.run("exit 0", f"needs-{queue}", resources=sizes, spec=spec)
    assert done.phase is Phase.SUCCEEDED
    assert job["jobQueue"] == world.made[queue]
    wanted = {"VCPU": f"{sizes.vcpus:g}", "MEMORY": str(sizes.memory_mib)}
    assert requirements(job["container"]) == ({**wanted, "GPU": str(sizes.gpus)} if sizes.gpus else wanted)


def test_a_share_has_its_priorities(world: KindsWorld) -> None:
    """The queue has room for one job: of those that wait, the one with the highest priority is next."""
    go = world.notes / "go"

    def start(execution: str, priority: int, command: str = "true", share: str | None = None) -> Handle:
        spec = JobSpec(priority=priority, share=share)
        request = world.request(f'{command}; echo {execution} >> "$ORDER"', execution, spec=spec, domain=FAIR)
        request.environment["ORDER"] = str(world.notes / "order")
        return world.start(request)

    first = start("share-first", 0, f"while [ ! -e {go} ]; do sleep 0.05; done")
    world.until(first, lambda progress: progress.phase is Phase.RUNNING, "it runs")
    handles = [start("share-late", 1), start("share-soon", 9), first]
    go.touch()
    jobs = [world.described(world.ended(handle).jobs[0]) for handle in handles]
    assert world.note("order") == ["share-first", "share-soon", "share-late"]
    assert [(job["shareIdentifier"], job["schedulingPriority"]) for job in jobs] == [
        (PROJECT, 1),
        (PROJECT, 9),
        (PROJECT, 0),
    ]
    other = world.described(world.ended(start("share-other", 3, share="urgent")).jobs[0])
    assert (other["shareIdentifier"], other["schedulingPriority"]) == ("urgent", 3)


def test_a_secret_comes_by_name_with_a_field_and_by_arn(world: KindsWorld) -> None:
    by_name = SecretVariable(secret="database", field="password")
    by_arn = SecretVariable(secret=world.made["Secret"])
    done, job = world.run(
        'for each in "$PASSWORD" "$WHOLE"; do printf %s "$each" | sha256sum; done > "$NOTE"',
        "secret",
        spec=JobSpec(secrets={"PASSWORD": by_name, "WHOLE": by_arn}),
    )
    assert done.phase is Phase.SUCCEEDED
    values = (json.loads(SECRET_TEXT)["password"], SECRET_TEXT)
    assert [line.split()[0] for line in world.note("secret")] == [
        hashlib.sha256(value.encode()).hexdigest() for value in values
    ]
    whole = world.made["Secret"]
    named = f"{whole.partition(':secret:')[0]}:secret:{SECRET}:password::"
    assert job["container"]["secrets"] == [
        {"name": "PASSWORD", "valueFrom": named},
        {"name": "WHOLE", "valueFrom": whole},
    ]
    assert not {"PASSWORD", "WHOLE"} & variables(job["container"]).keys()


def test_a_field_that_a_secret_lacks_is_told_with_the_remedy(world: KindsWorld) -> None:
    """Nobody but ECS may read the secret, so that it is found out when the container is to be started."""
    secret = SecretVariable(secret="database", field="token")
    failed, job = world.run('touch "$NOTE"', "no-field", spec=JobSpec(secrets={"TOKEN": secret}))
    assert failed.phase is Phase.FAILED_RETRYABLE
    assert failed.message.startswith(
        "what its container needs to start could not be had: see that the secret is there, has that field, and may be "
        "read by the job's execution role (ResourceInitializationError: "
    )
    assert len(job["attempts"]) == 1
    assert not (world.notes / "no-field").exists()


def test_a_file_system_is_shared_through_its_access_point(world: KindsWorld) -> None:
    files, point = world.made["Files"], world.made["Point"]
    by_name = EfsMount(path="/mnt/models", file_system="models")
    by_id = EfsMount(path="/mnt/read", file_system=files, access_point=point, read_only=True)
    write = 'echo 0.93 > /mnt/models/accuracy; touch "$NOTE"'
    wrote, writer = world.run(write, "efs-write", spec=JobSpec(mounts=(by_name,)))
    read = 'cat /mnt/read/accuracy > "$NOTE"; touch /mnt/read/more || echo refused >> "$NOTE"'
    done, reader = world.run(read, "efs-read", spec=JobSpec(mounts=(by_id,)))
    for path, read_only, job in (("/mnt/models", False, writer), ("/mnt/read", True, reader)):
        container = job["container"]
        assert container["mountPoints"] == [{"sourceVolume": "efs-0", "containerPath": path, "readOnly": read_only}]
        authorization = {"accessPointId": point, "iam": "ENABLED"}
        volume = {"fileSystemId": files, "transitEncryption": "ENABLED", "authorizationConfig": authorization}
        assert container["volumes"] == [{"name": "efs-0", "efsVolumeConfiguration": volume}]
    if mounts.can_mount():
        assert (wrote.phase, done.phase) == (Phase.SUCCEEDED, Phase.SUCCEEDED)
        assert world.note("efs-read") == ["0.93", "refused"]
    else:
        assert "/mnt/models not mounted" in world.log(writer)[0]
        assert "/mnt/read not mounted" in world.log(reader)[0]


def test_a_job_that_takes_too_long_is_ended(world: KindsWorld) -> None:
    failed, job = world.run("sleep 50", "slow", timeout_seconds=60)
    assert failed.phase is Phase.FAILED_RETRYABLE
    assert failed.message.startswith("it took longer than its timeout of 60 s: give the task a longer one")
    assert job["timeout"] == {"attemptDurationSeconds": 60}
    assert job["statusReason"] == "Job attempt duration exceeded timeout"
    assert len(job["attempts"]) == 1


def test_a_timeout_shorter_than_batch_takes_is_raised(world: KindsWorld) -> None:
    done, job = world.run("exit 0", "hasty", timeout_seconds=30)
    assert done.phase is Phase.SUCCEEDED
    assert job["timeout"] == {"attemptDurationSeconds": 60}


def test_the_authors_rules_come_before_those_about_spot(world: KindsWorld) -> None:
    rules = (ExitRule(action="exit", exit_code="76"), ExitRule(action="retry", exit_code="7*"))
    command = 'echo "$AWS_BATCH_JOB_ATTEMPT" >> "$NOTE"; [ "$AWS_BATCH_JOB_ATTEMPT" = 2 ] && exit {last}; exit 75'
    spec = JobSpec(on_exit=rules, reclaims=3)
    done, job = world.run(command.format(last=0), "again", spec=spec)
    assert done.phase is Phase.SUCCEEDED
    assert world.note("again") == ["1", "2"]
    assert job["retryStrategy"] == {
        "attempts": 4,
        "evaluateOnExit": [
            {"onExitCode": "76", "action": "EXIT"},
            {"onExitCode": "7*", "action": "RETRY"},
            HOST_GONE,
            EXIT,
        ],
    }
    failed, _ = world.run(command.format(last=76), "enough", spec=spec)
    assert failed.phase is Phase.FAILED_RETRYABLE
    assert failed.message.startswith("exit code 76")
    assert world.note("enough") == ["1", "2"]


def runs_attempt(attempt: int, progress: Progress) -> bool:
    return progress.phase is Phase.RUNNING and progress.details["attempts"] == attempt


@pytest.mark.parametrize(
    ("first", "last", "kind", "rule"),
    [("SpotQueue", "DemandQueue", "spot", HOST_GONE), ("FargateSpotQueue", "FargateQueue", "fargate", TASK_GONE)],
)
def test_what_is_taken_back_starts_anew_and_then_goes_where_nobody_takes_it(
    world: KindsWorld, first: str, last: str, kind: str, rule: Json
) -> None:
    spec, sizes = JobSpec(queue=kind, reclaims=1), SMALLEST if kind == "fargate" else Resources(vcpus=1, memory_mib=128)
    command = '[ "$AWS_BATCH_JQ_NAME" = "${FIRST##*/}" ] && exec sleep 50; echo "$AWS_BATCH_JOB_ATTEMPT" > "$NOTE"'
    request = world.request(command, f"taken-{first}", spec=spec, resources=sizes)
    request.environment["FIRST"] = world.made[first]
    handle = world.start(request)
    for attempt in (0, 1):
        running = world.until(handle, functools.partial(runs_attempt, attempt), f"attempt {attempt} runs")
        assert ("was taken back (1 of 2 attempts): starts anew" in running.message) is bool(attempt)
        world.reclaim(running.jobs[0])
    done = world.ended(handle)
    # No try of the task was used up: it was submitted once more, by the same handle.
    assert (done.phase, done.output_prefix, handle.attempt) == (Phase.SUCCEEDED, request.output_prefix, 0)
    assert world.note(request.execution) == ["1"]
    lost, won = (world.described(job) for job in done.jobs)
    assert (lost["jobQueue"], won["jobQueue"]) == (world.made[first], world.made[last])
    assert lost["retryStrategy"] == {"attempts": 2, "evaluateOnExit": [rule, EXIT]}
    assert len(lost["attempts"]) == 2


def test_an_element_that_is_taken_back_goes_there_alone(world: KindsWorld) -> None:
    command = (
        'WHO="${AWS_BATCH_JOB_ARRAY_INDEX:-one}"; [ "$AWS_BATCH_JQ_NAME-$WHO" = "${FIRST##*/}-1" ] && exec sleep 50; '
        'echo "$WHO" >> "$NOTE"'
    )
    request = world.request(command, "taken-1", spec=JobSpec(reclaims=0), array=ArraySpec(size=2), retries=0)
    request.environment["FIRST"] = world.made["SpotQueue"]
    handle = world.start(request)
    array = world.until(handle, lambda progress: progress.jobs, "it is submitted").jobs[0]
    eventually(lambda: world.described(f"{array}:1")["status"] == "RUNNING", "the element runs")
    world.reclaim(f"{array}:1")
    done = world.ended(handle)
    assert (done.phase, done.message) == (Phase.SUCCEEDED, "2 of 2 done")
    assert sorted(world.note("taken-1")) == ["0", "one"]
    again = world.described(done.jobs[1])
    assert again["jobQueue"] == world.made["DemandQueue"]
    assert "arrayProperties" not in again
    assert variables(again["container"])["FLYTE_AWS_BATCH_INDEX"] == "0"


def test_a_multi_node_job_ends_as_its_main_node_does(world: KindsWorld) -> None:
    command = (
        'touch "$NOTE-$AWS_BATCH_JOB_NODE_INDEX"; [ "$AWS_BATCH_JOB_NODE_INDEX" = 0 ] || exec sleep 50; '
        'until [ -e "$NOTE-1" ] && [ -e "$NOTE-2" ]; do sleep 0.05; done; echo of "$AWS_BATCH_JOB_NUM_NODES" nodes; '
    )
    done, job = world.run(command + "exit 0", "nodes", spec=JobSpec(nodes=3))
    assert done.phase is Phase.SUCCEEDED
    # On no spot instances, though it may be interrupted: Batch runs no such jobs there.
    assert job["jobQueue"] == world.made["DemandQueue"]
    assert (job["nodeProperties"]["numNodes"], job["nodeProperties"]["mainNode"]) == (3, 0)
    (nodes,) = job["nodeProperties"]["nodeRangeProperties"]
    assert nodes["targetNodes"] == "0:"
    assert requirements(nodes["container"]) == {"VCPU": "1", "MEMORY": "128"}
    assert variables(nodes["container"])["FLYTE_AWS_BATCH_PREFIX"] == done.output_prefix

    request = world.request(command + "exit 3", "nodes-fail", spec=JobSpec(nodes=3))
    handle = world.start(request)
    failed = world.ended(handle)
    assert failed.phase is Phase.FAILED_RETRYABLE
    assert failed.message == "exit code 3; last lines:\nof 3 nodes"
    links = {link.name: link.url for link in failed.links}
    (job_id,) = failed.jobs
    main = world.described(f"{job_id}#0")
    assert links["CloudWatch Logs"].endswith(main["container"]["logStreamName"].replace("/", "$252F"))
    assert links["AWS Batch"].endswith(f"#jobs/mnp-job/{job_id}")
    assert [line.text for line in asyncio.run(world.runner.logs(handle)).lines] == ["of 3 nodes"]


def test_a_list_runs_on_fargate(world: KindsWorld) -> None:
    done, job = world.run(
        'touch "$NOTE-$AWS_BATCH_JOB_ARRAY_INDEX"',
        "list",
        spec=JobSpec(queue="fargate"),
        resources=SMALLEST,
        array=ArraySpec(size=3),
    )
    assert (done.phase, done.message) == (Phase.SUCCEEDED, "3 of 3 done")
    assert sorted(note.name for note in world.notes.glob("list-*")) == ["list-0", "list-1", "list-2"]
    assert (job["platformCapabilities"], job["arrayProperties"]["size"]) == (["FARGATE"], 3)
    assert job["container"]["executionRoleArn"] == world.made["ExecutionRole"]


def test_a_definition_is_registered_once_for_each_shape(world: KindsWorld) -> None:
    before = world.calls("RegisterJobDefinition")
    sizes = Resources(vcpus=1, memory_mib=191)
    _, one = world.run("exit 0", "shape-1", resources=sizes)
    # What differs from run to run is no part of the shape: command, environment, priority, timeout, retries.
    _, same = world.run("true", "shape-2", resources=sizes, timeout_seconds=600, spec=JobSpec(reclaims=0), retries=2)
    with world.another_connector():
        _, later = world.run("exit 0", "shape-3", resources=sizes)
    assert one["jobDefinition"] == same["jobDefinition"] == later["jobDefinition"]
    assert world.definition(one)["revision"] == 1
    assert world.calls("RegisterJobDefinition") == before + 1
    _, other = world.run("exit 0", "shape-4", resources=Resources(vcpus=1, memory_mib=192))
    assert other["jobDefinition"].rpartition(":")[0] != one["jobDefinition"].rpartition(":")[0]
    assert world.calls("RegisterJobDefinition") == before + 2


def test_a_definition_that_somebody_deregistered_is_registered_anew(world: KindsWorld) -> None:
    sizes = Resources(vcpus=1, memory_mib=193)
    _, before = world.run("exit 0", "gone-1", resources=sizes)
    world.batch.deregister_job_definition(jobDefinition=before["jobDefinition"])
    done, after = world.run("exit 0", "gone-2", resources=sizes)
    assert done.phase is Phase.SUCCEEDED
    assert world.definition(before)["status"] == "INACTIVE"
    assert world.definition(after)["status"] == "ACTIVE"
    assert world.definition(after)["revision"] == 2
    assert after["jobDefinition"].rpartition(":")[0] == before["jobDefinition"].rpartition(":")[0]


def test_a_definition_that_goes_while_a_job_runs_does_not_keep_it_from_on_demand(world: KindsWorld) -> None:
    command = '[ "$AWS_BATCH_JQ_NAME" = "${FIRST##*/}" ] && exec sleep 50; exit 0'
    sizes = Resources(vcpus=1, memory_mib=194)
    request = world.request(command, "gone-3", resources=sizes, spec=JobSpec(reclaims=0))
    request.environment["FIRST"] = world.made["SpotQueue"]
    handle = world.start(request)
    running = world.until(handle, functools.partial(runs_attempt, 0), "it runs")
    first = world.described(running.jobs[0])
    world.batch.deregister_job_definition(jobDefinition=first["jobDefinition"])
    world.reclaim(first["jobId"])
    done = world.ended(handle)
    assert done.phase is Phase.SUCCEEDED
    assert world.definition(world.described(done.jobs[1]))["revision"] == 2
    eventually(lambda: world.described(first["jobId"])["status"] == "FAILED", "the first one is over")
