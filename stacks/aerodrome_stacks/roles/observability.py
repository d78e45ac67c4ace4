"""The roles of what collects, keeps and shows metrics and logs."""

from aerodrome_constructs.identity import allow
from aerodrome_stacks import service_accounts
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.kubernetes_logs_stack import log_group_name
from aerodrome_stacks.roles.rights import AccountRegion, RoleRights


def observability_roles(
    environment: Environment, *, place: AccountRegion, alerts: AlertsPorts, alerts_key_arn: str
) -> list[RoleRights]:
    """Grafana, Alertmanager, the exporter of CloudWatch's metrics, Fluent Bit; Prometheus where it writes elsewhere.

    Args:
        environment: What the team decided.
        place: Where ARNs are.
        alerts: The topics that Alertmanager publishes to.
        alerts_key_arn: The key of these topics.
    """
    roles = [
        _grafana(),
        _alertmanager(place, alerts, alerts_key_arn),
        _cloudwatch_exporter(),
        _fluent_bit(environment, place),
    ]
    remote_write = environment.monitoring.remote_write
    return roles if remote_write is None else [*roles, _prometheus(place, str(remote_write))]


def _grafana() -> RoleRights:
    return RoleRights(
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


def _alertmanager(place: AccountRegion, alerts: AlertsPorts, key_arn: str) -> RoleRights:
    return RoleRights(
        construct_id="Alertmanager",
        service_account=service_accounts.ALERTMANAGER,
        statements=[
            allow(["sns:Publish"], [alerts.topic.topic_arn, alerts.heartbeat.topic_arn]),
            # Who publishes to a topic that is encrypted needs these (Amazon SNS Developer Guide, "Configure KMS
            # permissions"). The key's own policy lets services alone.
            allow(
                ["kms:Decrypt", "kms:GenerateDataKey"],
                [key_arn],
                {"StringEquals": {"kms:ViaService": f"sns.{place.region}.amazonaws.com"}},
            ),
        ],
    )


def _cloudwatch_exporter() -> RoleRights:
    return RoleRights(
        construct_id="CloudWatchExporter",
        service_account=service_accounts.CLOUDWATCH_EXPORTER,
        statements=[allow(["cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics", "cloudwatch:ListMetrics"])],
        because="it reads metrics, and none of these actions takes a resource",
        wildcards=["Resource::[*]"],
    )


def _fluent_bit(environment: Environment, place: AccountRegion) -> RoleRights:
    # No right to make a group: those that are there are those that the platform made.
    streams = f"log-group:{log_group_name(environment, '*')}:log-stream:*"
    return RoleRights(
        construct_id="FluentBit",
        service_account=service_accounts.FLUENT_BIT,
        statements=[allow(["logs:CreateLogStream", "logs:PutLogEvents"], [place.arn("logs", streams)])],
        because="there is a stream for each container, which gets its name when it starts, and a group for each "
        "namespace: one by one they would not fit into a policy",
        wildcards=[f"Resource::arn:*:logs:*:{streams.replace('*', '[*]')}"],
    )


def _prometheus(place: AccountRegion, remote_write: str) -> RoleRights:
    # https://aps-workspaces.<region>.amazonaws.com/workspaces/<ID>/api/v1/remote_write
    workspace = remote_write.partition("/workspaces/")[2].partition("/")[0]
    return RoleRights(
        construct_id="Prometheus",
        service_account=service_accounts.PROMETHEUS,
        statements=[allow(["aps:RemoteWrite"], [place.arn("aps", f"workspace/{workspace}")])],
    )
