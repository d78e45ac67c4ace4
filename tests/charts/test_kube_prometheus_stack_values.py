"""Values of Prometheus, Alertmanager and Grafana as Helm gets them."""

from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease


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


def test_prometheus_stops_before_its_volume_is_full(stack: DeployedRelease) -> None:
    spec = stack.value("prometheus", "prometheusSpec")
    claim = spec["storageSpec"]["volumeClaimTemplate"]["spec"]
    size, kept = claim["resources"]["requests"]["storage"], spec["retentionSize"]

    assert (size[-2:], kept[-3:]) == ("Gi", "GiB")
    assert int(kept.removesuffix("GiB")) <= 0.9 * int(size.removesuffix("Gi"))


@pytest.mark.parametrize(
    "keys",
    [
        ("prometheus", "prometheusSpec", "storageSpec"),
        ("alertmanager", "alertmanagerSpec", "storage"),
    ],
)
def test_state_is_on_the_platforms_storage_class(stack: DeployedRelease, keys: tuple[str, ...]) -> None:
    assert stack.value(*keys, "volumeClaimTemplate", "spec", "storageClassName") == "gp3"


def test_grafanas_password_is_read_from_a_secret_that_is_made(
    stack: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    # The chart would make a new one with every render.
    admin = stack.value("grafana", "admin")
    made = releases["monitoring-secrets"].value("secrets", admin["existingSecret"])

    assert made.keys() == {admin["userKey"], admin["passwordKey"]}
    assert "adminPassword" not in stack.value("grafana")


def test_grafana_is_reached_through_the_front_door(
    stack: DeployedRelease, releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    grafana = stack.value("grafana")
    host = f"grafana.{environment.access.domain_name}"

    assert grafana["ingress"]["enabled"] is True
    assert grafana["ingress"]["ingressClassName"] == "alb"
    assert grafana["ingress"]["hosts"] == [host]
    assert grafana["ingress"]["annotations"] == releases["mlflow"].value("ingress", "annotations")
    assert grafana["service"]["annotations"]["alb.ingress.kubernetes.io/healthcheck-path"] == "/api/health"
    # Links in alerts and the path of sign-on start here.
    assert grafana["grafana.ini"]["server"]["root_url"] == f"https://{host}"


def test_nobody_makes_an_account_for_themselves(stack: DeployedRelease) -> None:
    assert stack.value("grafana", "grafana.ini", "users", "allow_sign_up") is False
    assert stack.value("grafana", "grafana.ini", "security", "cookie_secure") is True


def test_grafana_reads_cloudwatch_with_its_role(stack: DeployedRelease, environment: Environment) -> None:
    account = stack.value("grafana", "serviceAccount")
    (cloudwatch,) = stack.value("grafana", "additionalDataSources")

    assert account["name"] == "grafana"
    assert account["annotations"]["eks.amazonaws.com/role-arn"].startswith("${")
    assert cloudwatch["jsonData"] == {"authType": "default", "defaultRegion": environment.region}


def test_the_charts_test_pod_is_not_part_of_the_release(stack: DeployedRelease) -> None:
    assert stack.value("grafana", "testFramework", "enabled") is False
