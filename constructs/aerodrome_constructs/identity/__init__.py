"""IAM roles for Kubernetes service accounts and for AWS Batch jobs."""

from aerodrome_constructs.identity.service_account import ServiceAccount
from aerodrome_constructs.identity.service_account_role import ServiceAccountRole, ServiceAccountRoleProps

__all__ = ["ServiceAccount", "ServiceAccountRole", "ServiceAccountRoleProps"]
