"""The load balancer that Flyte, MLflow and Grafana share: their host names and the annotations of their Ingresses."""

from aerodrome_stacks.environment import Environment


def host(environment: Environment, service: str) -> str:
    """The name under which people reach a service, such as ``flyte.ml.example.com``."""
    return f"{service}.{environment.access.domain_name}"


def load_balancer_annotations(environment: Environment) -> dict[str, str]:
    """The annotations of every Ingress of the platform.

    The certificate is the one in AWS Certificate Manager whose names cover the host: the controller finds it there.
    """
    return {
        # One load balancer for all. Without a group the controller makes one for each Ingress.
        "alb.ingress.kubernetes.io/group.name": f"aerodrome-{environment.name}",
        # Reached from inside the network only.
        "alb.ingress.kubernetes.io/scheme": "internal",
        "alb.ingress.kubernetes.io/target-type": "ip",
        # gRPC target groups exist for HTTPS listeners alone. The redirect leaves the HTTP listener no other rule, so
        # that the controller does not try to attach one to it.
        "alb.ingress.kubernetes.io/listen-ports": '[{"HTTP":80},{"HTTPS":443}]',
        "alb.ingress.kubernetes.io/ssl-redirect": "443",
    }
