"""The Keys stack: one customer-managed key for each concern."""

from dataclasses import dataclass

from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.alerts import publishing_statement
from aerodrome_constructs.encryption import CustomerKey, CustomerKeyProps
from aerodrome_stacks.alerts_stack import alerts_topic_name
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPorts:
    """The keys that other stacks encrypt with.

    Attributes:
        data: Objects in S3, the database and file systems.
        logs: Log groups. CloudWatch Logs may use it.
        secrets: Secrets in Secrets Manager.
        cluster: Kubernetes secrets in etcd.
        backup: Backups in the vault.
        alerts: Alerts on their way to people. What publishes to the topic for alerts may use it.
    """

    data: kms.IKey
    logs: kms.IKey
    secrets: kms.IKey
    cluster: kms.IKey
    backup: kms.IKey
    alerts: kms.IKey


class KeysStack(AerodromeStack):
    """A key for each concern, so that the right to read logs is not the right to read data, secrets or backups."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Customer-managed KMS keys: data, logs, secrets, cluster, backup, alerts",
            holds_data=True,
        )
        self.ports = KeysPorts(
            data=self._key("Data", "Objects in S3, the database and file systems"),
            logs=self._key("Logs", "Log groups", for_cloudwatch_logs=True),
            secrets=self._key("Secrets", "Secrets in Secrets Manager"),
            cluster=self._key("Cluster", "Kubernetes secrets in etcd"),
            backup=self._key("Backup", "Backups in the vault"),
            alerts=self._key("Alerts", "Alerts on their way to people"),
        )
        topic_arn = self.format_arn(service="sns", resource=alerts_topic_name(environment))
        self.ports.alerts.add_to_resource_policy(publishing_statement(topic_arn))

    def _key(self, name: str, description: str, *, for_cloudwatch_logs: bool = False) -> kms.IKey:
        return CustomerKey(
            self,
            name,
            CustomerKeyProps(
                alias=f"{self.prefix}/{name.lower()}",
                description=description,
                for_cloudwatch_logs=for_cloudwatch_logs,
            ),
        ).key
