"""How Flyte's own components run: traps of flyte-core v1.16.8 that bite on EKS."""

import pytest
import yaml

from aerodrome_constructs.cluster.scheduling import GPU_TAINT, INTERRUPTIBLE_LABEL, INTERRUPTIBLE_TAINT, TASK_TAINT
from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease, mebibytes

COMPONENTS = ("flyteadmin", "flytescheduler", "datacatalog", "flyteconsole", "flytepropeller", "webhook")


def test_the_crd_is_not_the_charts_to_delete(flyte: DeployedRelease) -> None:
    assert flyte.value("flytepropeller", "createCRDs") is False


def test_the_lease_is_in_the_releases_namespace(flyte: DeployedRelease) -> None:
    lock = flyte.value("configmap", "core", "propeller", "leader-election", "lock-config-map")

    assert lock["namespace"] == flyte.namespace
    assert flyte.value("flytepropeller", "replicaCount") == 2


def test_propeller_has_what_its_load_class_says(flyte: DeployedRelease, environment: Environment) -> None:
    load = environment.flyte.bears
    resources = flyte.value("flytepropeller", "resources")
    propeller = flyte.value("configmap", "core", "propeller")

    assert propeller["workers"] == load.workers
    assert propeller["kube-client-config"] == {"qps": load.kube_qps, "burst": load.kube_burst, "timeout": "30s"}
    assert (resources["requests"]["cpu"], resources["limits"]["cpu"]) == (
        str(load.propeller_cpus),
        str(2 * load.propeller_cpus),
    )
    # What it may have it has asked for: it fills what it gets, and a node that is short of memory takes it first.
    assert resources["requests"]["memory"] == resources["limits"]["memory"] == f"{load.propeller_memory_gib}Gi"


def test_propeller_collects_garbage_before_it_would_be_killed(flyte: DeployedRelease) -> None:
    (variable,) = flyte.value("flytepropeller", "podEnv")
    limit = mebibytes(flyte.value("flytepropeller", "resources", "limits", "memory"))

    assert variable["name"] == "GOMEMLIMIT"
    # Go's MiB is Kubernetes' Mi.
    assert 0.85 * limit < float(variable["value"].removesuffix("MiB")) < 0.95 * limit


def test_a_busy_round_enqueues_no_slower_than_workers_take(flyte: DeployedRelease) -> None:
    # The chart lets 10 nodes a second wake their workflow: with 100 workers, most would wait for the next full round.
    for queue in ("queue", "sub-queue"):
        bucket = flyte.value("configmap", "core", "propeller", "queue", queue)

        assert bucket["rate"] >= flyte.value("configmap", "core", "propeller", "workers")
        assert bucket["capacity"] >= 10 * bucket["rate"]


def test_large_workflows_and_inputs_stay_out_of_etcd(flyte: DeployedRelease) -> None:
    admin = flyte.value("configmap", "adminServer", "flyteadmin")

    assert admin["useOffloadedWorkflowClosure"] is True
    assert admin["useOffloadedInputs"] is True
    assert flyte.value("configmap", "core", "propeller", "literal-offloading-config", "enabled") is True


def test_interruptible_tasks_go_to_their_nodes_and_others_stay_away(flyte: DeployedRelease) -> None:
    pods = flyte.value("configmap", "k8s", "plugins", "k8s")
    nodes = {"key": INTERRUPTIBLE_LABEL.key, "values": [INTERRUPTIBLE_LABEL.value]}

    assert pods["interruptible-tolerations"] == [INTERRUPTIBLE_TAINT.toleration]
    assert pods["interruptible-node-selector-requirement"] == {**nodes, "operator": "In"}
    assert pods["non-interruptible-node-selector-requirement"] == {**nodes, "operator": "NotIn"}


def test_every_task_tolerates_the_nodes_that_are_for_tasks_only(flyte: DeployedRelease) -> None:
    assert flyte.value("configmap", "k8s", "plugins", "k8s", "default-tolerations") == [TASK_TAINT.toleration]


