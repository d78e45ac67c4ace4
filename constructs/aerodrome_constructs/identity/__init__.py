"""IAM roles for Kubernetes service accounts and for AWS Batch jobs."""

from aerodrome_constructs.identity.service_account import ServiceAccount

__all__ = ["ServiceAccount"]
