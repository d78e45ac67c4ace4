"""The FrontDoor stack: the certificate and the web application firewall of the load balancer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDoorPorts:
    """What the load balancer that Flyte, MLflow and Grafana share gets from AWS.

    Attributes:
        certificate_arn: The certificate of the three host names. None: the load balancer controller looks for one whose
            names cover the host.
        web_acl_arn: The web ACL that requests pass. None: they pass none.
    """

    certificate_arn: str | None
    web_acl_arn: str | None
