"""The roles of what collects, keeps and shows metrics and logs."""

from aerodrome_constructs.identity import allow
from aerodrome_stacks import service_accounts
from aerodrome_stacks.roles.rights import RoleRights


def observability_roles() -> list[RoleRights]:
    """Grafana."""
    return [
        RoleRights(
            construct_id="Grafana",
            service_account=service_accounts.GRAFANA,
            statements=[
                allow(
                    [
                        "cloudwatch:DescribeAlarms",
                        "cloudwatch:GetMetricData",
                        "cloudwatch:ListMetrics",
                        "ec2:DescribeRegions",
                        "tag:GetResources",
                    ]
                )
            ],
            because="it reads metrics, alarms, regions and tags, and none of these actions takes a resource",
            wildcards=["Resource::[*]"],
        )
    ]
