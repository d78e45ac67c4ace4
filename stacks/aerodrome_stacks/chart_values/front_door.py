"""The load balancer that Flyte, MLflow and Grafana share: their host names and the annotations of their Ingresses."""

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.front_door_stack import FrontDoorPorts


def host(environment: Environment, service: str) -> str:
    """The name under which people reach a service, such as ``flyte.ml.example.com``."""
    return f"{service}.{environment.access.domain_name}"


def load_balancer_annotations(environment: Environment, front_door: FrontDoorPorts | None = None) -> dict[str, str]:
    """The annotations of every Ingress of the platform.

    Args:
        environment: What the team decided.
        front_door: The certificate and the web ACL. Without a certificate the controller looks in AWS Certificate
            Manager for one whose names cover the host.
    """
    annotations = {
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
    if front_door and front_door.certificate_arn:
        annotations["alb.ingress.kubernetes.io/certificate-arn"] = front_door.certificate_arn
    if front_door and front_door.web_acl_arn:
        annotations["alb.ingress.kubernetes.io/wafv2-acl-arn"] = front_door.web_acl_arn
    return annotations
