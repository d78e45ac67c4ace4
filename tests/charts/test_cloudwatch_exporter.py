"""The exporter of CloudWatch's metrics: what it asks for, what comes of it, and how it runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from aerodrome_stacks.chart_values.cloudwatch_exporter import cloudwatch_exporter
from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease
from tests.charts.helm import Helm, Manifest
from tests.charts.yace_names import OWN, asked_for, series_name, series_names
from tests.stacks.test_private import private_environment

LISTED = Path(__file__).parent / "metrics" / "yace.txt"
ROUNDS_A_MONTH = 30 * 86_400 // 300
# GetMetricStatistics and ListMetrics: https://aws.amazon.com/cloudwatch/pricing/, "Free Tier".
FREE_REQUESTS = 1_000_000


@pytest.fixture
def exporter(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["aerodrome-cloudwatch-exporter"]


@pytest.fixture
def manifests(exporter: DeployedRelease, helm: Helm) -> Mapping[str, Manifest]:
    """What the chart makes, by kind: one of each."""
    rendered = helm.template(
        exporter.folder, release=exporter.name, namespace=exporter.namespace, values=exporter.values
    )
    by_kind = {manifest["kind"]: manifest for manifest in rendered}
    assert len(by_kind) == len(rendered)
    return by_kind


@pytest.mark.parametrize(
    ("namespace", "metric", "statistic", "name"),
    [
        # The first four from YACE's own tests: pkg/promutil/migrate_test.go, TestBuildMetricName.
        ("AWS/ElastiCache", "CPUUtilization", "Average", "aws_elasticache_cpuutilization_average"),
        ("Glue", "glue.driver.aggregate.bytesRead", "Average", "aws_glue_driver_aggregate_bytes_read_average"),
        ("Glue", "aggregate.glue.jobs.bytesRead", "Average", "aws_glue_aggregate_glue_jobs_bytes_read_average"),
        (
            "/aws/sagemaker/TrainingJobs",
            "CPUUtilization",
            "Average",
            "aws_sagemaker_trainingjobs_cpuutilization_average",
        ),
        ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", "aws_applicationelb_httpcode_elb_5_xx_count_sum"),
        ("Aerodrome/Batch", "EstimatedUsd", "Sum", "aws_aerodrome_batch_estimated_usd_sum"),
    ],
)
def test_series_are_named_as_yace_names_them(namespace: str, metric: str, statistic: str, name: str) -> None:
    assert series_name(namespace, metric, statistic) == name


def test_every_series_is_listed_and_nothing_else(exporter: DeployedRelease, environment: Environment) -> None:
    lines = LISTED.read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    # Burstable instances alone have credits.
    credits_alone = (
        set() if environment.database.instance_class.startswith("db.t") else {"aws_rds_cpucredit_balance_minimum"}
    )

    assert listed == sorted(listed)
    assert set(listed) == series_names(exporter.values) | set(OWN) | credits_alone


def test_what_is_asked_for_by_name_is_the_database_and_every_queue(
    exporter: DeployedRelease, environment: Environment
) -> None:
    prefix = f"aerodrome-{environment.name}"
    asked = [
        (job["namespace"], *dimension.values()) for job in exporter.value("static") for dimension in job["dimensions"]
    ]

    assert ("AWS/RDS", "DBInstanceIdentifier", f"{prefix}-database") in asked
    queues = {name for namespace, _, name in asked if namespace == "AWS/SQS"}
    assert queues >= {
        f"{prefix}-ingest-dead-letters",
        f"{prefix}-interruptions-unhandled",
        f"{prefix}-job-events",
        f"{prefix}-job-events-uncounted",
    }
    # Karpenter's own has the name that CloudFormation gave it.
    assert any(name.startswith("${") for name in queues)


def test_static_jobs_ask_for_plain_levels(exporter: DeployedRelease) -> None:
    # Without a plain statistic YACE panics (string(statistics[0]) in pkg/clients/cloudwatch/input.go), and a sum over
    # minutes of which the last are missing would never be right.
    statistics = {statistic for job, _, statistic in asked_for(exporter.values) if "dimensions" in job}

    assert statistics == {"Average", "Maximum", "Minimum"}


def test_sums_are_of_whole_periods_that_are_over(exporter: DeployedRelease) -> None:
    jobs: Sequence[Mapping[str, Any]] = exporter.value("customNamespace")
    assert jobs

    for job in jobs:
        interval = exporter.value("scrapingInterval")
        assert (job["period"], job["length"]) == (interval, interval)
        assert job["delay"] >= interval
    for job, metric, statistic in asked_for(exporter.values):
        if statistic == "Sum":
            assert job["nilToZero"] is True, metric["name"]


def test_a_measure_that_is_missing_is_not_zero(exporter: DeployedRelease) -> None:
    measured = {"RunnableAge", "WaitSeconds", "TargetResponseTime", "HealthyHostCount", "cpu_usage_active"}
    found = {metric["name"]: job["nilToZero"] for job, metric, _ in asked_for(exporter.values) if "delay" in job}

    assert {name: found[name] for name in measured} == dict.fromkeys(measured, False)


def test_only_the_environments_own_series_are_kept(manifests: Mapping[str, Manifest], environment: Environment) -> None:
    (endpoint,) = manifests["ServiceMonitor"]["spec"]["endpoints"]
    (rule,) = endpoint["metricRelabelings"]

    # Prometheus anchors it. What has no such dimension is in no namespace of ours.
    assert (rule["sourceLabels"], rule["regex"], rule["action"]) == (
        ["dimension_Environment"],
        f"|{environment.name}",
        "keep",
    )
    # Prometheus takes a series for gone five minutes after its last sample.
    assert endpoint["interval"] == "60s"


@pytest.mark.cdk_variants("prod")
def test_a_private_network_has_no_nat_gateway_to_ask_for(exporter: DeployedRelease) -> None:
    def namespaces(values: Mapping[str, Any]) -> set[str]:
        return {job["namespace"] for job in values["customNamespace"]}

    private = cloudwatch_exporter(private_environment(), role_arn="role", database="database", queue_names=[])

    assert namespaces(exporter.values) - namespaces(private) == {"AWS/NATGateway"}


def test_the_calls_of_a_month_are_free(exporter: DeployedRelease) -> None:
    metrics = sum(len(job["metrics"]) for job in (*exporter.value("static"), *exporter.value("customNamespace")))

    assert exporter.value("scrapingInterval") == 300
    # Static jobs make one call for a metric, and those by namespace list it.
    assert metrics * ROUNDS_A_MONTH < FREE_REQUESTS


def test_yace_reads_what_the_values_say(
    manifests: Mapping[str, Manifest], exporter: DeployedRelease, environment: Environment
) -> None:
    config = yaml.safe_load(manifests["ConfigMap"]["data"]["config.yml"])

    assert config == {
        "apiVersion": "v1alpha1",
        "sts-region": environment.region,
        "static": exporter.value("static"),
        "customNamespace": exporter.value("customNamespace"),
    }


def test_a_change_of_what_is_asked_for_starts_it_anew(exporter: DeployedRelease, helm: Helm) -> None:
    def checksum(values: Mapping[str, Any]) -> str:
        rendered = helm.template(exporter.folder, release=exporter.name, namespace="monitoring", values=values)
        (deployment,) = [manifest for manifest in rendered if manifest["kind"] == "Deployment"]
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    fewer = {**exporter.values, "static": exporter.value("static")[1:]}

    assert checksum(exporter.values) != checksum(fewer)


def test_the_pod_takes_its_role_and_nothing_of_kubernetes(manifests: Mapping[str, Manifest]) -> None:
    account, deployment = manifests["ServiceAccount"], manifests["Deployment"]
    pod = deployment["spec"]["template"]["spec"]

    assert account["metadata"]["name"] == pod["serviceAccountName"] == "cloudwatch-exporter"
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].startswith("${")
    assert account["automountServiceAccountToken"] is pod["automountServiceAccountToken"] is False
    # Two would ask, and pay, twice.
    assert deployment["spec"]["replicas"] == 1


def test_iam_which_has_no_endpoint_is_not_waited_for(manifests: Mapping[str, Manifest]) -> None:
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]

    assert container["env"] == [{"name": "AWS_ENDPOINT_URL_IAM", "value": "http://127.0.0.1:9"}]


def test_prometheus_alone_reads_it(manifests: Mapping[str, Manifest]) -> None:
    policy, service = manifests["NetworkPolicy"]["spec"], manifests["Service"]["spec"]
    labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]

    assert policy["policyTypes"] == ["Ingress"]
    assert policy["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}]
    for selector in (policy["podSelector"]["matchLabels"], service["selector"]):
        assert selector.items() <= labels.items()
