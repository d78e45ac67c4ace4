"""The connector of AWS Batch: what it is told of the account, its pods, and how flytepropeller asks it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from aerodrome_constructs.batch.families import ARM, GPU, X86
from aerodrome_stacks.batch_queues import Kind, domains, kinds
from aerodrome_stacks.chart_values import flyte_plugins
from aerodrome_stacks.chart_values.flyte_components import surroundings
from aerodrome_stacks.chart_values.flyte_connectors import plugin
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.aws import instance_shape
from aerodrome_stacks.environment.flyte import BATCH_TASK_TYPE
from aerodrome_stacks.job_limits import job_limits
from flytekit_aws_batch.core.job_tags import filled
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.queues import choose, problems
from flytekit_aws_batch.core.settings import VARIABLE, Limits, Settings
from flytekit_aws_batch.core.spec import KINDS, JobSpec, Resources
from tests.charts.batch_connector import inputs, surroundings_of
from tests.charts.deployed import CHARTS, DeployedRelease
from tests.charts.helm import Helm, Manifest
from tests.connectors.core.job_requests import request

NAME = "connector-aws-batch"
DIRECTORY = "/etc/flytekit-aws-batch"


def rendered(helm: Helm, values: Mapping[str, Any]) -> dict[str, Manifest]:
    """What the chart makes of the connector, by kind."""
    manifests = helm.template(CHARTS / "aerodrome-flyte", release="aerodrome-flyte", namespace="flyte", values=values)
    return {one["kind"]: one for one in manifests if one["metadata"]["name"] == NAME}


@pytest.fixture
def manifests(helm: Helm, releases: Mapping[str, DeployedRelease]) -> dict[str, Manifest]:
    """The connector's objects in an environment."""
    return rendered(helm, releases["aerodrome-flyte"].values)


@pytest.fixture
def settings(manifests: Mapping[str, Manifest], tmp_path: Path) -> Settings:
    """What the connector reads of its file."""
    file = tmp_path / "settings.yaml"
    file.write_text(manifests["ConfigMap"]["data"]["settings.yaml"], encoding="utf-8")
    return Settings.load({VARIABLE: str(file)})


@pytest.fixture
def asked(flyte: DeployedRelease) -> Any:  # noqa: ANN401 - any JSON value
    """What flytepropeller's plugin for connectors is set to."""
    return flyte.value("configmap", "k8s", "plugins", "connector-service")


def test_the_connector_can_read_what_it_is_told(settings: Settings, environment: Environment) -> None:
    assert settings.region == environment.region
    assert settings.queues.keys() == set(domains(environment))
    assert settings.tags == {
        "aerodrome:environment": environment.name,
        "aerodrome:project": "{project}",
        "aerodrome:domain": "{domain}",
    }
    places = {f"{project}/{domain}" for project, domain in environment.project_domains}
    assert settings.execution_roles.keys() == settings.job_roles.keys() == places
    assert settings.shares == {project.name: project.share_identifier for project in environment.projects}
    for project, domain in environment.project_domains:
        job_role = settings.role_of(settings.job_roles, project, domain)
        assert job_role is not None
        assert job_role.endswith(f":role/aerodrome-{environment.name}-{project}-{domain}")
    assert {*settings.file_systems} == ({"efs"} if environment.batch.efs else set())
    assert all(one.access_points.keys() == places for one in settings.file_systems.values())


def test_it_reads_a_project_s_outputs_where_flyte_has_the_project_write_and_nowhere_else(
    settings: Settings, releases: Mapping[str, DeployedRelease]
) -> None:
    places = {
        (project["id"], domain): of["workflow_execution_config"]["raw_output_data_config"]["output_location_prefix"]
        for project in releases["aerodrome-projects"].value("reconciler", "projects")
        for domain, of in project["domains"].items()
    }
    assert places
    assert settings.raw_output_prefix is not None
    for (project, domain), prefix in places.items():
        assert filled(settings.raw_output_prefix, project, domain) == f"{prefix}/"


