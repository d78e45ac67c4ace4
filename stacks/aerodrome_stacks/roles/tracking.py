"""The role of MLflow."""

from dataclasses import replace

from aws_cdk import aws_iam as iam

from aerodrome_stacks import service_accounts
from aerodrome_stacks.roles.rights import DataBuckets, RoleRights, whole


def tracking_roles(*, artifacts_arn: str, data: DataBuckets) -> list[RoleRights]:
    """MLflow's server, through which all artifacts go.

    Args:
        artifacts_arn: The bucket of artifacts.
        data: The key of that bucket.
    """
    rights = data.role("Mlflow", service_accounts.MLFLOW, [whole(artifacts_arn)])
    return [replace(rights, statements=[*rights.statements, _no_presigned_urls(artifacts_arn)])]


def _no_presigned_urls(artifacts_arn: str) -> iam.PolicyStatement:
    """Let MLflow's signature open nothing where it stands in a URL.

    MLflow offers such URLs for files of 500 MiB and more, and has no switch for it. Whoever has one needs no sign-on
    for an hour, and no request of theirs is in MLflow's log. The server's own requests have the signature in a header
    (Amazon S3 API Reference, "Amazon S3 Signature Version 4 Authentication Specific Policy Keys").
    """
    return iam.PolicyStatement(
        sid="NoPresignedUrls",
        effect=iam.Effect.DENY,
        actions=["s3:GetObject", "s3:PutObject"],
        resources=[f"{artifacts_arn}/*"],
        conditions={"StringEquals": {"s3:authType": "REST-QUERY-STRING"}},
    )
