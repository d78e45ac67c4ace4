"""The load balancer that Flyte, MLflow and Grafana share: the annotations of their Ingresses.

The controller takes most of these annotations for the whole group of Ingresses and refuses a group in which two of them
differ, so every Ingress gets the same. What a single service needs, such as the path of its health check, is in its
chart's values, on its Service.
"""

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.front_door_stack import ACCESS_LOG_PREFIX, FrontDoorPorts
from aerodrome_stacks.hosts import host, hosts

__all__ = ["host", "hosts", "kept_zone", "load_balancer_annotations"]

_ANNOTATION = "alb.ingress.kubernetes.io"

# Refuses TLS below 1.2 (Elastic Load Balancing User Guide, "Security policies for your Application Load Balancer").
_TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"

# The load balancer hangs up on a request that is silent for so long. 60, which is the default, is less than flyteadmin
# takes to register a large workflow, and than a query of Grafana's may take.
_IDLE_SECONDS = 300

# A pod that is to end gets no new requests, and so long for those under way: Kubernetes kills it after 30 seconds.
_DRAIN_SECONDS = 30

# Where people have the load balancer's name in records and allow-lists, a release that is taken away does not take it
# along.
_KEPT_IN = ("prod",)


def kept_zone(environment: Environment) -> str | None:
    """The hosted zone in which the platform keeps the records of these names. None: it keeps none.

    It keeps none in a private network, although there may be a zone: what keeps them runs in the VPC, which has no
    endpoint for Route 53.
    """
    return None if environment.network.private else environment.access.hosted_zone_id


def load_balancer_annotations(environment: Environment, front_door: FrontDoorPorts) -> dict[str, str]:
    """The annotations of every Ingress of the platform.

    Args:
        environment: What the team decided.
        front_door: The certificate, the web ACL and the bucket for access logs. Without a certificate the controller
            looks in AWS Certificate Manager for one whose names cover the host.
    """
    annotations = {
        # One load balancer for all. Without a group the controller makes one for each Ingress.
        "group.name": f"aerodrome-{environment.name}",
        # Pods get requests directly: gRPC target groups and readiness gates want it so.
        "target-type": "ip",
        # gRPC target groups exist for HTTPS listeners alone. The redirect leaves the HTTP listener no other rule, so
        # that the controller does not try to attach one to it.
        "listen-ports": '[{"HTTP":80},{"HTTPS":443}]',
        "ssl-redirect": "443",
        "ssl-policy": _TLS_POLICY,
        "load-balancer-attributes": _pairs(_attributes(environment, front_door)),
        "target-group-attributes": _pairs({"deregistration_delay.timeout_seconds": str(_DRAIN_SECONDS)}),
        **_reach(environment),
    }
    if front_door.certificate_arn is not None:
        annotations["certificate-arn"] = front_door.certificate_arn
    if front_door.web_acl_arn is not None:
        annotations["wafv2-acl-arn"] = front_door.web_acl_arn
    return {f"{_ANNOTATION}/{name}": value for name, value in annotations.items()}


def _reach(environment: Environment) -> dict[str, str]:
    ranges = environment.access.public_cidrs
    if not ranges:
        return {"scheme": "internal"}
    # Without ranges the controller would let in everybody.
    return {"scheme": "internet-facing", "inbound-cidrs": ",".join(str(one) for one in ranges)}


def _attributes(environment: Environment, front_door: FrontDoorPorts) -> dict[str, str]:
    return {
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": front_door.access_log_bucket,
        "access_logs.s3.prefix": ACCESS_LOG_PREFIX,
        "deletion_protection.enabled": str(environment.name in _KEPT_IN).lower(),
        "idle_timeout.timeout_seconds": str(_IDLE_SECONDS),
        # Names that are no HTTP, with which requests are smuggled past a proxy.
        "routing.http.drop_invalid_header_fields.enabled": "true",
    }


def _pairs(values: dict[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in values.items())