def test_every_kind_of_queue_is_one_that_it_knows(settings: Settings, environment: Environment) -> None:
    assert {str(kind) for kind in Kind if kind.has_spot or kind is Kind.ON_DEMAND} == set(KINDS)
    for domain in domains(environment):
        prefix = f"aerodrome-{environment.name}-{domain}-"
        found = {queue.name: queue for queue in settings.queues_of(domain)}
        assert found.keys() == {f"{prefix}{kind}" for kind in kinds(environment)}
        for name, queue in found.items():
            kind = name.removeprefix(prefix)
            assert queue.kind == (kind if kind == "on-demand" else kind.removesuffix("-on-demand"))
            assert queue.has_spot is not kind.endswith("on-demand")
            assert queue.fair_share is True
            assert queue.architecture == ("arm64" if queue.kind == "arm" else "x86_64")
            assert bool(queue.most_gpus) is (queue.kind == "gpu")
            assert queue.most_vcpus
            assert queue.most_memory_mib


@pytest.mark.cdk_variants("prod")
@pytest.mark.parametrize(
    ("spec", "resources", "first"),
    [
        (JobSpec(), Resources(vcpus=4, memory_mib=8192), "spot"),
        (JobSpec(architecture="arm64"), Resources(vcpus=4, memory_mib=8192), "arm"),
        (JobSpec(), Resources(vcpus=4, memory_mib=8192, gpus=1), "gpu"),
        (JobSpec(queue="fargate"), Resources(vcpus=4, memory_mib=8192), "fargate"),
    ],
    ids=["x86", "arm", "gpu", "fargate"],
)
def test_what_spot_did_not_finish_goes_to_capacity_that_stays(
    settings: Settings, spec: JobSpec, resources: Resources, first: str
) -> None:
    asked = request(spec, project="fraud-detection", domain="production", resources=resources)
    last = "on-demand" if first == "spot" else f"{first}-on-demand"
    found = choose(asked, settings)
    assert found.last is not None
    assert [queue.name.removeprefix("aerodrome-prod-production-") for queue in found.queues] == [first, last]
    # Nor is the last of Flyte's attempts taken back.
    assert choose(replace(asked, interruptible=False), settings).arn == found.last.arn


@pytest.mark.cdk_variants("prod")
@pytest.mark.parametrize("interruptible", [None, True, False])
def test_what_is_too_large_for_the_capacity_that_stays_goes_to_the_larger_one(
    settings: Settings, *, interruptible: bool | None
) -> None:
    name = "aerodrome-prod-production-gpu"
    most = {queue.name: queue.most_vcpus for queue in settings.queues_of("production")}
    stays, larger = most[f"{name}-on-demand"], most[name]
    assert stays is not None
    assert larger is not None
    assert stays < larger
    resources = Resources(vcpus=larger, memory_mib=8192, gpus=8)
    asked = request(
        project="fraud-detection", domain="production", resources=resources, interruptible=interruptible, job_role=None
    )

    found = plan(asked, settings)[0]
    assert (found.queue.rpartition("/")[2], found.last_queue) == (name, None)


@pytest.mark.cdk_variants("prod")
@pytest.mark.parametrize(("gpus", "queue"), [(0, "on-demand"), (1, "gpu-on-demand")])
def test_jobs_of_several_nodes_have_a_queue_without_spot(settings: Settings, gpus: int, queue: str) -> None:
    resources = Resources(vcpus=8, memory_mib=8192, gpus=gpus)
    asked = request(JobSpec(nodes=2), project="fraud-detection", domain="production", resources=resources)
    found = choose(asked, settings)
    assert found.arn.endswith(f"/aerodrome-prod-production-{queue}")
    assert list(problems(found, asked, settings)) == []


def test_large_numbers_stay_whole(manifests: Mapping[str, Manifest], releases: Mapping[str, DeployedRelease]) -> None:
    # Helm reads numbers as floats, and writes 1454899 as 1.454899e+06 where it writes YAML.
    given = releases["aerodrome-flyte"].value("connectors", "aws-batch", "settings", "content")
    text = manifests["ConfigMap"]["data"]["settings.yaml"]

    assert yaml.safe_load(text) == given
    assert "e+" not in text


