"""Values of ``charts/mlflow``, and of ``charts/aerodrome-mlflow``, which stands around it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aerodrome_constructs.helm import ReleaseSpec, Value
from aerodrome_stacks.chart_values.front_door import host, load_balancer_annotations
from aerodrome_stacks.chart_values.mlflow_sign_on import await_issuer, sign_on_proxy
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import MLFLOW, MLFLOW_MAX_OVERFLOW, MLFLOW_POOL_SIZE, MLFLOW_WORKERS
from aerodrome_stacks.front_door_stack import FrontDoorPorts
from aerodrome_stacks.sign_on import SignOnPorts

DATABASE_SECRET = "mlflow-database"  # noqa: S105 - a Kubernetes secret's name
"""The Kubernetes secret with the database's user, password and certificate authorities."""

FLASK_SECRET = "mlflow-flask-server-secret-key"  # noqa: S105 - a Kubernetes secret's name
"""The Kubernetes secret that the chart takes for its own where there is none (``templates/flask_secret.yaml``)."""

FLASK_SECRET_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"  # noqa: S105 - a key in it
"""The key in it, which is the name of an environment variable of MLflow."""

_SERVICE = "mlflow.mlflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowDatabase:
    """Where MLflow keeps its records.

    Attributes:
        host: The database's address.
        port: Its port.
        name: The name of MLflow's own database.
        ranges: The ranges of the subnets that it is in.
    """

    host: str
    port: int
    name: str
    ranges: Sequence[str]


def mlflow(
    environment: Environment,
    spec: ReleaseSpec,
    *,
    database: MlflowDatabase,
    artifact_bucket: str,
    role_arn: str,
    sign_on: SignOnPorts,
    cluster_issuer: str,
    front_door: FrontDoorPorts,
) -> dict[str, Value]:
    """Values of the server that depend on other stacks and on the environment.

    Args:
        environment: What the team decided.
        spec: The release, whose own values name the proxy's image and MLflow's port.
        database: Where MLflow keeps its records.
        artifact_bucket: Where it keeps artifacts.
        role_arn: Its role, which has the right to them.
        sign_on: Who says who people and programs are.
        cluster_issuer: The issuer of the cluster's service account tokens, without ``https://``.
        front_door: The load balancer's certificate and web ACL.
    """
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
        "backendStore": {"postgres": {"host": database.host, "port": database.port, "database": database.name}},
        "artifactRoot": {"s3": {"bucket": artifact_bucket}},
        "initContainers": [await_issuer(image=_image(spec, "image"), cluster_issuer=cluster_issuer)],
        "extraContainers": [
            sign_on_proxy(
                environment,
                image=_image(spec, "oauth2Proxy", "image"),
                server_port=int(_text(spec, "extraArgs", "port")),
                sign_on=sign_on,
                cluster_issuer=cluster_issuer,
            )
        ],
        "ingress": {
            "annotations": load_balancer_annotations(environment, front_door),
            "hosts": [{"host": mlflow_host, "paths": [{"path": "/", "pathType": "Prefix"}]}],
        },
        # The server refuses requests for host names that it does not know (DNS rebinding), and the chart tells it of
        # the Ingress's only; the proxy hands the name on as it came. Flyte tasks call the Service. Prometheus calls the
        # pod by its address.
        "serverAllowedHosts": [
            *(f"{_SERVICE}{suffix}" for suffix in ("", ".svc", ".svc.cluster.local")),
            _pod_addresses(environment),
        ],
        # TLS ends at the load balancer, so the chart takes the scheme for http.
        "corsAllowedOrigins": [f"https://{mlflow_host}"],
    }


def around_mlflow(environment: Environment, spec: ReleaseSpec, *, database: MlflowDatabase) -> dict[str, Value]:
    """Values of ``charts/aerodrome-mlflow``.

    Args:
        environment: What the team decided.
        spec: The server's release: the migration takes its image.
        database: What is brought up to date.
    """
    return {
        "image": _image(spec, "image"),
        "database": {
            "host": database.host,
            "port": database.port,
            "name": database.name,
            "ranges": list(database.ranges),
        },
        # The load balancer is in the public subnets or in the nodes', both of this range; pods have another.
        "loadBalancerRanges": [str(environment.network.cidr)],
    }


def _image(spec: ReleaseSpec, *keys: str) -> str:
    return f"{_text(spec, *keys, 'repository')}:{_text(spec, *keys, 'tag')}"


def _text(spec: ReleaseSpec, *keys: str) -> str:
    value: Value = spec.values
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            raise KeyError(f"{spec.folder / 'values.yaml'}: {'.'.join(keys)} is missing")
        value = value[key]
    return str(value)


def _pod_addresses(environment: Environment) -> str:
    # The server's patterns are shell patterns, not ranges: whole octets of the pods' range, then anything.
    network = environment.network.pod_cidr
    octets = str(network.network_address).split(".")[: network.prefixlen // 8]
    return ".".join([*octets, "*"])
