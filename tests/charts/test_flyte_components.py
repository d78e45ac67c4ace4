"""How Flyte's own components run: traps of flyte-core v1.16.8 that bite on EKS."""

import pytest

from aerodrome_constructs.cluster.scheduling import GPU_TAINT, INTERRUPTIBLE_LABEL, INTERRUPTIBLE_TAINT, TASK_TAINT
from tests.charts.deployed import DeployedRelease, mebibytes

COMPONENTS = ("flyteadmin", "flytescheduler", "datacatalog", "flyteconsole", "flytepropeller", "webhook")


def test_the_crd_is_not_the_charts_to_delete(flyte: DeployedRelease) -> None:
    assert flyte.value("flytepropeller", "createCRDs") is False


def test_the_lease_is_in_the_releases_namespace(flyte: DeployedRelease) -> None:
    lock = flyte.value("configmap", "core", "propeller", "leader-election", "lock-config-map")

    assert lock["namespace"] == flyte.namespace
    assert flyte.value("flytepropeller", "replicaCount") == 2


def test_propeller_has_more_than_the_charts_token_resources(flyte: DeployedRelease) -> None:
    # 4 workers on 200m CPU and 200Mi.
    limits = flyte.value("flytepropeller", "resources", "limits")

    assert flyte.value("configmap", "core", "propeller", "workers") >= 40
    assert float(limits["cpu"]) >= 1
    assert mebibytes(limits["memory"]) >= 2048


def test_the_api_server_is_asked_fast_enough_for_the_workers(flyte: DeployedRelease) -> None:
    client = flyte.value("configmap", "core", "propeller", "kube-client-config")

    assert client["qps"] >= 100
    assert client["burst"] > client["qps"]
    assert client["timeout"] == "30s"


def test_a_busy_round_enqueues_no_slower_than_workers_take(flyte: DeployedRelease) -> None:
    # The chart lets 10 nodes a second wake their workflow: with 100 workers, most would wait for the next full round.
    sub_queue = flyte.value("configmap", "core", "propeller", "queue", "sub-queue")

    assert sub_queue["rate"] >= flyte.value("configmap", "core", "propeller", "workers")
    assert sub_queue["capacity"] >= 10 * sub_queue["rate"]


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


@pytest.mark.parametrize("component", [name for name in COMPONENTS if name != "flyteconsole"])
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


def test_no_log_link_leads_nowhere(flyte: DeployedRelease) -> None:
    # Nothing collects pods' logs yet.
    logs = flyte.value("configmap", "task_logs", "plugins", "logs")

    assert logs == {"cloudwatch-enabled": False, "kubernetes-enabled": False}


def test_what_the_chart_puts_through_its_template_engine_has_no_template_in_it(flyte: DeployedRelease) -> None:
    # configmap.* and the cluster resources' config go through `tpl`; the cluster resource templates do not.
    rendered = [flyte.value("configmap"), flyte.value("cluster_resource_manager", "config"), flyte.value("db")]

    assert "{{" not in str(rendered)


@pytest.mark.parametrize("component", COMPONENTS)
def test_system_calls_are_filtered(flyte: DeployedRelease, component: str) -> None:
    assert flyte.value(component, "securityContext", "seccompProfile") == {"type": "RuntimeDefault"}


def test_propeller_is_not_root(flyte: DeployedRelease) -> None:
    # The one component whose default does not say so.
    assert flyte.value("flytepropeller", "securityContext", "runAsNonRoot") is True


@pytest.mark.parametrize("component", ["flyteadmin", "datacatalog", "flyteconsole", "flytepropeller"])
def test_what_can_run_twice_does(flyte: DeployedRelease, component: str) -> None:
    assert flyte.value(component, "replicaCount") == 2


@pytest.mark.parametrize("probe", ["livenessProbe", "readinessProbe"])
def test_the_console_has_the_probes_that_the_chart_has_values_for(flyte: DeployedRelease, probe: str) -> None:
    assert flyte.value("flyteconsole", probe, "httpGet") == {"path": "/console", "port": 8080}
