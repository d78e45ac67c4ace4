"""IAM roles for Kubernetes service accounts and for AWS Batch jobs, and what their holders may do."""

from aerodrome_constructs.identity.karpenter import karpenter_statements
from aerodrome_constructs.identity.load_balancer_controller import load_balancer_controller_statements
from aerodrome_constructs.identity.service_account import ServiceAccount
from aerodrome_constructs.identity.service_account_role import ServiceAccountRole, ServiceAccountRoleProps
from aerodrome_constructs.identity.statements import Conditions, allow

__all__ = [
    "Conditions",
    "ServiceAccount",
    "ServiceAccountRole",
    "ServiceAccountRoleProps",
    "allow",
    "karpenter_statements",
    "load_balancer_controller_statements",
]
