"""The Tracking stack: MLflow."""

from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from aerodrome_constructs.helm import HelmRelease, HelmReleaseProps
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.chart_values import release
from aerodrome_stacks.chart_values.mlflow import (
    DATABASE_SECRET,
    FLASK_SECRET,
    FLASK_SECRET_KEY,
    MlflowDatabase,
    around_mlflow,
    mlflow,
)
from aerodrome_stacks.chart_values.mlflow_sign_on import CLIENT_SECRET, COOKIE_SECRET, SECRET
from aerodrome_stacks.chart_values.secrets import Certificates, SecretKeys, SecretSource
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.database_stack import DatabasePorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.front_door_stack import FrontDoorPorts
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.made_up_secrets import MadeUpSecret, made_up_secret
from aerodrome_stacks.namespace_secrets import namespace_secrets
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.sign_on import SignOnPorts


class TrackingStack(AerodromeStack):
    """MLflow behind the sign-on: tracking server and model registry, records in PostgreSQL and artifacts in S3."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        cluster: ClusterPorts,
        identity: IdentityPorts,
        network: NetworkPorts,
        database: DatabasePorts,
        artifacts: s3.IBucket,
        secrets_key: kms.IKey,
        sign_on: SignOnPorts,
        front_door: FrontDoorPorts,
        after: Iterable[cdk.Stack],
    ) -> None:
        """Make the stack.

        Args:
            scope: The app.
            construct_id: The stack's part of the platform.
            environment: What the team decided.
            cluster: Where the releases are installed.
            identity: The roles of service accounts.
            network: Where the database's subnets are.
            database: Where MLflow keeps its records.
            artifacts: Where MLflow keeps models and other artifacts.
            secrets_key: Encrypts what sessions are encrypted with.
            sign_on: Who says who people and programs are.
            front_door: The load balancer's certificate and web ACL.
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
        self._environment = environment
        self._secrets_key = secrets_key
        secrets = namespace_secrets(
            self,
            environment=environment,
            cluster=cluster.cluster,
            namespace="mlflow",
            by_name=self._secrets(database, sign_on),
        )
        client = database.clients["mlflow"]
        records = MlflowDatabase(
            host=database.host, port=database.port, name=client.database, ranges=network.database_ranges
        )
        spec = release("mlflow", environment)
        # What MLflow's own chart cannot: among it the migration, which is done when this release is.
        around = HelmRelease(
            self,
            "AroundMlflow",
            HelmReleaseProps(
                cluster=cluster.cluster,
                spec=release("aerodrome-mlflow", environment),
                values=around_mlflow(environment, spec, database=records),
            ),
        )
        around.node.add_dependency(secrets)
        server = HelmRelease(
            self,
            "Mlflow",
            HelmReleaseProps(
                cluster=cluster.cluster,
                spec=spec,
                values=mlflow(
                    environment,
                    spec,
                    database=records,
                    artifact_bucket=artifacts.bucket_name,
                    role_arn=identity.service_accounts[service_accounts.MLFLOW],
                    sign_on=sign_on,
                    cluster_issuer=cluster.oidc_issuer,
                    front_door=front_door,
                ),
            ),
        )
        server.node.add_dependency(around)

    def _secrets(self, database: DatabasePorts, sign_on: SignOnPorts) -> dict[str, SecretKeys]:
        user = database.clients["mlflow"].secret.secret_arn
        own = f"aerodrome/{self._environment.name}/mlflow"
        another_will_do = "nothing that is kept is encrypted with it: another one will do"
        sessions = made_up_secret(
            self,
            "SessionKey",
            MadeUpSecret(
                name=f"{own}/session-key",
                description="What the sessions of MLflow's people are encrypted with",
                key=self._secrets_key,
                # AES-256, or AES-192 where the proxy takes it for base64: it reads both.
                length=32,
                not_rotated="a new key ends every session at once: make one when the old one may be known",
                not_retained=another_will_do,
            ),
        )
        forms = made_up_secret(
            self,
            "FormKey",
            MadeUpSecret(
                name=f"{own}/form-key",
                description="What MLflow signs the forms of its own accounts with",
                key=self._secrets_key,
                length=64,
                not_rotated="MLflow's own accounts are off, so that it signs nothing; its chart wants a key all the "
                "same",
                not_retained=another_will_do,
            ),
        )
        return {
            DATABASE_SECRET: {
                **{key: SecretSource(user, key) for key in ("username", "password")},
                "ca.pem": Certificates(database.certificate_authorities),
            },
            SECRET: {CLIENT_SECRET: sign_on.client_secret, COOKIE_SECRET: SecretSource(sessions.secret_arn)},
            FLASK_SECRET: {FLASK_SECRET_KEY: SecretSource(forms.secret_arn)},
        }