def test_tasks_with_gpus_tolerate_the_nodes_that_have_some(flyte: DeployedRelease) -> None:
    pods = flyte.value("configmap", "k8s", "plugins", "k8s")

    assert pods["resource-tolerations"] == {"nvidia.com/gpu": [GPU_TAINT.toleration]}


def test_karpenter_leaves_a_running_task_alone(flyte: DeployedRelease) -> None:
    annotations = flyte.value("configmap", "k8s", "plugins", "k8s", "default-annotations")

    assert annotations["karpenter.sh/do-not-disrupt"] == "true"


def test_an_interruption_is_retried_and_the_last_attempt_is_on_demand(flyte: DeployedRelease) -> None:
    nodes = flyte.value("configmap", "core", "propeller", "node-config")

    assert nodes["max-node-retries-system-failures"] > 1
    # Counted from the end: all attempts but the last may be interrupted.
    assert nodes["interruptible-failure-threshold"] == -1


def test_no_autoscaler_evicts_a_task(flyte: DeployedRelease) -> None:
    annotations = flyte.value("configmap", "k8s", "plugins", "k8s", "default-annotations")

    # Naming Karpenter's replaces Flyte's default, so the cluster autoscaler's is restated.
    assert annotations == {
        "karpenter.sh/do-not-disrupt": "true",
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    }


def test_schedules_run(flyte: DeployedRelease) -> None:
    assert flyte.value("workflow_scheduler") == {"enabled": True, "type": "native"}


@pytest.mark.parametrize("component", [name for name in COMPONENTS if name != "flytepropeller"])
def test_pod_security_would_let_the_pods_in(flyte: DeployedRelease, component: str) -> None:
    # The chart's default asks for the SELinux type spc_t, which the level "baseline" refuses.
    assert flyte.value(component, "securityContext", "seLinuxOptions") is None


@pytest.mark.parametrize("component", COMPONENTS)
def test_components_run_on_the_platforms_nodes_before_tasks(flyte: DeployedRelease, component: str) -> None:
    assert flyte.value(component, "priorityClassName") == "aerodrome-platform"
    assert flyte.value(component, "nodeSelector") == {"aerodrome.io/capacity": "system"}


@pytest.mark.parametrize("component", [*COMPONENTS, "cluster_resource_manager"])
def test_components_have_resources_set(flyte: DeployedRelease, component: str) -> None:
    resources = flyte.value(component, "resources")

    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert "memory" in resources["limits"]


@pytest.mark.parametrize("component", ["flyteadmin", "datacatalog", "flytepropeller", "flytescheduler"])
def test_metrics_are_scraped(flyte: DeployedRelease, component: str) -> None:
    assert flyte.value(component, "serviceMonitor", "enabled") is True


@pytest.mark.parametrize("component", ["flytepropeller", "flytescheduler"])
def test_a_service_monitor_has_a_service(flyte: DeployedRelease, component: str) -> None:
    # These two have none by default.
    assert flyte.value(component, "service", "enabled") is True


def test_what_the_chart_puts_through_its_template_engine_has_no_template_in_it(flyte: DeployedRelease) -> None:
    # configmap.* and the cluster resources' config go through `tpl`; the cluster resource templates do not.
    # The links to logs have one on purpose: test_flyte_logs.py.
    configmap = {key: value for key, value in flyte.value("configmap").items() if key != "task_logs"}
    rendered = [configmap, flyte.value("cluster_resource_manager", "config"), flyte.value("db")]

    assert "{{" not in str(rendered)


@pytest.mark.parametrize("component", ["webhook", "cluster_resource_manager"])
def test_what_has_no_service_monitor_has_a_name_for_the_port_of_its_metrics(
    flyte: DeployedRelease, component: str
) -> None:
    assert flyte.value(component, "prometheus", "enabled") is True


