"""The Identity stack: a role for every service account, one for every project and domain, and what bounds those."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.identity import (
    ServiceAccount,
    ServiceAccountRole,
    ServiceAccountRoleProps,
    WorkloadBoundary,
    WorkloadBoundaryProps,
    key_arn_of,
    object_wildcards,
)
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import WILDCARDS
from aerodrome_stacks.alerts_stack import AlertsPorts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.file_systems_stack import EfsPorts
from aerodrome_stacks.flyte_access import FlyteBuckets, pass_role_policies, used_code_policy
from aerodrome_stacks.names import flyte_jobs_role_name, project_role_name
from aerodrome_stacks.notifications_stack import NotificationsPorts
from aerodrome_stacks.project_roles import project_tags
from aerodrome_stacks.roles import OBJECTS, AccountRegion, DataBuckets, RoleRights
from aerodrome_stacks.roles.addons import addon_roles
from aerodrome_stacks.roles.flyte import flyte_roles
from aerodrome_stacks.roles.flyte_batch_connector import batch_connector_roles
from aerodrome_stacks.roles.observability import observability_roles
from aerodrome_stacks.roles.tracking import tracking_roles
from aerodrome_stacks.sharing import uses
from aerodrome_stacks.storage_stack import StoragePorts


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPorts:
    """The roles, by who may take them.

    Attributes:
        service_accounts: The ARN of the role of each of the platform's own service accounts.
        projects: The ARN of the role of each project and domain: its pods and its Batch jobs take it.
        project_role_name: The name of a project's role, with ``{project}`` and ``{domain}`` in it, for what works the
            name out at run time.
    """

    service_accounts: Mapping[ServiceAccount, str]
    projects: Mapping[tuple[str, str], str]
    project_role_name: str


class IdentityStack(AerodromeStack):
    """One role for each service account: a component that is broken into has its own rights and no other's."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        cluster: ClusterPorts,
        storage: StoragePorts,
        alerts: AlertsPorts,
        alerts_key: kms.IKey,
        secrets_key: kms.IKey,
        efs: EfsPorts | None,
        notifications: NotificationsPorts | None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="IAM roles of the platform's service accounts, and of each project and domain",
        )
        self._cluster = cluster
        self._place = AccountRegion(partition=self.partition, region=environment.region, account=environment.account)
        self._data = DataBuckets(key_arn=key_arn_of(storage.metadata), region=environment.region)
        self._secrets_key_arn = secrets_key.key_arn
        self._efs = efs
        self._buckets = FlyteBuckets.of(storage)
        self._boundary = self._workload_boundary(environment)
        self._projects = Construct(self, "Projects")
        self._used_code = Construct(self, "UsedCode")
        projects: dict[tuple[str, str], str] = {
            (project, domain): self._project_role(environment, project, domain)
            for project, domain in environment.project_domains
        }
        pass_role = self._pass_role(environment, projects)
        rights = [
            *flyte_roles(
                environment,
                partition=self._place.partition,
                buckets=self._buckets,
                data=self._data,
                pass_role=pass_role,
                notifications=notifications,
            ),
            *batch_connector_roles(
                environment,
                place=self._place,
                buckets=self._buckets,
                data=self._data,
                pass_role=[*pass_role, *self._pass_execution_role(environment)],
            ),
            *tracking_roles(artifacts_arn=storage.mlflow_artifacts.bucket_arn, data=self._data),
            *observability_roles(environment, place=self._place, alerts=alerts, alerts_key_arn=alerts_key.key_arn),
            *addon_roles(environment, place=self._place, cluster=cluster, secrets_key_arn=self._secrets_key_arn),
        ]
        self.ports = IdentityPorts(
            service_accounts={one.service_account: self._role(one) for one in rights},
            # Built from the names: what another stack imports could not go, and with it no project.
            projects={
                (project, domain): (
                    f"arn:{self._place.partition}:iam::{self._place.account}:role/"
                    f"{project_role_name(environment, project, domain)}"
                )
                for project, domain in projects
            },
            project_role_name=project_role_name(environment, "{project}", "{domain}"),
        )

    def _pass_role(
        self, environment: Environment, projects: Mapping[tuple[str, str], str]
    ) -> Sequence[iam.IManagedPolicy]:
        if not (environment.flyte.batch_plugin or environment.flyte.batch_connector):
            return []
        return pass_role_policies(
            self,
            projects,
            prefix="Flytepropeller",
            description="Hand on the roles of projects in {domain} to their jobs",
        )

    def _pass_execution_role(self, environment: Environment) -> Sequence[iam.IManagedPolicy]:
        if environment.flyte.batch_connector is None:
            return []
        role = f"arn:{self._place.partition}:iam::{self._place.account}:role/"
        return pass_role_policies(
            self,
            {
                (project, domain): f"{role}{flyte_jobs_role_name(environment, project, domain)}"
                for project, domain in environment.project_domains
            },
            prefix="BatchConnector",
            description="Have containers of projects in {domain} started with the roles that are for that",
        )

    def _role(self, rights: RoleRights) -> str:
        props = ServiceAccountRoleProps(
            service_account=rights.service_account,
            oidc_issuer=self._cluster.oidc_issuer,
            statements=rights.statements,
            policies=rights.policies,
        )
        role = ServiceAccountRole(self, rights.construct_id, props).role
        if rights.wildcards:
            acknowledge(role, WILDCARDS, reason=rights.because, findings=rights.wildcards)
        return role.role_arn

    def _workload_boundary(self, environment: Environment) -> iam.IManagedPolicy:
        props = WorkloadBoundaryProps(
            bucket_arns=self._buckets.arns,
            data_key_arn=self._data.key_arn,
            secrets_key_arn=self._secrets_key_arn,
            log_groups=[f"/aerodrome/{environment.name}/*"],
            kept_objects=self._buckets.batch_connectors_own(),
            file_system_arn=self._efs.file_system_arn if self._efs else None,
            policy_name=f"{self.prefix}-workload-boundary",
        )
        return WorkloadBoundary(self, "WorkloadBoundary", props).policy

    def _project_role(self, environment: Environment, project: str, domain: Domain) -> str:
        # Flyte runs a project's pods in the namespace <project>-<domain>, as its default service account. The namespace
        # is the ID, too: two never make one ID.
        namespace = f"{project}-{domain}"
        files = self._efs.client_statements(project, domain) if self._efs else []
        used = uses(environment, project, domain)
        access = self._buckets.project(project, domain, uses=used)
        props = ServiceAccountRoleProps(
            service_account=ServiceAccount(namespace, "default"),
            oidc_issuer=self._cluster.oidc_issuer,
            role_name=project_role_name(environment, project, domain),
            trusted_services=("ecs-tasks.amazonaws.com",),
            statements=[*self._data.statements(access), *files],
            policies=[self._code(namespace, used, domain)] if used else [],
            boundary=self._boundary,
            tags=project_tags(project, domain),
        )
        role = ServiceAccountRole(self._projects, namespace, props).role
        acknowledge(role, WILDCARDS, reason=OBJECTS, findings=object_wildcards(access))
        return role.role_arn

    def _code(self, namespace: str, used: Sequence[str], domain: Domain) -> iam.IManagedPolicy:
        return used_code_policy(
            self._used_code, namespace, metadata_arn=self._buckets.metadata, uses=used, domain=domain
        )
