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
    CA_FILE,
    DATABASE_SECRET,
    PASSWORD_FILES,
    FlyteDatabase,
    FlyteInputs,
    flyte,
)
from aerodrome_stacks.chart_values.flyte_batch_connector import BatchConnectorInputs
from aerodrome_stacks.chart_values.flyte_components import surroundings
from aerodrome_stacks.chart_values.flyte_projects import team_namespaces
from aerodrome_stacks.chart_values.flyte_sign_on import AUTH_SECRET, CLIENT_SECRET, sign_on_secrets
from aerodrome_stacks.chart_values.project_settings import reconciler
from aerodrome_stacks.chart_values.secrets import Certificates, SecretKeys, SecretSource
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.database_stack import DatabasePorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.file_systems_stack import EfsPorts
from aerodrome_stacks.front_door_stack import FrontDoorPorts
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.namespace_secrets import namespace_secrets
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.notifications_stack import NotificationsPorts
from aerodrome_stacks.sign_on import SignOnPorts
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
        sign_on: SignOnPorts,
        front_door: FrontDoorPorts,
        notifications: NotificationsPorts | None,
        efs: EfsPorts | None,
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
            sign_on: Who issues tokens, and Flyte's clients there.
            front_door: What the load balancer gets from AWS.
            notifications: Where Flyte tells of executions; ``None`` where it tells nobody.
            efs: The file system that tasks on AWS Batch may mount; ``None`` where there is none.
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
        roles = identity.service_accounts
        secrets = namespace_secrets(
            self,
            environment=environment,
            cluster=cluster.cluster,
            namespace="flyte",
            by_name=_secrets(database, sign_on),
        )
        surrounding = HelmRelease(
            self,
            "Surroundings",
            HelmReleaseProps(
                cluster=cluster.cluster,
                spec=release("aerodrome-flyte", environment),
                values=surroundings(environment, self._batch_connector(environment, identity, storage, efs)),
            ),
        )
        projects = HelmRelease(
            self,
            "Projects",
            HelmReleaseProps(
                cluster=cluster.cluster,
                spec=release("aerodrome-projects", environment),
                values={
                    **team_namespaces(environment),
                    **reconciler(
                        environment,
                        raw_data_bucket=storage.raw_data.bucket_name,
                        project_role_arn=self._project_role_arn(identity),
                        sign_on=sign_on,
                        client_secret=(AUTH_SECRET, CLIENT_SECRET),
                    ),
                },
            ),
        )
        flyte_release = HelmRelease(
            self,
            "Flyte",
            HelmReleaseProps(
                cluster=cluster.cluster,
                spec=release("flyte-core", environment),
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
                        endpoint_ranges=network.endpoint_ranges,
                        sign_on=sign_on,
                        front_door=front_door,
                        notifications=notifications,
                    ),
                ),
            ),
        )
        flyte_release.node.add_dependency(secrets, surrounding, projects)

    def _batch_connector(
        self, environment: Environment, identity: IdentityPorts, storage: StoragePorts, efs: EfsPorts | None
    ) -> BatchConnectorInputs | None:
        if environment.flyte.batch_connector is None:
            return None
        return BatchConnectorInputs(
            role_arn=identity.service_accounts[service_accounts.BATCH_CONNECTOR],
            partition=self.partition,
            url_suffix=self.url_suffix,
            project_roles=identity.projects,
            raw_data_bucket=storage.raw_data.bucket_name,
            efs=efs,
        )

    def _project_role_arn(self, identity: IdentityPorts) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{identity.project_role_name}"


def _secrets(database: DatabasePorts, sign_on: SignOnPorts) -> Mapping[str, SecretKeys]:
    passwords = {
        file: SecretSource(database.clients[client].secret.secret_arn, "password")
        for client, file in PASSWORD_FILES.items()
    }
    return {
        DATABASE_SECRET: {**passwords, CA_FILE: Certificates(database.certificate_authorities)},
        **sign_on_secrets(sign_on),
    }


def _database(ports: DatabasePorts, client: str) -> FlyteDatabase:
    of = ports.clients[client]
    return FlyteDatabase(host=ports.host, port=ports.port, database=of.database, username=of.username)
