"""What a public or internal application load balancer gets from AWS: a certificate, and a firewall with its log."""

from aerodrome_constructs.front_door.certificate import HostCertificate, HostCertificateProps
from aerodrome_constructs.front_door.managed_rules import ManagedRules
from aerodrome_constructs.front_door.web_acl import WebAcl, WebAclProps

__all__ = ["HostCertificate", "HostCertificateProps", "ManagedRules", "WebAcl", "WebAclProps"]
