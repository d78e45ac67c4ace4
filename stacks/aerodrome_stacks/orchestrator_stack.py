"""The Orchestrator stack: Flyte."""

from collections.abc import Iterable, Mapping

import aws_cdk as cdk
from constructs import Construct

from aerodrome_constructs.helm import HelmRelease, HelmReleaseProps
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.batch_stack import BatchPorts
from aerodrome_stacks.chart_values import release
from aerodrome_stacks.chart_values.flyte import (
    AUTH_SECRET,
    CA_FILE,
    DATABASE_SECRET,
    PASSWORD_FILES,
    FlyteDatabase,
    FlyteInputs,
    flyte,
)
from aerodrome_stacks.chart_values.flyte_projects import raw_output, team_namespaces
from aerodrome_stacks.chart_values.secrets import Certificates, SecretKeys, SecretSource
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.database_stack import DatabasePorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.namespace_secrets import namespace_secrets
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.storage_stack import StoragePorts


class OrchestratorStack(AerodromeStack):
    """Flyte's control plane and flytepropeller, with tasks on Kubernetes and on AWS Batch."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        cluster: ClusterPorts,
        identity: IdentityPorts,
        storage: StoragePorts,
        database: DatabasePorts,
        batch: BatchPorts,
        network: NetworkPorts,
        after: Iterable[cdk.Stack],
    ) -> None:
        """Make the stack.

        Args:
            scope: The app.
            construct_id: The stack's part of the platform.
            environment: What the team decided.
            cluster: Where the releases are installed.
            identity: The roles of service accounts and of projects.
            storage: The buckets of metadata and raw data.
            database: Where flyteadmin and datacatalog keep their records.
            batch: The queues of tasks that run on AWS Batch.
            network: Where the database is, which tasks on Kubernetes do not reach.
            after: Stacks whose releases must be ready first: Addons, and Observability for the CRDs of Prometheus.
        """
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Flyte: control plane, flytepropeller, and the secrets that they take from Secrets Manager",
        )
        for stack in after:
            self.add_stack_dependency(stack)
        if environment.access.oidc is None:
            cdk.Annotations.of(self).add_info(
                "Flyte has no sign-on: the environment names no identity provider (access.oidc). "
                "Its load balancer is internal, and whoever can reach it can do everything."
            )
        roles = identity.service_accounts
        secrets = namespace_secrets(
            self,
            environment=environment,
            cluster=cluster.cluster,
            namespace="flyte",
            by_name=_secrets(environment, database),
        )
        projects = HelmRelease(
            self,
            "Projects",
            HelmReleaseProps(
                cluster=cluster.cluster,
                spec=release("aerodrome-projects"),
                values={
                    **team_namespaces(environment),
                    **raw_output(
                        environment,
                        raw_data_bucket=storage.raw_data.bucket_name,
                        project_role_arn=self._project_role_arn(identity),
                        client_secret=(AUTH_SECRET, "client_secret"),
                    ),
                },
            ),
        )
        flyte_release = HelmRelease(
            self,
            "Flyte",
            HelmReleaseProps(
                cluster=cluster.cluster,
                spec=release("flyte-core"),
                values=flyte(
                    environment,
                    FlyteInputs(
                        admin_database=_database(database, "flyteadmin"),
                        datacatalog_database=_database(database, "datacatalog"),
                        metadata_bucket=storage.metadata.bucket_name,
                        raw_data_bucket=storage.raw_data.bucket_name,
                        flyteadmin_role_arn=roles[service_accounts.FLYTEADMIN],
                        datacatalog_role_arn=roles[service_accounts.DATACATALOG],
                        flytepropeller_role_arn=roles[service_accounts.FLYTEPROPELLER],
                        project_role_arn=self._project_role_arn(identity),
                        batch_queues=batch.queue_arns.keys(),
                        database_ranges=network.database_ranges,
                    ),
                ),
            ),
        )
        flyte_release.node.add_dependency(secrets, projects)

    def _project_role_arn(self, identity: IdentityPorts) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{identity.project_role_name}"


def _secrets(environment: Environment, database: DatabasePorts) -> Mapping[str, SecretKeys]:
    passwords = {
        file: SecretSource(database.clients[client].secret.secret_arn, "password")
        for client, file in PASSWORD_FILES.items()
    }
    secrets: dict[str, SecretKeys] = {
        DATABASE_SECRET: {**passwords, CA_FILE: Certificates(database.certificate_authorities)}
    }
    if environment.access.oidc is not None:
        secrets[AUTH_SECRET] = {"client_secret": SecretSource(environment.access.oidc.client_secret_name)}
    return secrets


def _database(ports: DatabasePorts, client: str) -> FlyteDatabase:
    of = ports.clients[client]
    return FlyteDatabase(host=ports.host, port=ports.port, database=of.database, username=of.username)
