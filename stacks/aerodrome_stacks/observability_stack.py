"""The Observability stack: metrics, alerts and dashboards, and the output of pods in CloudWatch Logs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.alerts import Metric, MetricAlarm, MetricAlarmProps
from aerodrome_constructs.helm import HelmRelease, HelmReleaseProps, Value
from aerodrome_stacks import service_accounts
from aerodrome_stacks.alerts_stack import AlertsPorts, heartbeat_topic_name
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.chart_values import release
from aerodrome_stacks.chart_values.cloudwatch_exporter import cloudwatch_exporter
from aerodrome_stacks.chart_values.fluent_bit import fluent_bit
from aerodrome_stacks.chart_values.kube_prometheus_stack import MonitoringInputs, kube_prometheus_stack
from aerodrome_stacks.chart_values.monitoring import monitoring
from aerodrome_stacks.chart_values.secrets import SecretKeys, SecretSource
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.front_door_stack import FrontDoorPorts
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.ingest_stack import dead_letters_name
from aerodrome_stacks.made_up_secrets import MadeUpSecret, made_up_secret
from aerodrome_stacks.namespace_secrets import namespace_secrets
from aerodrome_stacks.notifications_stack import NotificationsPorts
from aerodrome_stacks.sign_on import SignOnPorts


class ObservabilityStack(AerodromeStack):
    """Prometheus, Alertmanager and Grafana; what brings them CloudWatch's metrics; what takes logs to CloudWatch.

    Grafana's first password and the key of what it keeps are made in Secrets Manager and nowhere else.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        cluster: ClusterPorts,
        identity: IdentityPorts,
        alerts: AlertsPorts,
        sign_on: SignOnPorts,
        front_door: FrontDoorPorts,
        notifications: NotificationsPorts | None,
        secrets_key: kms.IKey,
        after: Iterable[cdk.Stack],
    ) -> None:
        """Make the stack.

        Args:
            scope: The app.
            construct_id: The stack's part of the platform.
            environment: What the team decided.
            cluster: Where the releases are installed.
            identity: The roles of service accounts.
            alerts: Who is told.
            sign_on: The issuer of tokens for Grafana.
            front_door: What the load balancer before Grafana gets from AWS.
            notifications: Where Flyte tells of executions, whose queue is watched; ``None`` where there is nothing.
            secrets_key: Encrypts Grafana's secrets.
            after: Stacks that must be ready first: Addons, and KubernetesLogs, whose groups are known by name.
        """
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Prometheus, Alertmanager and Grafana; CloudWatch's metrics; logs of pods",
        )
        for stack in after:
            self.add_stack_dependency(stack)
        self._environment, self._cluster = environment, cluster
        roles = identity.service_accounts
        secrets = namespace_secrets(
            self,
            environment=environment,
            cluster=cluster.cluster,
            namespace="monitoring",
            by_name=self._grafana_secrets(sign_on, secrets_key),
        )
        prometheus = self._release(
            "KubePrometheusStack",
            "kube-prometheus-stack",
            kube_prometheus_stack(
                environment,
                MonitoringInputs(
                    sign_on=sign_on,
                    front_door=front_door,
                    alerts_topic_arn=alerts.topic.topic_arn,
                    heartbeat_topic_arn=alerts.heartbeat.topic_arn,
                    prometheus_role_arn=roles.get(service_accounts.PROMETHEUS),
                    alertmanager_role_arn=roles[service_accounts.ALERTMANAGER],
                    grafana_role_arn=roles[service_accounts.GRAFANA],
                ),
            ),
        )
        prometheus.node.add_dependency(secrets)
        followers = (
            self._release(
                "CloudWatchExporter",
                "aerodrome-cloudwatch-exporter",
                cloudwatch_exporter(
                    environment,
                    role_arn=roles[service_accounts.CLOUDWATCH_EXPORTER],
                    database=f"{self.prefix}-database",
                    queue_names=self._queue_names(notifications),
                ),
            ),
            self._release(
                "FluentBit",
                "aws-for-fluent-bit",
                fluent_bit(environment, role_arn=roles[service_accounts.FLUENT_BIT]),
            ),
            self._release("Monitoring", "aerodrome-monitoring", monitoring(environment)),
            self._silence_alarm(alerts),
        )
        for follower in followers:
            # The CRDs of the scrape objects come with it; and until it is there, it is silent.
            follower.node.add_dependency(prometheus)

    def _release(self, construct_id: str, folder: str, values: dict[str, Value]) -> HelmRelease:
        props = HelmReleaseProps(cluster=self._cluster.cluster, spec=release(folder, self._environment), values=values)
        return HelmRelease(self, construct_id, props)

    def _grafana_secrets(self, sign_on: SignOnPorts, secrets_key: kms.IKey) -> Mapping[str, SecretKeys]:
        own = f"aerodrome/{self._environment.name}/grafana"
        password = made_up_secret(
            self,
            "GrafanaAdmin",
            MadeUpSecret(
                name=f"{own}/admin",
                description="User name and password of Grafana's administrator",
                key=secrets_key,
                username="admin",
                not_rotated="Grafana takes the password when it starts: a new one on a schedule would open nothing "
                "until then",
                not_retained="nothing is encrypted with the password, and Grafana starts with any other as well",
            ),
        )
        key = made_up_secret(
            self,
            "GrafanaSecretKey",
            MadeUpSecret(
                name=f"{own}/secret-key",
                description="Encrypts what Grafana keeps in its own database",
                key=secrets_key,
                not_rotated="Grafana takes the key when it starts, and what it encrypted with another is lost to it",
                not_retained="what is encrypted with the key goes with Grafana's pod",
            ),
        )
        admin = {name: SecretSource(password.secret_arn, name) for name in ("username", "password")}
        return {
            "grafana-admin": {**admin, "secret-key": SecretSource(key.secret_arn)},
            "grafana-sign-on": {"client-secret": sign_on.client_secret},
        }

    def _queue_names(self, notifications: NotificationsPorts | None) -> Sequence[str]:
        """The queues in which work waits, and those of what came to nothing, by the names that their stacks choose."""
        emails = notifications.emails if notifications else None
        return [
            self._cluster.interruption_queue_name,
            f"{self.prefix}-interruptions-unhandled",
            dead_letters_name(self._environment),
            f"{self.prefix}-job-events",
            f"{self.prefix}-job-events-uncounted",
            *([emails.queue_name, f"{emails.queue_name}-dead-letters"] if emails else []),
        ]

    def _silence_alarm(self, alerts: AlertsPorts) -> MetricAlarm:
        return MetricAlarm(
            self,
            "Silence",
            MetricAlarmProps(
                name=f"{self.prefix}-prometheus-silent",
                meaning="Prometheus or Alertmanager has said nothing for 20 minutes: no alert about Flyte, MLflow or "
                "the cluster reaches anybody.",
                runbook="runbooks/prometheus-silent.md",
                metric=Metric(
                    "AWS/SNS", "NumberOfMessagesPublished", {"TopicName": heartbeat_topic_name(self._environment)}
                ),
                period=timedelta(minutes=5),
                # A pod that moves to another node is back in ten.
                periods=4,
                comparison="LessThanThreshold",
                threshold=1,
                topic=alerts.topic,
                silence_fires=True,
            ),
        )
