"""The role of MLflow."""

from aerodrome_stacks import service_accounts
from aerodrome_stacks.roles.rights import DataBuckets, RoleRights, whole


def tracking_roles(*, artifacts_arn: str, data: DataBuckets) -> list[RoleRights]:
    """MLflow's server, through which all artifacts go.

    Args:
        artifacts_arn: The bucket of artifacts.
        data: The key of that bucket.
    """
    return [data.role("Mlflow", service_accounts.MLFLOW, [whole(artifacts_arn)])]