@pytest.mark.cdk_variants("prod")
def test_the_largest_instances_are_of_families_that_jobs_run_on(environment: Environment) -> None:
    plenty = environment.batch.model_copy(
        update={"spot_vcpus": 5000, "arm": environment.batch.gpu, "fargate_vcpus": 5000}
    )
    assert environment.batch.gpu is not None
    everything = environment.model_copy(
        update={
            "batch": plenty.model_copy(
                update={
                    "arm": environment.batch.gpu.model_copy(update={"spot_vcpus": 5000}),
                    "gpu": environment.batch.gpu.model_copy(update={"spot_vcpus": 5000}),
                }
            )
        }
    )
    for kind, family, largest in (
        (Kind.SPOT, X86, "r7i.48xlarge"),
        (Kind.ARM, ARM, "r8g.48xlarge"),
        (Kind.GPU, GPU, "g6.48xlarge"),
    ):
        shape, most = instance_shape(largest), job_limits(everything, kind)
        assert shape.family in family.families
        assert most.vcpus == shape.vcpus
        assert most.gpus == shape.gpus
        if shape.memory_gib is not None:
            assert most.memory_gib == shape.memory_gib
        # What a virtual machine does not see of it: 7.5 %.
        assert most.memory_mib == int(most.memory_gib * 1024 * 0.925)
    fargate = job_limits(everything, Kind.FARGATE)
    assert (fargate.vcpus, fargate.memory_mib) == (32, 249_856)


@pytest.mark.cdk_variants("prod")
@pytest.mark.parametrize(
    ("kind", "ceiling", "expected"),
    [
        (Kind.SPOT, 64, (64, 512, 0)),
        (Kind.GPU, 8, (8, 32, 1)),
        (Kind.GPU, 64, (64, 256, 4)),
        (Kind.GPU, 96, (96, 384, 8)),
        (Kind.GPU_ON_DEMAND, 96, (4, 16, 1)),
        (Kind.FARGATE, 12, (8, 60, 0)),
        (Kind.FARGATE_ON_DEMAND, 12, (1, 8, 0)),
    ],
)
def test_a_job_has_no_more_than_all_jobs_may(
    environment: Environment, kind: Kind, ceiling: int, expected: tuple[int, int, int]
) -> None:
    assert environment.batch.gpu is not None
    low = {"spot_vcpus": ceiling, "on_demand_vcpus": min(ceiling, 4)}
    batch = environment.batch.model_copy(
        update={
            **low,
            "fargate_spot_vcpus": ceiling,
            "fargate_vcpus": 1,
            "gpu": environment.batch.gpu.model_copy(update=low),
        }
    )
    most = job_limits(environment.model_copy(update={"batch": batch}), kind)
    assert (most.vcpus, most.memory_gib, most.gpus) == expected


def test_its_pods_find_their_settings_where_the_variable_says(
    manifests: Mapping[str, Manifest], environment: Environment
) -> None:
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    mounts = {one["name"]: one for one in container["volumeMounts"]}
    (volume,) = [one for one in pod["volumes"] if "configMap" in one]

    assert variables[VARIABLE] == f"{DIRECTORY}/settings.yaml"
    assert variables["AWS_REGION"] == environment.region
    assert mounts[volume["name"]] == {"name": "settings", "mountPath": DIRECTORY, "readOnly": True}
    assert volume["configMap"] == {"name": NAME}
    assert manifests["ConfigMap"]["data"].keys() == {"settings.yaml"}


