"""Values of ``charts/kube-prometheus-stack``."""

from datetime import timedelta

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.front_door import host, load_balancer_annotations
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.environment import Environment


def kube_prometheus_stack(environment: Environment, *, grafana_role_arn: str) -> dict[str, Value]:
    """Values that depend on the environment and on Grafana's role."""
    grafana_host = host(environment, "grafana")
    return {
        "prometheus": {
            "prometheusSpec": {
                "retention": _prometheus_duration(environment.retention.metrics),
                "externalLabels": {"environment": environment.name, "region": environment.region},
            }
        },
        "grafana": {
            "ingress": {"annotations": load_balancer_annotations(environment), "hosts": [grafana_host]},
            "grafana.ini": {"server": {"root_url": f"https://{grafana_host}"}},
            "serviceAccount": {"annotations": role_annotation(grafana_role_arn)},
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
        },
    }


def _prometheus_duration(duration: timedelta) -> str:
    # Prometheus knows whole units only, and the environment's durations go down to seconds.
    return f"{int(duration.total_seconds())}s"
