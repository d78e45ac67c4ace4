"""Releases, AWS Batch, what fails in operation, and what an API server says of the charts."""

import json
import re
from typing import Any

from tests.charts.rendered.connectors import connectors_are_known
from tests.charts.rendered.facts import Fact, Platform, given, kept, leaves, off, on, sets

_BATCH = "flyte:configmap.k8s.plugins.aws.batch"
_AWS = "flyte:configmap.k8s.plugins.aws"
_PROPELLER = "flyte:configmap.core.propeller"
_PLUGINS = "flyte:configmap.enabled_plugins.tasks.task-plugins"
_PROMETHEUS = "kube-prometheus-stack:prometheus.prometheusSpec"


def _flag(platform: Platform, name: str) -> int:
    (flag,) = (one for one in platform.at("flyte:flytepropeller.extraArgs") if one.startswith(f"--{name}="))
    return int(flag.removeprefix(f"--{name}="))


def _kinds(platform: Platform, release: str) -> list[str]:
    return [manifest["kind"] for manifest in platform.cluster.manifests[release]]


def _alerts(platform: Platform, rules: str) -> list[dict[str, Any]]:
    groups = platform.one("aerodrome-monitoring", "PrometheusRule", rules)["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


RELEASES = [
    kept(
        "1.1",
        "an unpinned chart's name installs Flyte 2: flyte-core is pinned to the last of Flyte 1",
        lambda platform: platform.releases["flyte"].version == "v1.16.8",
    ),
    kept(
        "1.1",
        "every upstream chart is pinned to a version",
        lambda platform: all(release.version for release in platform.releases.values() if release.chart),
    ),
    kept(
        "1.3",
        "only flyte-core has quotas, several pods and the Batch plugin: flyte-binary is one pod",
        lambda platform: platform.releases["flyte"].chart == "flyte-core",
    ),
]

BATCH = [
    kept(
        "3.2",
        "the default region is us-east-2",
        lambda platform: bool(platform.at(f"{_AWS}.region") == platform.environment.region),
    ),
    kept(
        "3.2",
        "the account's number is text: as a number, leading zeros go",
        lambda platform: bool(platform.at(f"{_AWS}.accountId") == platform.environment.account),
    ),
    kept(
        "3.2",
        "the plugin finds a role under flyteadmin's roleNameKey, or gives jobs none",
        lambda platform: bool(
            platform.at(f"{_BATCH}.roleAnnotationKey")
            == platform.at("flyte:configmap.adminServer.flyteadmin.roleNameKey")
        ),
    ),
    given("3.2", f"{_BATCH}.defaultTimeout", "72 hours of a hung job cost money", lambda timeout: timeout == "24h"),
    given("3.2", f"{_BATCH}.defCacheSize", "bytes, though the flag says items", lambda size: size >= 2**20),
    sets("3.6", f"{_BATCH}.maxRetries", 9, "attempts are retries + 1, and AWS takes 10"),
    given("3.6", f"{_BATCH}.minRetries", "no retry still means two attempts", lambda retries: retries == 1),
    given("3.2", f"{_PLUGINS}.enabled-plugins", "the plugin is off by default", lambda plugins: "aws_array" in plugins),
    sets("3.2", f"{_PLUGINS}.default-for-task-types.aws-batch", "aws_array", "tasks of type aws-batch go there"),
    given(
        "3.7",
        f"{_PLUGINS}.default-for-task-types.container_array",
        "globally, map tasks on the plugin write where nobody reads",
        lambda plugin: plugin == "k8s-array",
    ),
    given(
        "3.8",
        "flyte:configmap.adminServer.queues.executionQueues",
        "a task's queue is the queue's name in Batch",
        lambda queues: bool(queues) and all(queue["dynamic"].startswith("aerodrome-") for queue in queues),
    ),
    given(
        "3.6",
        "flyte:configmap.adminServer.queues.executionQueues",
        "Flyte names no share, so its queues are without fair share: those that carry its name",
        lambda queues: all("-flyte-" in queue["dynamic"] for queue in queues),
    ),
    given(
        "3.8",
        "flyte:configmap.adminServer.queues.workflowConfigs",
        "without a rule for any domain, a task of another gets no queue and fails",
        lambda rules: any("domain" not in rule for rule in rules),
    ),
]

METRICS = [
    *(
        on("4", f"flyte:{component}.serviceMonitor.enabled", "off by default")
        for component in ("flyteadmin", "datacatalog", "flytepropeller", "flytescheduler")
    ),
    *(
        on("4", f"flyte:{component}.service.enabled", "a ServiceMonitor without a Service selects nothing")
        for component in ("flytepropeller", "flytescheduler")
    ),
    on("4", f"{_PROPELLER}.enable-grpc-latency-metrics", "how long propeller's calls take"),
    off("4", f"{_PROMETHEUS}.serviceMonitorSelectorNilUsesHelmValues", "else Flyte's monitors are ignored"),
    off("4", f"{_PROMETHEUS}.podMonitorSelectorNilUsesHelmValues", "the same"),
    off("4", f"{_PROMETHEUS}.ruleSelectorNilUsesHelmValues", "else our rules are ignored"),
    *(
        off("4", f"kube-prometheus-stack:{component}.enabled", "EKS lets nobody scrape it: absent for ever")
        for component in ("kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy")
    ),
    kept(
        "4",
        "the repository of Flyte has no alerts and no objectives: ours are rules in the cluster",
        lambda platform: _kinds(platform, "aerodrome-monitoring").count("PrometheusRule") >= 1,
    ),
    kept(
        "4",
        "workflows too large, round latency, free workers and the scheduler are alerted on",
        lambda platform: all(
            series in _rules(platform)
            for series in (
                "wf_too_large",
                "round:round_time",
                "free_workers_count",
                "panic",
                "metastore:",
            )
        ),
    ),
    kept(
        "4",
        "every alert names the page that says what to do",
        lambda platform: all(
            rule["annotations"]["runbook"].startswith("runbooks/")
            for manifest in platform.cluster.manifests["aerodrome-monitoring"]
            if manifest["kind"] == "PrometheusRule"
            for group in manifest["spec"]["groups"]
            for rule in group["rules"]
            if "alert" in rule
        ),
    ),
]


def _rules(platform: Platform) -> str:
    rules = [one for one in platform.cluster.manifests["aerodrome-monitoring"] if one["kind"] == "PrometheusRule"]
    return json.dumps([one["spec"] for one in rules])


FAILURES = [
    given(
        "5/1",
        "flyte:db.admin.database.postgres.passwordPath",
        "database sign-on fails: a path to the password, and TLS",
        lambda path: path == "/etc/db/pass.txt",
    ),
    on("5/2", "flyte:configmap.adminServer.flyteadmin.useOffloadedWorkflowClosure", "request is too large"),
    kept("5/2", "and it is told when it happens all the same", lambda platform: "wf_too_large" in _rules(platform)),
    leaves("5/3", "flyte:webhook.enabled", "the chart's default, on: secrets come through it"),
    kept(
        "5/3",
        "a webhook that is away blocks pods: it has two pods and a budget",
        lambda platform: (
            platform.at("flyte:webhook.autoscaling.minReplicas") >= 2
            and platform.one("aerodrome-flyte", "PodDisruptionBudget", "flyte-pod-webhook") is not None
        ),
    ),
    given(
        "5/4",
        "flyte:common.ingress.separateGrpcIngressAnnotations",
        "gRPC through a load balancer",
        lambda annotations: annotations["alb.ingress.kubernetes.io/backend-protocol-version"] == "GRPC",
    ),
    given(
        "5/5",
        "flyte:cluster_resource_manager.templates",
        "`Request ARN is invalid`: the role's whole ARN, by project and domain",
        lambda templates: any(
            re.search(
                r"eks\.amazonaws\.com/role-arn: \"?arn:[^\n]+\{\{ project \}\}[^\n]*\{\{ domain \}\}", one["value"]
            )
            for one in templates
        ),
    ),
    on("5/6", "flyte:workflow_scheduler.enabled", "schedules do not fire"),
    kept("5/6", "and it is told when they are late", lambda platform: "flytescheduler" in _rules(platform)),
    kept(
        "5/7",
        "a spot interruption uses up retries: those of the system are three, and the last is on demand",
        lambda platform: (
            platform.at(f"{_PROPELLER}.node-config.max-node-retries-system-failures") == 3
            and platform.at(f"{_PROPELLER}.node-config.interruptible-failure-threshold") == -1
        ),
    ),
    given("5/7", "karpenter:settings.interruptionQueue", "nodes are emptied before AWS takes them", bool),
    on("5/8", "flyte:configmap.k8s.plugins.k8s.inject-finalizer", "pods that go unseen are never aborted"),
    kept(
        "5/9",
        "a task is refused by limits, or waits for a quota for ever: its limit is never above the quota",
        lambda platform: (
            int(platform.at("flyte:configmap.task_resource_defaults.task_resources.limits.cpu"))
            <= max(quota.cpu for project in platform.environment.projects for quota in project.domains.values())
        ),
    ),
    kept(
        "5/10",
        "nothing purges the database, and the console slows with it: an alert tells of slow disk operations",
        lambda platform: any(
            "aws_rds_read_latency_average" in rule["expr"] and "aws_rds_write_latency_average" in rule["expr"]
            for rule in _alerts(platform, "aerodrome-platform")
        ),
    ),
    # That too little is free all the same is an alarm of CloudWatch: tests/stacks/test_alarms.py.
    kept(
        "5/10",
        "the database grows: so does its storage, by itself",
        lambda platform: platform.environment.database.max_storage_gib > platform.environment.database.storage_gib,
    ),
    leaves("5/11", "flyte:configmap.adminServer.server.grpc.maxMessageSizeBytes", "inputs and closures are in S3"),
    kept(
        "5/11",
        "the chart has nothing read above 10 MiB, and Flyte puts literals away that are up to 1000",
        lambda platform: (
            10
            < platform.at("flyte:configmap.core.propeller.literal-offloading-config.max-size-in-mb-for-offloading")
            <= _flag(platform, "storage.limits.maxDownloadMBs")
        ),
    ),
    leaves("5/11", "flyte:storage.limits.maxDownloadMBs", "what flyteadmin reads fits its memory, with 10 MiB"),
    given(
        "5/12",
        "flyte:configmap.adminServer.auth.appAuth.externalAuthServer.allowedAudience",
        "audiences of tokens",
        lambda audiences: len(audiences) >= 1,
    ),
    given(
        "5/12",
        "flyte:configmap.adminServer.auth.userAuth.openId.scopes",
        "without openid there is no ID token",
        lambda scopes: "openid" in scopes,
    ),
    leaves("5/13", "flyte:configmap.clusters", "one cluster: no labels, and no Secret cluster-credentials"),
    kept(
        "5/14",
        "images that cannot be pulled: in a private network they are the account's own copies",
        lambda platform: not platform.environment.network.private or platform.environment.images == "mirror",
    ),
    given(
        "5/15",
        f"{_PLUGINS}.enabled-plugins",
        "connector tasks are handled by the plugin of the new name, and agent-service is the old one",
        lambda plugins: "connector-service" in plugins and "agent-service" not in plugins,
    ),
    kept("5/15", "and it knows where each connector is that there is, and no other", connectors_are_known),
]

PERFORMANCE = [
    kept(
        "6",
        "500 to 800 workers with 4 to 8 CPUs: 100 to 200 for each",
        lambda platform: (
            100
            <= platform.at(f"{_PROPELLER}.workers") / int(platform.at("flyte:flytepropeller.resources.requests.cpu"))
            <= 200
        ),
    ),
    kept(
        "6",
        "8 GiB hold a thousand leaves: the memory is what the load class says, all of it asked for",
        lambda platform: (
            platform.at("flyte:flytepropeller.resources.requests.memory")
            == platform.at("flyte:flytepropeller.resources.limits.memory")
            == f"{platform.environment.flyte.bears.propeller_memory_gib}Gi"
        ),
    ),
    kept(
        "6",
        "the database bears all pools of all pods",
        lambda platform: (
            platform.at("flyte:db.admin.database.maxOpenConnections")
            == platform.environment.flyte.bears.flyteadmin_connections
        ),
    ),
    given("6", "flyte:flyteadmin.autoscaling.minReplicas", "three, one in each zone", lambda least: least == 3),
    given("6", "flyte:flyteadmin.autoscaling.enabled", "it grows with its load", bool),
    given("6", "flyte:datacatalog.replicaCount", "two, so that one may go", lambda replicas: replicas == 2),
    given("6", "flyte:flyteconsole.replicaCount", "two, so that one may go", lambda replicas: replicas == 2),
]

CHARTS = [
    kept(
        "charts/1",
        "flyte-core renders its CRD in a version that is gone: ours is v1",
        lambda platform: (
            platform.one("aerodrome-foundation", "CustomResourceDefinition", "flyteworkflows.flyte.lyft.com")[
                "apiVersion"
            ]
            == "apiextensions.k8s.io/v1"
        ),
    ),
    off(
        "charts/2",
        "aws-load-balancer-controller:enableServiceMutatorWebhook",
        "until it answers, its webhook refuses every Service of the cluster",
    ),
    kept(
        "charts/3",
        "large CRDs are too long for an annotation of kubectl: Helm installs them, and no manifest of ours is applied",
        lambda platform: "KubernetesManifest" not in json.dumps([one.properties for one in platform.releases.values()]),
    ),
    off("charts/4", "kube-prometheus-stack:grafana.testFramework.enabled", "a test pod is refused"),
    kept(
        "charts/5",
        "charts with defaults that no API server takes (velero, kserve) are not installed",
        lambda platform: not {"velero", "kserve"} & platform.releases.keys(),
    ),
    kept(
        "charts/6",
        "another release name makes five Deployments immutable: it is flyte, for good",
        lambda platform: platform.releases["flyte"].name == "flyte",
    ),
    given(
        "charts/7",
        "kube-prometheus-stack:grafana.admin.existingSecret",
        "the chart makes a password with every render",
        bool,
    ),
    on("charts/7", "aws-load-balancer-controller:keepTLSSecret", "a certificate at each render"),
    kept(
        "charts/8",
        "wrong expressions pass the schema: the operator's webhook that refuses them is on",
        lambda platform: platform.at("kube-prometheus-stack:prometheusOperator.admissionWebhooks.enabled") is not False,
    ),
    kept(
        "charts/9",
        "a metrics API without a back-end slows discovery: metrics-server is there, prometheus-adapter is not",
        lambda platform: "metrics-server" in platform.releases and "prometheus-adapter" not in platform.releases,
    ),
    given("charts", "karpenter:settings.clusterName", "Chart cannot be installed without it", bool),
    given("charts", "aws-load-balancer-controller:clusterName", "Chart cannot be installed without it", bool),
    kept(
        "charts",
        "the chart of MLflow wants the database by a Secret",
        lambda platform: platform.at("mlflow:backendStore.existingDatabaseSecret.name") == "mlflow-database",
    ),
]

OPERATIONS: list[Fact] = [*RELEASES, *BATCH, *METRICS, *FAILURES, *PERFORMANCE, *CHARTS]
