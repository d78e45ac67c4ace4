"""The Observability stack: Prometheus, Alertmanager and Grafana."""

import json
from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from aerodrome_constructs.helm import HelmRelease, HelmReleaseProps
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import SECRET_ROTATION, STATEFUL_RETAINED
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.chart_values import release
from aerodrome_stacks.chart_values.kube_prometheus_stack import kube_prometheus_stack
from aerodrome_stacks.chart_values.secrets import SecretSource
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.namespace_secrets import namespace_secrets


class ObservabilityStack(AerodromeStack):
    """Metrics, alerts and dashboards. Grafana's first password is made in Secrets Manager and nowhere else."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        cluster: ClusterPorts,
        identity: IdentityPorts,
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
            secrets_key: Encrypts Grafana's password.
            after: Stacks whose releases must be ready first: Addons.
        """
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Prometheus, Alertmanager and Grafana (kube-prometheus-stack)",
        )
        for stack in after:
            self.add_stack_dependency(stack)
        password = secretsmanager.Secret(
            self,
            "GrafanaAdmin",
            secret_name=f"aerodrome/{environment.name}/grafana/admin",
            description="User name and password of Grafana's administrator",
            encryption_key=secrets_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": "admin"}),
                generate_string_key="password",
                password_length=32,
                exclude_punctuation=True,
            ),
        )
        acknowledge(
            password,
            SECRET_ROTATION,
            reason="Grafana takes the password when it starts: a new one on a schedule would open nothing until then",
        )
        acknowledge(
            password,
            STATEFUL_RETAINED,
            reason="nothing is encrypted with the password, and Grafana starts with any other as well",
        )
        secrets = namespace_secrets(
            self,
            environment=environment,
            cluster=cluster.cluster,
            namespace="monitoring",
            by_name={
                "grafana-admin": {key: SecretSource(password.secret_arn, key) for key in ("username", "password")}
            },
        )
        prometheus = HelmRelease(
            self,
            "KubePrometheusStack",
            HelmReleaseProps(
                cluster=cluster.cluster,
                spec=release("kube-prometheus-stack"),
                values=kube_prometheus_stack(
                    environment, grafana_role_arn=identity.service_accounts[service_accounts.GRAFANA]
                ),
            ),
        )
        prometheus.node.add_dependency(secrets)
