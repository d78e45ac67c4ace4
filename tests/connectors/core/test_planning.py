import pytest

from flytekit_aws_batch.core import job_tags
from flytekit_aws_batch.core.plan import JobRequest
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.settings import FileSystem, Settings
from flytekit_aws_batch.core.spec import ArraySpec, EfsMount, JobSpec, Resources, SecretVariable
from tests.connectors.core.job_requests import (
    ACCOUNT,
    EXECUTION_ROLE,
    GPU_ON_DEMAND,
    JOB_ROLE,
    REQUEST,
    SETTINGS,
    container,
    planned,
    queue_arn,
    refusal,
    request,
)

GPUS = Resources(vcpus=8, memory_mib=60_000, gpus=1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (request(JobSpec(queue="of-others")), "queue='of-others': tasks in development may use spot (spot), on-demand"),
        (request(domain="production"), "domain 'production': the connector's settings have queues for development, "),
        (
            request(JobSpec(nodes=2), resources=GPUS),
            "nodes=2: Batch runs multi-node jobs on no spot instances, which ",
        ),
        (request(JobSpec(architecture="arm64", queue="spot")), "architecture='arm64': no queue of kind spot"),
        (request(JobSpec(architecture="arm64", queue=queue_arn("spot"))), "the instances of spot are x86_64"),
        (request(JobSpec(queue=queue_arn("spot")), resources=GPUS), "gpus=1: spot (spot) has no GPUs"),
        (request(array=ArraySpec(size=2, min_success_ratio=0)), "min_success_ratio=0: above 0"),
        (request(environment={"AWS_BATCH_JOB_ID": "x"}), "'AWS_BATCH_JOB_ID': Batch keeps names that begin with"),
        (request(image="train 1"), "image='train 1': 1 to 255 characters without spaces"),
        (request(job_role="admin"), "the job's role='admin': the ARN of a role is needed"),
        (request(project="--"), "share is missing: spot has fair share"),
        (request(JobSpec(secrets={"LEVEL": SecretVariable(secret="db")})), "'LEVEL' is a secret, too"),
        (request(JobSpec(tags={"aerodrome:project": "x"})), "tags: 'aerodrome:project': every job here has a value"),
        (request(JobSpec(tags={f"k{n}": "" for n in range(44)})), "44 tags: beside those that every job here has"),
        (request(retries=-1), "retries=-1: 0 or more"),
    ],
)
def test_what_cannot_run_is_refused_with_value_and_remedy(asked: JobRequest, words: str) -> None:
    assert words in refusal(asked)


def test_all_that_is_wrong_is_said_at_once_and_once() -> None:
    asked = request(
        JobSpec(queue="fargate", share="no-share", tags={"aws:x": "y"}),
        resources=Resources(vcpus=3, memory_mib=100, gpus=1),
        environment={"1 A": "x"},
    )
    lines = refusal(asked, execution_roles={}).split("\n")
    assert [line.partition("=")[0].partition(":")[0] for line in lines] == [
        "vcpus",
        "gpus",
        "share",
        "tags",
        "environment",
        "execution_role is missing, with which ECS starts the container",
    ]


def test_sizes_and_times_that_batch_does_not_take_are_raised_and_said() -> None:
    found = planned(request(resources=Resources(vcpus=0.5, memory_mib=512), timeout_seconds=30))
    assert (found.resources.vcpus, found.timeout_seconds) == (1, 60)
    assert found.notes == (
        "its 0.5 vCPUs were rounded up to 1, as instances give whole ones only",
        "its timeout of 30 s was raised to 60 s, the least that Batch takes",
    )
    assert planned(request(resources=Resources(vcpus=2.1, memory_mib=512))).resources.vcpus == 3
    assert planned(REQUEST).notes == ()


def test_a_failed_task_has_a_failed_job() -> None:
    assert planned(request(environment={"FLYTE_FAIL_ON_ERROR": "false"})).environment == {"FLYTE_FAIL_ON_ERROR": "true"}


