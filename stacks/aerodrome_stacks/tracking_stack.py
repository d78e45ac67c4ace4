"""The Tracking stack: MLflow."""

from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct

from aerodrome_constructs.helm import HelmRelease, HelmReleaseProps
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.chart_values import release
from aerodrome_stacks.chart_values.mlflow import mlflow
from aerodrome_stacks.chart_values.secrets import Certificates, SecretSource
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.database_stack import DatabasePorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.namespace_secrets import namespace_secrets


class TrackingStack(AerodromeStack):
    """MLflow's tracking server and model registry, with records in PostgreSQL and artifacts in S3."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        cluster: ClusterPorts,
        identity: IdentityPorts,
        database: DatabasePorts,
        artifacts: s3.IBucket,
        after: Iterable[cdk.Stack],
    ) -> None:
        """Make the stack.

        Args:
            scope: The app.
            construct_id: The stack's part of the platform.
            environment: What the team decided.
            cluster: Where the releases are installed.
            identity: The roles of service accounts.
            database: Where MLflow keeps its records.
            artifacts: Where MLflow keeps models and other artifacts.
            after: Stacks whose releases must be ready first: Addons, and Observability for the CRDs of Prometheus.
        """
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="MLflow: tracking server and model registry",
        )
        for stack in after:
            self.add_stack_dependency(stack)
        client = database.clients["mlflow"]
        secrets = namespace_secrets(
            self,
            environment=environment,
            cluster=cluster.cluster,
            namespace="mlflow",
            by_name={
                "mlflow-database": {
                    **{key: SecretSource(client.secret.secret_arn, key) for key in ("username", "password")},
                    "ca.pem": Certificates(database.certificate_authorities),
                }
            },
        )
        server = HelmRelease(
            self,
            "Mlflow",
            HelmReleaseProps(
                cluster=cluster.cluster,
                spec=release("mlflow"),
                values=mlflow(
                    environment,
                    database_host=database.host,
                    database_port=database.port,
                    database_name=client.database,
                    artifact_bucket=artifacts.bucket_name,
                    role_arn=identity.service_accounts[service_accounts.MLFLOW],
                ),
            ),
        )
        server.node.add_dependency(secrets)