@pytest.mark.cdk_variants("dev")
def test_a_change_of_the_settings_starts_pods_anew(helm: Helm, environment: Environment) -> None:
    def annotations(values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        return rendered(helm, values)["Deployment"]["spec"]["template"]["metadata"]["annotations"]

    values = surroundings_of(environment)
    before = annotations(values)
    assert annotations(values) == before
    values["connectors"]["aws-batch"]["settings"]["content"]["shares"]["another"] = "another"
    assert annotations(values) != before


def test_a_connector_without_settings_gets_no_empty_file(helm: Helm, environment: Environment) -> None:
    values = {**surroundings_of(environment), "connectors": {"aws-batch": {"image": "ghcr.io/acme/a:1", "replicas": 2}}}
    found = rendered(helm, values)

    assert "ConfigMap" not in found
    assert "annotations" not in found["Deployment"]["spec"]["template"]["metadata"]


def test_its_type_is_bound_to_it_whether_or_not_a_pod_answers(asked: Mapping[str, Any]) -> None:
    # Found by asking, it would be gone while no pod answers, and live tasks be asked after nowhere.
    assert asked["connectorForTaskTypes"] == {BATCH_TASK_TYPE: "aws-batch"}
    # The key of a map, which loses its capitals.
    assert BATCH_TASK_TYPE.lower() == BATCH_TASK_TYPE
    assert BATCH_TASK_TYPE in asked["supportedTaskTypes"]


def test_a_version_of_its_type_that_is_bound_to_nobody_is_its_own(asked: Mapping[str, Any]) -> None:
    # Bound is version 0; flytekit's own map_task makes version 1 of any task.
    assert asked["defaultConnector"] == asked["connectors"]["aws-batch"]


def test_one_pod_is_asked_and_a_call_waits_for_one_that_answers(asked: Mapping[str, Any]) -> None:
    deployment = asked["connectors"]["aws-batch"]
    config = json.loads(deployment["defaultServiceConfig"])
    (method,) = config["methodConfig"]

    assert deployment["endpoint"] == f"dns:///{NAME}.flyte.svc.cluster.local:8000"
    assert config["loadBalancingConfig"] == [{"pick_first": {}}]
    # flyteidl/service/agent.proto. An empty name would hold for what looks for types of tasks, too, one by one.
    assert method["name"] == [{"service": "flyteidl.service.AsyncAgentService"}]
    assert method["waitForReady"] is True
    policy = method["retryPolicy"]
    # gRPC takes five attempts at most (https://github.com/grpc/proposal/blob/master/A6-client-retries.md).
    assert 1 < policy["maxAttempts"] <= 5
    assert policy["retryableStatusCodes"] == ["UNAVAILABLE"]


def test_propeller_asks_for_ever_and_as_often_as_live_tasks_need(
    asked: Mapping[str, Any], environment: Environment, settings: Settings
) -> None:
    caching, limiter = asked["webApi"]["caching"], asked["webApi"]["readRateLimiter"]
    seconds = int(caching["resyncInterval"].removesuffix("s"))
    # Errors are counted for ever: one at each question for a month, and it still asks.
    assert caching["maxSystemFailures"] > 30 * 24 * 3600 / seconds
    # What Flyte takes: minSyncDuration, maxWorkers, maxQPS, maxBurst in pluginmachinery/internal/webapi/core.go.
    assert seconds >= 5
    assert caching["workers"] <= 10_000
    assert limiter["burst"] <= 10_000
    assert limiter["qps"] >= environment.flyte.bears.tasks_held / seconds
    # Its answer comes in time.
    assert settings.patience_seconds < int(asked["connectors"]["aws-batch"]["defaultTimeout"].removesuffix("s"))


@pytest.mark.cdk_variants("dev")
@pytest.mark.parametrize(("shards", "replicas", "pods_at_work"), [(0, 3, 1), (4, 1, 1), (4, 3, 3), (2, 5, 2)])
def test_pods_that_are_at_work_together_call_no_more_than_one_would(
    environment: Environment, shards: int, replicas: int, pods_at_work: int
) -> None:
    assert environment.flyte.batch_connector is not None
    connector = environment.flyte.batch_connector.model_copy(update={"replicas": replicas})
    changes = {"propeller_shards": shards, "batch_connector": connector}
    changed = environment.model_copy(update={"flyte": environment.flyte.model_copy(update=changes)})
    content = surroundings_of(changed)["connectors"]["aws-batch"]["settings"]["content"]

    found, alone = Settings.model_validate(content).limits, Limits()
    assert found.submits * pods_at_work == pytest.approx(alone.submits, abs=0.02)
    assert found.describes * pods_at_work == pytest.approx(alone.describes, abs=0.02)


def test_others_connectors_are_asked_as_before(environment: Environment) -> None:
    without = environment.model_copy(update={"flyte": environment.flyte.model_copy(update={"batch_connector": None})})

    assert plugin(without) == {}
    assert surroundings_of(without)["connectors"] == {}


@pytest.mark.cdk_variants("dev")
def test_settings_without_a_connector_are_a_mistake(environment: Environment) -> None:
    without = environment.model_copy(update={"flyte": environment.flyte.model_copy(update={"batch_connector": None})})
    with pytest.raises(ValueError, match="is given, and none is in"):
        surroundings(without, inputs(environment))
    with pytest.raises(ValueError, match="is not given, and one is in"):
        surroundings(environment, None)


@pytest.mark.parametrize("on", [True, False])
def test_the_plugin_of_flyte_is_there_as_long_as_it_is_wanted(environment: Environment, *, on: bool) -> None:
    changed = environment.model_copy(update={"flyte": environment.flyte.model_copy(update={"batch_plugin": on})})
    values: Any = flyte_plugins.plugins(changed)
    found = values["configmap"]["enabled_plugins"]["tasks"]["task-plugins"]
    enabled: Sequence[str] = found["enabled-plugins"]

    assert ("aws_array" in enabled) is on
    assert (found["default-for-task-types"].get("aws-batch") == "aws_array") is on
    assert {"container", "connector-service"} <= set(enabled)
