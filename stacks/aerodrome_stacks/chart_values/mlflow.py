"""Values of ``charts/mlflow``."""

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.front_door import host, load_balancer_annotations
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import MLFLOW, MLFLOW_MAX_OVERFLOW, MLFLOW_POOL_SIZE, MLFLOW_WORKERS

_SERVICE = "mlflow.mlflow"


def mlflow(
    environment: Environment,
    *,
    database_host: str,
    database_port: int,
    database_name: str,
    artifact_bucket: str,
    role_arn: str,
) -> dict[str, Value]:
    """Values that depend on the database, the bucket, the role and the environment."""
    mlflow_host = host(environment, "mlflow")
    return {
        # How many connections the database can bear is a rule of the environment, with the same numbers.
        "replicaCount": MLFLOW.replicas,
        "extraArgs": {"workers": str(MLFLOW_WORKERS)},
        "extraEnvVars": {
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": MLFLOW_POOL_SIZE,
            "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": MLFLOW_MAX_OVERFLOW,
        },
        "serviceAccount": {"annotations": role_annotation(role_arn)},
        "backendStore": {"postgres": {"host": database_host, "port": database_port, "database": database_name}},
        "artifactRoot": {"s3": {"bucket": artifact_bucket}},
        "ingress": {
            "annotations": load_balancer_annotations(environment),
            "hosts": [{"host": mlflow_host, "paths": [{"path": "/", "pathType": "Prefix"}]}],
        },
        # The server refuses requests for host names that it does not know (DNS rebinding), and the chart tells it of
        # the Ingress's only. Flyte tasks call the Service. Prometheus and the load balancer's health checks call the
        # pod by its address, which is one of the VPC.
        "serverAllowedHosts": [
            *(f"{_SERVICE}{suffix}" for suffix in ("", ".svc", ".svc.cluster.local")),
            _address_pattern(environment),
        ],
        # TLS ends at the load balancer, so the chart takes the scheme for http.
        "corsAllowedOrigins": [f"https://{mlflow_host}"],
    }


def _address_pattern(environment: Environment) -> str:
    # The server's patterns are shell patterns, not ranges: whole octets of the VPC's range, then anything.
    network = environment.network.cidr
    octets = str(network.network_address).split(".")[: network.prefixlen // 8]
    return ".".join([*octets, "*"])
