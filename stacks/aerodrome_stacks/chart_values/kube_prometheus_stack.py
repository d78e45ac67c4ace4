"""Values of ``charts/kube-prometheus-stack``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.front_door import host, load_balancer_annotations
from aerodrome_stacks.chart_values.operators import pod_monitors
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.aws import instance_shape
from aerodrome_stacks.front_door_stack import FrontDoorPorts
from aerodrome_stacks.sign_on import USER_SCOPES, SignOnPorts

KEPT_PERCENT = 85
"""How much of its volume Prometheus fills with what it keeps. A full volume would stop it: the rest is for the
write-ahead log and for what compaction writes beside what it replaces."""

# What it has in memory of a node: 10,000 series (110 pods with 60 of the kubelet and 25 of kube-state-metrics each, and
# those of the node) of 3.5 KiB each, which is what a series that is written to takes. Queries and compaction are in the
# limit: twice as much. And a gibibyte for what is measured besides nodes and pods.
_MIB_OF_A_NODE, _MIB_BESIDES = 35, 1024

# A text and not a claim: grafana.ini takes the quotation marks off a value that has them at both ends.
_VIEWER = "not_null('Viewer')"

# What people at once and what is for working hours go to the same addresses; subject and attribute tell them apart.
_TOLD = ("page", "ticket")


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringInputs:
    """What the values take from other stacks.

    Attributes:
        sign_on: The issuer of tokens.
        front_door: What the load balancer gets from AWS.
        alerts_topic_arn: The topic that mails people.
        heartbeat_topic_arn: The topic that nobody reads, and whose silence CloudWatch tells of.
        prometheus_role_arn: The role of Prometheus. None: it needs none.
        alertmanager_role_arn: The role of Alertmanager.
        grafana_role_arn: The role of Grafana.
    """

    sign_on: SignOnPorts
    front_door: FrontDoorPorts
    alerts_topic_arn: str
    heartbeat_topic_arn: str
    prometheus_role_arn: str | None
    alertmanager_role_arn: str
    grafana_role_arn: str


def kube_prometheus_stack(environment: Environment, inputs: MonitoringInputs) -> dict[str, Value]:
    """Values that depend on other stacks and on the environment."""
    return {
        "prometheus": {
            "prometheusSpec": _prometheus(environment),
            "additionalPodMonitors": pod_monitors(environment),
            **_account(inputs.prometheus_role_arn),
        },
        "alertmanager": {
            **_account(inputs.alertmanager_role_arn),
            "config": {"receivers": _receivers(environment, inputs)},
        },
        "grafana": _grafana(environment, inputs),
    }


def _account(role_arn: str | None) -> Mapping[str, Value]:
    return {} if role_arn is None else {"serviceAccount": {"annotations": role_annotation(role_arn)}}


def _prometheus(environment: Environment) -> dict[str, Value]:
    monitoring = environment.monitoring
    spec: dict[str, Value] = {
        # Time and size: whichever comes first.
        "retention": _prometheus_duration(environment.retention.metrics),
        "retentionSize": f"{monitoring.storage_gib * KEPT_PERCENT // 100}GiB",
        "storageSpec": {
            "volumeClaimTemplate": {"spec": {"resources": {"requests": {"storage": f"{monitoring.storage_gib}Gi"}}}}
        },
        "resources": _memory(environment),
        "externalLabels": {"environment": environment.name, "region": environment.region},
    }
    if monitoring.remote_write is not None:
        # Signed with the role of the service account.
        spec["remoteWrite"] = [{"url": str(monitoring.remote_write), "sigv4": {"region": environment.region}}]
    return spec


def _memory(environment: Environment) -> dict[str, Value]:
    cluster = environment.cluster
    groups = [cluster.system_nodes, *cluster.spot_nodes]
    # On-demand nodes for tasks are of the types of spot nodes.
    of_tasks = instance_shape(groups[-1].instance_types[0]).vcpus
    nodes = sum(group.max_size for group in groups) + cluster.on_demand_vcpus // of_tasks
    asked = _MIB_BESIDES + nodes * _MIB_OF_A_NODE
    room = instance_shape(cluster.system_nodes.instance_types[0]).memory_gib
    if room is not None:
        # No more than half a node is asked for: the pod would find none.
        asked = min(asked, int(room * 512))
    return {"requests": {"memory": f"{asked}Mi"}, "limits": {"memory": f"{2 * asked}Mi"}}


def _receivers(environment: Environment, inputs: MonitoringInputs) -> list[Value]:
    def sns(topic_arn: str, *, when_over: bool) -> Value:
        return {
            "topic_arn": topic_arn,
            # Signed with the role of the service account.
            "sigv4": {"region": environment.region},
            "subject": '{{ template "aerodrome.subject" . }}',
            "message": '{{ template "aerodrome.message" . }}',
            "send_resolved": when_over,
            # For subscriptions that want the one and not the other.
            "attributes": {"severity": "{{ .GroupLabels.severity }}"},
        }

    return [
        {"name": "nobody"},
        {"name": "heartbeat", "sns_configs": [sns(inputs.heartbeat_topic_arn, when_over=False)]},
        *({"name": name, "sns_configs": [sns(inputs.alerts_topic_arn, when_over=True)]} for name in _TOLD),
    ]


def _grafana(environment: Environment, inputs: MonitoringInputs) -> dict[str, Value]:
    grafana_host = host(environment, "grafana")
    return {
        "ingress": {
            "annotations": load_balancer_annotations(environment, inputs.front_door),
            "hosts": [grafana_host],
        },
        "grafana.ini": {
            "server": {"root_url": f"https://{grafana_host}"},
            "auth.generic_oauth": _people(inputs.sign_on),
            "auth.jwt": _programs(inputs.sign_on),
        },
        "serviceAccount": {"annotations": role_annotation(inputs.grafana_role_arn)},
        "additionalDataSources": [
            {
                "name": "CloudWatch",
                "uid": "cloudwatch",
                "type": "cloudwatch",
                "access": "proxy",
                # The role of Grafana's service account.
                "jsonData": {"authType": "default", "defaultRegion": environment.region},
            }
        ],
    }


def _people(sign_on: SignOnPorts) -> dict[str, Value]:
    return {
        "client_id": sign_on.client_id,
        "scopes": " ".join(USER_SCOPES),
        "auth_url": sign_on.authorization_url,
        "token_url": sign_on.token_url,
        "api_url": sign_on.userinfo_url,
        "role_attribute_path": _role(sign_on),
    }


def _role(sign_on: SignOnPorts) -> str:
    """Whoever is in the group administers, all others look. A JMESPath, in which claims may have colons if quoted."""
    if sign_on.admin_group is None:
        return _VIEWER
    claim = json.dumps(sign_on.groups_claim)
    # A person without groups has no such claim, and `contains` refuses what is no list.
    return f"({claim} && contains({claim}, '{sign_on.admin_group}')) && 'Admin' || 'Viewer'"


def _programs(sign_on: SignOnPorts) -> dict[str, Value]:
    return {
        "jwk_set_url": sign_on.jwks_url,
        # One of the audiences, not all of them.
        "expect_claims": json.dumps({"iss": sign_on.issuer, "aud": list(sign_on.audiences)}),
    }


def _prometheus_duration(duration: timedelta) -> str:
    # Prometheus knows whole units only, and the environment's durations go down to seconds.
    return f"{int(duration.total_seconds())}s"
