"""``aerodrome check-workflows``: tasks of the connector for AWS Batch, in environments of every shape."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from aerodrome.check_workflows.connector_settings import settings_of
from aerodrome.check_workflows.facts import BATCH, Node, Package, Task, read
from aerodrome.check_workflows.jobs import described, misnamed, unfit, unheard
from aerodrome.check_workflows.plugins import unsupported
from aerodrome.check_workflows.rules import Finding
from aerodrome_stacks.chart_values.flyte_batch_connector import BatchConnectorInputs, settings
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.environment.flyte import BATCH_TASK_TYPE, BatchConnector
from flytekit_aws_batch.common import TASK_TYPE
from flytekit_aws_batch.config import Mapped, Payload
from flytekit_aws_batch.core.plan import folder_of
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.spec import EfsMount, JobSpec, Resources

ENVIRONMENTS = Path(__file__).parents[2] / "environments"
SMALL = Resources(vcpus=2, memory_mib=4096)
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/team:7"
HOUR = {"timeout": "3600s", "retries": {"retries": 2}, "interruptible": True}
ASKED = {"resources": {"limits": [{"name": "CPU", "value": "2"}, {"name": "MEMORY", "value": "4Gi"}]}}


def task(
    spec: JobSpec | None = None,
    resources: Resources = SMALL,
    mapped: Mapped | None = None,
    template: Mapping[str, object] | None = None,
) -> Task:
    custom = Payload(spec=spec or JobSpec(), resources=resources, mapped=mapped).to_custom()
    known: dict[str, Any] = {
        "id": {"name": "team.jobs.train"},
        "type": TASK_TYPE,
        "metadata": HOUR,
        "container": {"image": IMAGE, "args": ["flytekit-aws-batch-execute"], **ASKED},
        "custom": custom,
    }
    return Task(template={**known, **(template or {})}, place="jobs.py:7", connector=True)


def package(*tasks: Task, nodes: Sequence[Node] = ()) -> Package:
    return Package(tasks=tasks, nodes=nodes, workflows=(), launch_plans=())


def having(name: str = "dev", *, plugin: bool = True, connector: bool = True) -> Environment:
    environment = load_environment(name, ENVIRONMENTS)
    installed = BatchConnector(image=f"{IMAGE}@sha256:{'0' * 64}") if connector else None
    flyte = environment.flyte.model_copy(update={"batch_connector": installed, "batch_plugin": plugin})
    return environment.model_copy(update={"flyte": flyte})


def refused(one: Task, environment: Environment) -> Finding:
    (finding,) = unfit(package(one), environment)
    assert (finding.refused, finding.place, finding.subject) == (True, "jobs.py:7", "task team.jobs.train")
    return finding


def test_it_is_the_type_that_the_platform_gives_to_its_connector() -> None:
    assert TASK_TYPE == BATCH_TASK_TYPE


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_it_is_held_against_what_the_platform_tells_its_connector(name: str) -> None:
    environment = having(name)
    roles: dict[tuple[str, str], str] = dict.fromkeys(
        environment.project_domains, "arn:aws:iam::111122223333:role/project"
    )
    inputs = BatchConnectorInputs(
        role_arn="arn:aws:iam::111122223333:role/connector",
        partition="aws",
        url_suffix="amazonaws.com",
        project_roles=roles,
        raw_data_bucket="raw-data",
        efs=None,
    )
    platforms, own = Settings.model_validate(settings(environment, inputs)), settings_of(environment)
    assert own.queues
    assert (own.queues, own.shares, own.region) == (platforms.queues, platforms.shares, platforms.region)


@pytest.mark.parametrize(
    ("spec", "resources"),
    [
        (JobSpec(), SMALL),
        (JobSpec(queue="on-demand"), SMALL),
        (JobSpec(queue="aerodrome-dev-development-spot"), SMALL),
        (JobSpec(queue="fargate"), Resources(vcpus=0.5, memory_mib=1024)),
        (JobSpec(nodes=4), SMALL),
    ],
)
def test_what_there_is_is_not_spoken_of(spec: JobSpec, resources: Resources) -> None:
    assert list(unfit(package(task(spec, resources)), having())) == []
    assert list(unheard(package(task(spec, resources)))) == []
    assert unsupported(package(task(spec, resources)), having()) == []


def test_where_there_is_no_connector_it_is_refused_once_with_the_way_out() -> None:
    environment = having(connector=False)
    finding = refused(task(), environment)
    assert finding.value == "a task of type aws-batch-job"
    assert finding.reason.startswith("dev has no connector for AWS Batch: ")
    assert finding.way_out.startswith("give flyte.batch_connector of dev its image")
    assert unsupported(package(task()), environment) == []


def test_where_there_is_no_plugin_its_tasks_are_refused_with_the_way_out() -> None:
    plugins = task(template={"type": BATCH, "custom": {"platformCapabilities": "EC2"}})
    finding = refused(plugins, having(plugin=False))
    assert finding.value == "a task of type aws-batch"
    assert "dev does without Flyte's plugin for AWS Batch" in finding.reason
    assert finding.way_out.startswith(
        "write task_config=AWSBatch(...) of flytekit_aws_batch, or set flyte.batch_plugin"
    )
    assert list(unfit(package(plugins), having())) == []


@pytest.mark.parametrize(
    ("spec", "resources", "told", "way_out"),
    [
        (
            *(JobSpec(queue="gpu"), Resources(vcpus=8, memory_mib=30720, gpus=1), "queue of kind 'gpu'"),
            "leave gpu out and name one of them, or have batch.gpu written into environments/dev.yaml",
        ),
        (
            *(JobSpec(), Resources(vcpus=8, memory_mib=30720, gpus=1), "queue of kind 'gpu', as gpus=1"),
            "leave gpu out, or have batch.gpu written into environments/dev.yaml",
        ),
        (
            *(JobSpec(architecture="arm64"), SMALL, "queue of kind 'arm', as architecture='arm64'"),
            (
                "build the image for x86_64 and leave architecture out, or have batch.arm written into "
                "environments/dev.yaml"
            ),
        ),
    ],
)
def test_a_kind_of_queue_that_is_not_there_is_refused_with_those_that_are(
    spec: JobSpec, resources: Resources, told: str, way_out: str
) -> None:
    finding = refused(task(spec, resources), having())
    assert finding.value == told
    assert finding.reason == "development has none; it has spot, on-demand, fargate"
    assert finding.way_out == way_out


def test_a_kind_that_production_has_is_taken_there() -> None:
    with_gpu = task(JobSpec(queue="gpu"), Resources(vcpus=8, memory_mib=30720, gpus=1))
    assert list(unfit(package(with_gpu, task(JobSpec(architecture="arm64"))), having("prod"))) == []


@pytest.mark.parametrize(
    "queue",
    ["aerodrome-dev-development-gpu", "aerodrome-dev-flyte-development-spot", "aerodrome-dev-ingest-development"],
)
def test_a_queue_that_is_not_there_or_not_for_these_tasks_is_refused(queue: str) -> None:
    finding = refused(task(JobSpec(queue=queue)), having())
    assert finding.value == f"queue={queue!r}"
    assert "tasks in development may use aerodrome-dev-development-spot (spot), " in finding.reason
    assert finding.way_out == "give one of them, or its kind"


@pytest.mark.parametrize(
    ("spec", "resources", "value"),
    [
        # dev has 64 vCPUs of spot instances and 32 on demand, where the last attempt goes.
        (JobSpec(), Resources(vcpus=65, memory_mib=4096), "vcpus=65"),
        (JobSpec(queue="on-demand"), Resources(vcpus=33, memory_mib=4096), "vcpus=33"),
        (JobSpec(queue="on-demand"), Resources(vcpus=32, memory_mib=260_000), "memory_mib=260000"),
    ],
)
def test_more_than_the_largest_instance_has_is_refused(spec: JobSpec, resources: Resources, value: str) -> None:
    found = list(unfit(package(task(spec, resources)), having()))
    assert {finding.value for finding in found} == {value}
    assert all(" at most for one container" in finding.reason for finding in found)
    assert all(finding.way_out.startswith("ask for less") for finding in found)


def test_a_size_that_fargate_does_not_have_is_refused_when_its_queue_is_named() -> None:
    # By kind, flytekit_aws_batch refuses it when the task is made.
    named = task(JobSpec(queue="aerodrome-dev-development-fargate"), Resources(vcpus=3, memory_mib=4096))
    finding = refused(named, having())
    assert (finding.value, finding.way_out) == ("vcpus=3", "give one of them")


def test_a_file_system_that_is_not_there_is_refused() -> None:
    mounting = task(JobSpec(mounts=(EfsMount(path="/mnt/efs", file_system="efs"),)))
    finding = refused(mounting, having())
    assert finding.value == "mounts[0].file_system='efs'"
    assert finding.reason == "the settings have no file systems"
    assert finding.way_out == (
        "give an ID such as fs-0123456789abcdef0; or have batch.efs: true written into environments/dev.yaml, whose "
        "name is efs"
    )
    assert list(unfit(package(mounting), having("prod"))) == []


def test_a_file_system_that_has_another_name_is_refused_with_its_own() -> None:
    finding = refused(task(JobSpec(mounts=(EfsMount(path="/mnt/efs", file_system="shared"),))), having("prod"))
    assert (finding.reason, finding.way_out) == (
        "the settings have efs",
        "give one of those, or an ID such as fs-0123456789abcdef0",
    )


def test_what_one_of_the_projects_may_run_is_not_refused() -> None:
    environment = having("prod")
    queue = task(JobSpec(queue="aerodrome-prod-production-gpu"), Resources(vcpus=8, memory_mib=30720, gpus=1))
    assert list(unfit(package(queue), environment)) == []
    (some, *others) = environment.projects
    elsewhere = some.model_copy(update={"domains": {"staging": some.domains["production"]}})
    both = environment.model_copy(update={"projects": (elsewhere, *others)})
    assert list(unfit(package(queue), both)) == []
    assert list(unfit(package(queue), environment.model_copy(update={"projects": (elsewhere,)}))) != []


def test_what_another_version_has_made_is_refused() -> None:
    newer = task(template={"custom": {"spec": {"hibernate": True}, "resources": {"vcpus": 1, "memory_mib": 2048}}})
    (finding,) = unheard(package(newer))
    assert (finding.refused, finding.value) == (True, "what it says of its job")
    assert "another version of flytekit-aws-batch" in finding.reason


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ({"metadata": {}}, "no timeout"),
        ({"container": {"image": IMAGE}}, "no cpu and no memory"),
    ],
)
def test_what_is_left_to_defaults_is_told(template: dict[str, object], value: str) -> None:
    (finding,) = unheard(package(task(template=template)))
    assert (finding.refused, finding.value) == (False, value)


@pytest.mark.parametrize(
    ("kind", "way_out"),
    [
        ("function", "write timeout=timedelta(...), as long as an attempt may take"),
        # The class refuses timeout=, and says the same.
        ("container", "write metadata=TaskMetadata(timeout=timedelta(...)), as long as an attempt may take"),
    ],
)
def test_a_timeout_is_told_as_the_task_takes_it(kind: str, way_out: str) -> None:
    custom = {**task().template["custom"], "kind": kind}
    (finding,) = unheard(package(task(template={"metadata": {}, "custom": custom})))
    assert finding.way_out == way_out


@pytest.mark.parametrize(
    ("overrides", "value"),
    [
        ({"resources": {"limits": [{"name": "GPU", "value": "1"}]}}, "with_overrides(gpu='1')"),
        ({"pod_template": {}}, "with_overrides(pod_template=...)"),
        ({"extended_resources": {"gpu_accelerator": {"device": "nvidia-l4"}}}, "with_overrides(accelerator=...)"),
    ],
)
def test_an_override_that_the_connector_does_not_hear_is_refused(overrides: dict[str, object], value: str) -> None:
    node = Node(
        workflow="team.nightly", identifier="n1", task="team.jobs.train", overrides=overrides, interruptible=False
    )
    (finding,) = unheard(package(task(), nodes=[node]))
    assert (finding.refused, finding.value) == (True, value)
    assert finding.subject == "node n1 of workflow team.nightly, which runs team.jobs.train on AWS Batch"


@pytest.mark.parametrize(
    "named",
    [
        {"id": "aws-batch", "task_node": {"reference_id": {"name": "team.features.build"}}},
        {"id": "aws-batch", "workflow_node": {"sub_workflow_ref": {"name": "team.features"}}},
        {"id": "n1", "branch_node": {"if_else": {"case": {"then_node": {"id": "aws-batch"}}}}},
        {"id": "n1", "branch_node": {"if_else": {"else_node": {"id": "aws-batch"}}}},
    ],
    ids=["task", "workflow", "branch", "else"],
)
def test_a_node_whose_folder_no_project_may_write_in_is_refused(named: Mapping[str, Any]) -> None:
    # What the boundary of projects' roles denies (stacks/aerodrome_stacks/flyte_access.py).
    assert folder_of("s3://metadata/f3a9c1/n0/data/0").endswith("/aws-batch")
    others = {"id": "n0", "array_node": {"node": {"task_node": {"reference_id": {"name": "team.aws-batch"}}}}}
    report = {
        "tasks": [],
        "workflows": [{"name": "team.nightly", "nodes": [{"id": "start-node"}, others, named]}],
        "launch_plans": [],
        "schedules": [],
    }
    (finding,) = misnamed(read(report))
    assert (finding.refused, finding.value) == (True, "with_overrides(node_name='aws-batch')")
    assert finding.subject == "a node of workflow team.nightly"
    assert finding.way_out == "give the node another name"


def test_flytekits_own_map_over_one_is_told() -> None:
    mapping = Task(template=task().template, place="jobs.py:9", maps=("team.jobs.train", TASK_TYPE))
    (finding,) = unheard(package(mapping))
    assert (finding.refused, finding.value) == (False, "map_task(train)")
    assert "map_task of flytekit_aws_batch" in finding.way_out


def test_a_mistake_is_told_once_of_a_task_and_of_what_maps_over_it() -> None:
    spec = JobSpec(queue="gpu")
    mapping = task(spec, mapped=Mapped(inputs=("fold",)), template={"id": {"name": "team.jobs.map_train_1"}})
    by_flytekit = Task(template=task(spec).template, place="jobs.py:7", maps=("team.jobs.train", TASK_TYPE))
    (finding,) = unfit(package(task(spec), mapping, by_flytekit), having())
    assert finding.subject == "task team.jobs.train"


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (task(), "spot, 2 vCPUs, 4096 MiB, 2 retries, at most 1:00:00 each"),
        (task(template={"metadata": {}}), "spot, 2 vCPUs, 4096 MiB, 0 retries"),
        (
            task(template={"metadata": {"timeout": "10s"}}),
            "spot, 2 vCPUs, 4096 MiB, 0 retries, at most 0:01:00 (asked for 10 s) each",
        ),
        (
            task(resources=Resources(vcpus=0.5, memory_mib=1024)),
            "spot, 1 vCPU (asked for 0.5, rounded up on instances), 1024 MiB, 2 retries, at most 1:00:00 each",
        ),
        (
            task(JobSpec(queue="team"), Resources(vcpus=1.5, memory_mib=1024)),
            "team, 2 vCPUs (asked for 1.5, rounded up if on instances), 1024 MiB, 2 retries, at most 1:00:00 each",
        ),
        (
            task(JobSpec(queue="fargate"), Resources(vcpus=0.5, memory_mib=1024)),
            "fargate, 0.5 vCPUs, 1024 MiB, 2 retries, at most 1:00:00 each",
        ),
        (
            task(JobSpec(queue="gpu"), Resources(vcpus=8, memory_mib=30720, gpus=1)),
            "gpu, 8 vCPUs, 30720 MiB, 1 GPU, 2 retries, at most 1:00:00 each",
        ),
        (
            task(
                mapped=Mapped(inputs=("fold",), concurrency=50), template={"metadata": {**HOUR, "discoverable": True}}
            ),
            "an array, 50 at once, spot, 2 vCPUs, 4096 MiB, 2 retries, at most 1:00:00 each, cached",
        ),
        (task(JobSpec(nodes=4)), "4 nodes, on-demand, 2 vCPUs, 4096 MiB, 2 retries, at most 1:00:00 each"),
    ],
)
def test_a_task_is_described_in_a_line(one: Task, line: str) -> None:
    assert described(one) == line
