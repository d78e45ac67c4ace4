"""The annotation by which a Kubernetes service account gets its IAM role."""

ROLE_ARN = "eks.amazonaws.com/role-arn"
"""Names the role that pods take (EKS User Guide, "Assign IAM roles to Kubernetes service accounts")."""


def role_annotation(role_arn: str) -> dict[str, str]:
    """The annotation that gives a service account a role."""
    return {ROLE_ARN: role_arn}