def test_tags_say_whose_the_job_is_and_are_such_as_aws_takes() -> None:
    tags = planned(request(JobSpec(tags={"team": "risk"}), task="map(a, b)*\n" + "x" * 300)).tags
    assert tags["flyte:task"].startswith("map_a_ b___xxx")
    assert len(tags.pop("flyte:task")) == 256
    assert tags == {
        "team": "risk",
        "aerodrome:project": "fraud",
        "aerodrome:domain": "development",
        "flyte:project": "fraud",
        "flyte:domain": "development",
        "flyte:execution": "f3a9c1",
        "flyte:node": "n0",
    }


def test_whose_a_job_is_nobody_says_otherwise() -> None:
    # What an author may not say is refused; were it not, it would be of no use.
    forged = {"flyte:project": "other", "aerodrome:project": "other"}
    settings = SETTINGS.model_copy(update={"tags": {"aerodrome:project": "{project}", "flyte:domain": "other"}})
    tags = job_tags.of_job(request(JobSpec(tags=forged)), settings)
    assert (tags["flyte:project"], tags["aerodrome:project"], tags["flyte:domain"]) == ("fraud", "fraud", "development")
    assert job_tags.of_definition(REQUEST, settings)["flyte:domain"] == "development"


def test_too_many_tags_are_said_once() -> None:
    spec = JobSpec(tags={f"k{number}": "" for number in range(60)})
    assert refusal(request(spec)).splitlines() == [
        "60 tags: a job has 50 at most, of which 5 say whose it is; give 45 at most"
    ]


def test_secrets_are_below_the_prefix_in_the_account_of_the_queue() -> None:
    here = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:"
    secrets = {
        "A": SecretVariable(secret="db", field="password"),
        "B": SecretVariable(secret="aerodrome/dev/fraud/development/db"),
        "C": SecretVariable(secret=f"{here}other-AbCdEf", field="key"),
    }
    assert [each["valueFrom"] for each in container(request(JobSpec(secrets=secrets)))["secrets"]] == [
        f"{here}aerodrome/dev/fraud/development/db:password::",
        f"{here}aerodrome/dev/fraud/development/db",
        f"{here}other-AbCdEf:key::",
    ]


def test_a_secret_by_name_needs_to_know_the_account() -> None:
    spec = JobSpec(queue="mine", secrets={"A": SecretVariable(secret="db")})
    assert "secrets: db: the queue's name does not say" in refusal(request(spec), queues={})
    assert "needed for secrets" in refusal(request(JobSpec(secrets=spec.secrets)), execution_roles={})


def test_a_definition_that_batch_would_refuse_as_too_long_is_refused_with_the_remedy() -> None:
    secrets = {f"SECRET_{number}": SecretVariable(secret="db", field=f"field-{number}") for number in range(200)}
    assert "RegisterJobDefinition takes 24576; ask for fewer secrets" in refusal(request(JobSpec(secrets=secrets)))


def test_a_file_system_is_mounted_by_the_project_s_access_point() -> None:
    mounts = (
        EfsMount(path="/shared", file_system="shared", read_only=True),
        EfsMount(path="/raw", file_system="fs-0aaaaaaaa", root="/models"),
    )
    found = container(request(JobSpec(mounts=mounts)))
    assert found["volumes"] == [
        {
            "name": "efs-0",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-0123456789abcdef0",
                "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": "fsap-0a1b2c3d4e", "iam": "ENABLED"},
            },
        },
        {
            "name": "efs-1",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-0aaaaaaaa",
                "transitEncryption": "ENABLED",
                "rootDirectory": "/models",
            },
        },
    ]
    assert found["mountPoints"] == [
        {"sourceVolume": "efs-0", "containerPath": "/shared", "readOnly": True},
        {"sourceVolume": "efs-1", "containerPath": "/raw", "readOnly": False},
    ]


