"""Values of Prometheus and the exporters as Helm gets them."""

import re
from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.aws import instance_shape
from tests.charts.deployed import DeployedRelease, mebibytes


@pytest.fixture
def stack(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["kube-prometheus-stack"]


@pytest.mark.parametrize("selector", ["serviceMonitor", "podMonitor", "probe", "rule", "scrapeConfig"])
def test_monitors_and_rules_of_other_releases_are_taken(stack: DeployedRelease, selector: str) -> None:
    # By default only what carries this release's label is: Flyte's and MLflow's do not.
    assert stack.value("prometheus", "prometheusSpec", f"{selector}SelectorNilUsesHelmValues") is False


@pytest.mark.parametrize("component", ["kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy"])
def test_what_eks_keeps_to_itself_is_not_scraped(stack: DeployedRelease, component: str) -> None:
    assert stack.value(component, "enabled") is False


@pytest.mark.parametrize(
    "rules", ["etcd", "kubeControllerManager", "kubeSchedulerAlerting", "kubeSchedulerRecording", "kubeProxy"]
)
def test_no_alert_is_about_what_is_not_scraped(stack: DeployedRelease, rules: str) -> None:
    assert stack.value("defaultRules", "rules", rules) is False


def test_metrics_are_kept_as_long_as_the_environment_says(stack: DeployedRelease, environment: Environment) -> None:
    retention = stack.value("prometheus", "prometheusSpec", "retention")

    assert retention.endswith("s")
    assert int(retention.removesuffix("s")) == environment.retention.metrics.total_seconds()


def test_prometheus_stops_before_its_volume_is_full(stack: DeployedRelease, environment: Environment) -> None:
    spec = stack.value("prometheus", "prometheusSpec")
    size = spec["storageSpec"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]
    kept = re.fullmatch(r"(\d+)GiB", spec["retentionSize"])

    assert size == f"{environment.monitoring.storage_gib}Gi"
    assert kept
    assert 0.8 <= int(kept.group(1)) / environment.monitoring.storage_gib <= 0.9


def test_metrics_are_written_elsewhere_with_prometheus_own_role_where_the_environment_says_so(
    stack: DeployedRelease, environment: Environment
) -> None:
    url = environment.monitoring.remote_write
    spec, account = stack.value("prometheus", "prometheusSpec"), stack.value("prometheus", "serviceAccount")

    assert account["name"] == "prometheus"
    if url is None:
        assert "remoteWrite" not in spec
        assert "annotations" not in account
    else:
        assert spec["remoteWrite"] == [{"url": url, "sigv4": {"region": environment.region}}]
        assert "Prometheus" in account["annotations"]["eks.amazonaws.com/role-arn"]


@pytest.mark.parametrize(
    "keys",
    [
        ("prometheus", "prometheusSpec", "storageSpec"),
        ("alertmanager", "alertmanagerSpec", "storage"),
    ],
)
def test_state_is_on_the_platforms_storage_class(stack: DeployedRelease, keys: tuple[str, ...]) -> None:
    assert stack.value(*keys, "volumeClaimTemplate", "spec", "storageClassName") == "gp3"


def test_no_task_reads_metrics_or_silences_alerts(stack: DeployedRelease) -> None:
    policy = stack.value("extraManifests", "no-outsiders")
    (selected,) = policy["spec"]["podSelector"]["matchExpressions"]

    assert policy["metadata"]["namespace"] == stack.namespace
    assert set(selected["values"]) == {"prometheus", "alertmanager"}
    # From the same namespace: Grafana, the operator and each other.
    assert policy["spec"]["ingress"] == [{"from": [{"podSelector": {}}]}]


def test_the_exporter_of_objects_reads_no_secret(stack: DeployedRelease) -> None:
    assert stack.value("kube-state-metrics", "collectorsExclude") == ["secrets"]


def test_projects_pods_and_what_they_run_on_are_known_by_their_labels(stack: DeployedRelease) -> None:
    listed = [one.partition("=") for one in stack.value("kube-state-metrics", "metricLabelsAllowlist")]
    labels = {resource: set(names.strip("[]").split(",")) for resource, _, names in listed}

    assert {"project", "domain", "execution-id"} <= labels["pods"]
    assert {"aerodrome.io/project", "aerodrome.io/domain"} <= labels["namespaces"]
    assert {"karpenter.sh/nodepool", "karpenter.sh/capacity-type"} <= labels["nodes"]


def test_what_reads_the_node_is_where_pods_may(stack: DeployedRelease, releases: Mapping[str, DeployedRelease]) -> None:
    assert stack.value("prometheus-node-exporter", "namespaceOverride") == releases["aws-for-fluent-bit"].namespace


def test_prometheus_has_memory_for_the_nodes_that_there_may_be(
    stack: DeployedRelease, environment: Environment
) -> None:
    resources = stack.value("prometheus", "prometheusSpec", "resources")
    asked, limit = (mebibytes(resources[kind]["memory"]) for kind in ("requests", "limits"))
    cluster = environment.cluster
    fewest = cluster.system_nodes.max_size + sum(group.max_size for group in cluster.spot_nodes)

    assert asked > 35 * fewest
    assert limit == 2 * asked
    # A system node has room for it, beside others.
    node = instance_shape(cluster.system_nodes.instance_types[0]).memory_gib
    assert node
    assert asked <= node * 1024 / 2