def test_how_long_calls_take_is_measured(flyte: DeployedRelease) -> None:
    assert flyte.value("configmap", "adminServer", "server", "grpc", "enableGrpcLatencyMetrics") is True
    assert flyte.value("configmap", "core", "propeller", "enable-grpc-latency-metrics") is True


@pytest.mark.parametrize("component", COMPONENTS)
def test_system_calls_are_filtered(flyte: DeployedRelease, component: str) -> None:
    assert flyte.value(component, "securityContext", "seccompProfile") == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_nothing_runs_as_root(flyte: DeployedRelease, component: str) -> None:
    assert flyte.value(component, "securityContext", "runAsNonRoot") is True


@pytest.mark.parametrize("component", ["datacatalog", "flyteconsole", "flytepropeller"])
def test_what_can_run_twice_does(flyte: DeployedRelease, component: str) -> None:
    assert flyte.value(component, "replicaCount") == 2


@pytest.mark.parametrize(("component", "least"), [("flyteadmin", 3), ("webhook", 2)])
def test_what_grows_with_its_load_is_never_alone(flyte: DeployedRelease, component: str, least: int) -> None:
    scaled = flyte.value(component, "autoscaling")

    assert scaled["enabled"] is True
    assert scaled["maxReplicas"] > scaled["minReplicas"] == least
    # The chart's second metric is memory, which caches fill and never give back.
    assert [metric["resource"]["name"] for metric in scaled["metrics"]] == ["cpu"]
    assert "cpu" in flyte.value(component, "resources", "requests")


@pytest.mark.parametrize(
    ("component", "label"),
    [
        ("flyteadmin", {"matchLabels": {"app.kubernetes.io/name": "flyteadmin"}}),
        ("datacatalog", {"matchLabels": {"app.kubernetes.io/name": "datacatalog"}}),
        ("flyteconsole", {"matchLabels": {"app.kubernetes.io/name": "flyteconsole"}}),
        (
            "flytepropeller",
            {
                "matchExpressions": [
                    {
                        "key": "app.kubernetes.io/name",
                        "operator": "In",
                        "values": ["flytepropeller", "flytepropeller-manager"],
                    }
                ]
            },
        ),
    ],
)
def test_pods_keep_apart_where_there_is_room(flyte: DeployedRelease, component: str, label: object) -> None:
    # Required, a pod that a rollout adds had nowhere to go.
    ((kind, terms),) = flyte.value(component, "affinity", "podAntiAffinity").items()

    assert kind == "preferredDuringSchedulingIgnoredDuringExecution"
    assert {term["podAffinityTerm"]["topologyKey"] for term in terms} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    assert all(term["podAffinityTerm"]["labelSelector"] == label for term in terms)


@pytest.mark.parametrize("probe", ["livenessProbe", "readinessProbe"])
def test_the_probes_of_flyteadmin_can_fail(flyte: DeployedRelease, probe: str) -> None:
    # The chart's call curl, which is not in the image, and the shell takes that for health.
    read = yaml.safe_load(flyte.value("flyteadmin", probe))

    assert read["httpGet"] == {"path": "/healthcheck", "port": 8088}
    assert "exec" not in read


@pytest.mark.parametrize("probe", ["livenessProbe", "readinessProbe"])
def test_the_console_has_the_probes_that_the_chart_has_values_for(flyte: DeployedRelease, probe: str) -> None:
    assert flyte.value("flyteconsole", probe, "httpGet") == {"path": "/console", "port": 8080}


def test_one_propeller_leads_unless_they_share(flyte: DeployedRelease, environment: Environment) -> None:
    assert environment.flyte.propeller_shards == 0
    assert flyte.value("flytepropeller", "manager") is False
    assert "manager" not in flyte.value("configmap", "core")


def test_the_manager_of_shards_asks_for_little(flyte: DeployedRelease) -> None:
    resources = flyte.value("flytepropeller", "manager_resources", "resources")

    assert mebibytes(resources["limits"]["memory"]) <= 256
    assert {"cpu", "memory"} <= resources["requests"].keys()
