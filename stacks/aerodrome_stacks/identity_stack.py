"""The Identity stack: a role for every service account, and one for every project and domain."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.identity import (
    ServiceAccount,
    ServiceAccountRole,
    ServiceAccountRoleProps,
    allow,
    karpenter_statements,
    load_balancer_controller_statements,
)
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.batch_stack import queue_name, training_job_name
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.storage_stack import StoragePorts

# IAM's limit. A longer name fails the deploy half-way; here it fails the synth.
_LONGEST_ROLE_NAME = 64


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
        secrets_key: kms.IKey,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="IAM roles of the platform's service accounts, and of each project and domain",
        )
        self._cluster = cluster
        self._storage = storage
        self._projects = Construct(self, "Projects")
        projects = {
            (project.name, domain): self._project_role(project.name, domain)
            for project in environment.projects
            for domain in project.domains
        }
        self.ports = IdentityPorts(
            service_accounts={
                account: role.role_arn
                for account, role in (
                    self._flyteadmin(),
                    self._datacatalog(),
                    self._flytepropeller(environment, projects.values()),
                    self._mlflow(),
                    self._grafana(),
                    self._load_balancer_controller(),
                    self._external_secrets(environment, secrets_key),
                    self._karpenter(),
                )
            },
            projects={key: role.role_arn for key, role in projects.items()},
            project_role_name=self._project_role_name("{project}", "{domain}"),
        )

    def _flyteadmin(self) -> tuple[ServiceAccount, iam.Role]:
        role = self._role("Flyteadmin", service_accounts.FLYTEADMIN)
        self._storage.metadata.grant_read_write(role)
        # Signs the URLs through which the console and pyflyte read what tasks wrote.
        self._storage.raw_data.grant_read(role)
        return service_accounts.FLYTEADMIN, role

    def _datacatalog(self) -> tuple[ServiceAccount, iam.Role]:
        role = self._role("Datacatalog", service_accounts.DATACATALOG)
        self._storage.metadata.grant_read_write(role)
        return service_accounts.DATACATALOG, role

    def _flytepropeller(
        self, environment: Environment, project_roles: Iterable[iam.Role]
    ) -> tuple[ServiceAccount, iam.Role]:
        role = self._role("Flytepropeller", service_accounts.FLYTEPROPELLER)
        self._storage.metadata.grant_read_write(role)
        self._storage.raw_data.grant_read_write(role)
        for statement in self._batch_statements(environment):
            role.add_to_policy(statement)
        role.add_to_policy(
            allow(
                ["iam:PassRole"],
                [project_role.role_arn for project_role in project_roles],
                {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            )
        )
        return service_accounts.FLYTEPROPELLER, role

    def _batch_statements(self, environment: Environment) -> Sequence[iam.PolicyStatement]:
        # The five actions of the AWS Batch plugin. It makes up the names of its job definitions, and a job's ID is not
        # known before, so both are all of the account's; the queue is the platform's own.
        batch = f"arn:{self.partition}:batch:{self.region}:{self.account}"
        definitions, jobs = f"{batch}:job-definition/*", f"{batch}:job/*"
        return (
            # Takes no resource.
            allow(["batch:DescribeJobs"]),
            allow(["batch:SubmitJob"], [f"{batch}:job-queue/{queue_name(environment)}", definitions]),
            # Its jobs run with a role of their own, and who submits one chooses its command: that would be to take the
            # role without PassRole.
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=["batch:SubmitJob"],
                resources=[f"{batch}:job-definition/{training_job_name(environment)}*"],
            ),
            allow(["batch:RegisterJobDefinition", "batch:TagResource", "batch:TerminateJob"], [definitions, jobs]),
        )

    def _mlflow(self) -> tuple[ServiceAccount, iam.Role]:
        role = self._role("Mlflow", service_accounts.MLFLOW)
        self._storage.mlflow_artifacts.grant_read_write(role)
        return service_accounts.MLFLOW, role

    def _grafana(self) -> tuple[ServiceAccount, iam.Role]:
        role = self._role("Grafana", service_accounts.GRAFANA)
        role.add_to_policy(
            allow(
                [
                    "cloudwatch:DescribeAlarms",
                    "cloudwatch:GetMetricData",
                    "cloudwatch:ListMetrics",
                    "ec2:DescribeRegions",
                    "tag:GetResources",
                ]
            )
        )
        return service_accounts.GRAFANA, role

    def _load_balancer_controller(self) -> tuple[ServiceAccount, iam.Role]:
        role = self._role("LoadBalancerController", service_accounts.LOAD_BALANCER_CONTROLLER)
        for statement in load_balancer_controller_statements(self.partition, self._cluster.name):
            role.add_to_policy(statement)
        return service_accounts.LOAD_BALANCER_CONTROLLER, role

    def _external_secrets(self, environment: Environment, secrets_key: kms.IKey) -> tuple[ServiceAccount, iam.Role]:
        role = self._role("ExternalSecrets", service_accounts.EXTERNAL_SECRETS)
        # Every resource of the environment carries this tag (base.py), and so must a secret that is made by hand.
        role.add_to_policy(
            allow(
                ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
                conditions={"StringEquals": {"secretsmanager:ResourceTag/aerodrome:environment": environment.name}},
            )
        )
        secrets_key.grant_decrypt(role)
        return service_accounts.EXTERNAL_SECRETS, role

    def _karpenter(self) -> tuple[ServiceAccount, iam.Role]:
        role = self._role("Karpenter", service_accounts.KARPENTER)
        for statement in karpenter_statements(
            partition=self.partition,
            region=self.region,
            account=self.account,
            cluster_name=self._cluster.name,
            node_role_arn=self._cluster.node_role_arn,
            queue_arn=self._cluster.interruption_queue_arn,
        ):
            role.add_to_policy(statement)
        return service_accounts.KARPENTER, role

    def _project_role(self, project: str, domain: str) -> iam.Role:
        # Flyte runs a project's pods in the namespace <project>-<domain>, as its default service account. The namespace
        # is the ID, too: two never make one ID.
        namespace = f"{project}-{domain}"
        role = ServiceAccountRole(
            self._projects,
            namespace,
            ServiceAccountRoleProps(
                service_account=ServiceAccount(namespace, "default"),
                oidc_issuer=self._cluster.oidc_issuer,
                role_name=self._project_role_name(project, domain),
                trusted_services=("ecs-tasks.amazonaws.com",),
            ),
        ).role
        storage, own = self._storage, f"{project}/{domain}/*"
        # Flyte keeps an execution's inputs and outputs below metadata/<store>/<project>-<domain>-<execution>, and the
        # code that `pyflyte` uploads below <project>/<domain>.
        storage.metadata.grant_read_write(role, f"metadata/*/{namespace}-*")
        storage.metadata.grant_read(role, own)
        # What tasks hand to each other lies below <two characters>/<execution>-<node>-<attempt>, which names neither
        # project nor domain: flytepropeller's NewShardedRawOutputPath. So projects can read each other's.
        storage.raw_data.grant_read_write(role)
        storage.batch_input.grant_read(role, own)
        storage.batch_output.grant_read_write(role, own)
        return role

    def _project_role_name(self, project: str, domain: str) -> str:
        name = f"{self.prefix}-{project}-{domain}"
        if len(name) > _LONGEST_ROLE_NAME:
            surplus = len(name) - _LONGEST_ROLE_NAME
            message = (
                f"the role of project {project} in domain {domain} would be called {name}: {len(name)} characters, and "
                f"IAM allows {_LONGEST_ROLE_NAME}; choose a project name that is {surplus} shorter"
            )
            raise ValueError(message)
        return name

    def _role(self, construct_id: str, service_account: ServiceAccount) -> iam.Role:
        props = ServiceAccountRoleProps(service_account=service_account, oidc_issuer=self._cluster.oidc_issuer)
        return ServiceAccountRole(self, construct_id, props).role