@pytest.mark.parametrize("name", ["shared", "fs-0123456789abcdef0"])
def test_a_file_system_whose_access_points_are_others_is_refused(name: str) -> None:
    mount = EfsMount(path="/shared", file_system=name)
    assert "other/development has no access point there" in refusal(request(JobSpec(mounts=(mount,)), project="other"))


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (
            EfsMount(path="/a", file_system="lost"),
            "file_system='lost': the settings have shared; give one of those, or an ID such as fs-",
        ),
        (
            EfsMount(path="/a", file_system="shared", root="/x"),
            "root='/x': fraud/development mounts by the access",
        ),
        (EfsMount(path="/a", file_system="shared", access_point="x"), "access_point='x': an ID such as fsap-"),
    ],
)
def test_a_mount_that_cannot_be_is_refused(mount: EfsMount, words: str) -> None:
    assert words in refusal(request(JobSpec(mounts=(mount,))))


def test_an_access_point_needs_the_job_s_role() -> None:
    spec = JobSpec(mounts=(EfsMount(path="/a", file_system="shared"),))
    assert "mounted with the job's role, and there is none" in refusal(request(spec, job_role=None))
    assert container(request(spec, job_role=None), job_roles={"*": JOB_ROLE})["jobRoleArn"] == JOB_ROLE


def test_fargate_has_its_own_fields() -> None:
    found = container(request(JobSpec(queue="fargate", architecture="arm64", ephemeral_gib=50)), subnet_public=True)
    assert found["fargatePlatformConfiguration"] == {"platformVersion": "LATEST"}
    older = container(request(JobSpec(queue="fargate", platform_version="1.4.0")))
    assert older["fargatePlatformConfiguration"] == {"platformVersion": "1.4.0"}
    assert found["networkConfiguration"] == {"assignPublicIp": "ENABLED"}
    assert found["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
    assert found["ephemeralStorage"] == {"sizeInGiB": 50}
    assert found["executionRoleArn"] == EXECUTION_ROLE
    own = {"fargatePlatformConfiguration", "networkConfiguration", "runtimePlatform", "ephemeralStorage"}
    assert not own & container(REQUEST).keys()
    assert container(request(JobSpec(queue="fargate")))["networkConfiguration"] == {"assignPublicIp": "DISABLED"}


def test_fargate_gives_parts_of_vcpus() -> None:
    asked = request(JobSpec(queue="fargate"), resources=Resources(vcpus=0.25, memory_mib=512))
    assert planned(asked).notes == ()
    assert {"type": "VCPU", "value": "0.25"} in container(asked)["resourceRequirements"]


def test_the_log_group_is_the_project_s_and_batch_s_own_needs_no_word() -> None:
    assert planned(REQUEST).log_group == "/aerodrome/fraud/development/jobs"
    assert container(REQUEST)["logConfiguration"] == {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/aerodrome/fraud/development/jobs", "awslogs-region": "eu-west-1"},
    }
    assert "logConfiguration" not in container(REQUEST, log_group=Settings().log_group)


def test_all_nodes_of_a_multi_node_job_are_alike() -> None:
    definition = plan(request(JobSpec(nodes=4)), SETTINGS)[1]
    assert definition["type"] == "multinode"
    (only,) = definition["nodeProperties"]["nodeRangeProperties"]
    assert only["targetNodes"] == "0:"
    assert only["container"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "2"},
        {"type": "MEMORY", "value": "4096"},
    ]


def test_a_gpu_is_a_resource_of_the_container() -> None:
    asked = request(resources=GPUS, domain="training", interruptible=False)
    assert planned(asked).queue == GPU_ON_DEMAND.arn
    assert {"type": "GPU", "value": "1"} in container(asked)["resourceRequirements"]


def test_an_access_point_of_the_task_s_own_is_taken_as_it_is() -> None:
    mount = EfsMount(path="/a", file_system="open", access_point="fsap-0123456789abcdef0")
    file_systems = {"open": FileSystem(id="fs-0bbbbbbbb")}
    volume = container(request(JobSpec(mounts=(mount,))), file_systems=file_systems)["volumes"][0]
    assert volume["efsVolumeConfiguration"]["authorizationConfig"]["accessPointId"] == "fsap-0123456789abcdef0"
