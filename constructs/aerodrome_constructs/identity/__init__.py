"""IAM roles for Kubernetes service accounts and for AWS Batch jobs, and what their holders may do."""

from aerodrome_constructs.identity.bucket_access import (
    EVERYTHING,
    BucketAccess,
    bucket_statements,
    key_arn_of,
    key_statement,
    object_wildcards,
)
from aerodrome_constructs.identity.karpenter import karpenter_statements
from aerodrome_constructs.identity.load_balancer_controller import load_balancer_controller_statements
from aerodrome_constructs.identity.network_interfaces import network_interfaces
from aerodrome_constructs.identity.service_account import ServiceAccount
from aerodrome_constructs.identity.service_account_role import ServiceAccountRole, ServiceAccountRoleProps
from aerodrome_constructs.identity.service_role import service_role
from aerodrome_constructs.identity.statements import Conditions, allow, deny
from aerodrome_constructs.identity.workload_boundary import PROJECT_TAG, WorkloadBoundary, WorkloadBoundaryProps

__all__ = [
    "EVERYTHING",
    "PROJECT_TAG",
    "BucketAccess",
    "Conditions",
    "ServiceAccount",
    "ServiceAccountRole",
    "ServiceAccountRoleProps",
    "WorkloadBoundary",
    "WorkloadBoundaryProps",
    "allow",
    "bucket_statements",
    "deny",
    "karpenter_statements",
    "key_arn_of",
    "key_statement",
    "load_balancer_controller_statements",
    "network_interfaces",
    "object_wildcards",
    "service_role",
]
