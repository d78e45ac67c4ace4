"""The Identity stack: a role for every service account, one for every project and domain, and what bounds those."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.database.postgres_instance import MASTER_SECRET_TAG
from aerodrome_constructs.identity import (
    EVERYTHING,
    BucketAccess,
    ServiceAccount,
    ServiceAccountRole,
    ServiceAccountRoleProps,
    WorkloadBoundary,
    WorkloadBoundaryProps,
    allow,
    bucket_statements,
    deny,
    karpenter_statements,
    key_arn_of,
    load_balancer_controller_statements,
    object_wildcards,
)
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import WILDCARDS
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import ENVIRONMENT_TAG, AerodromeStack
from aerodrome_stacks.cluster_stack import ClusterPorts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.file_systems_stack import EfsPorts
from aerodrome_stacks.flyte_access import FlyteBuckets, pass_role_policies, propeller_batch_statements
from aerodrome_stacks.project_roles import project_role_name, project_tags
from aerodrome_stacks.storage_stack import StoragePorts

# Why the policies of those who reach objects have wildcards.
_OBJECTS = (
    "objects get their names when they are written: rights end at a bucket or a prefix in it, and name each action"
)


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
        efs: EfsPorts | None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="IAM roles of the platform's service accounts, and of each project and domain",
        )
        self._cluster = cluster
        # Asked for once: each question to the CDK goes to another process.
        self._partition, self._region, self._account = self.partition, environment.region, environment.account
        self._data_key_arn = key_arn_of(storage.metadata)
        self._secrets_key_arn = secrets_key.key_arn
        self._efs = efs
        self._buckets = FlyteBuckets.of(storage)
        self._boundary = self._workload_boundary(environment)
        self._projects = Construct(self, "Projects")
        projects: dict[tuple[str, str], str] = {
            (project, domain): self._project_role(environment, project, domain)
            for project, domain in environment.project_domains
        }
        roles = (
            self._role(
                "Flyteadmin",
                service_accounts.FLYTEADMIN,
                [*self._in_buckets(*self._buckets.flyteadmin()), *self._buckets.not_flyteadmins()],
                because=_OBJECTS,
                wildcards=object_wildcards(self._buckets.flyteadmin()),
            ),
            self._bucket_role("Datacatalog", service_accounts.DATACATALOG, self._buckets.datacatalog()),
            self._role(
                "Flytepropeller",
                service_accounts.FLYTEPROPELLER,
                [
                    *self._in_buckets(*self._buckets.flytepropeller()),
                    *propeller_batch_statements(environment, self._partition),
                ],
                policies=pass_role_policies(self, projects),
                because="it makes up the names of its job definitions, and neither a job's ID nor an object's name is "
                "known before; what is allowed on everything takes no resource",
                wildcards=[
                    *object_wildcards(self._buckets.flytepropeller()),
                    "Resource::[*]",
                    "Resource::arn:*:batch:*:job-definition/[*]",
                    "Resource::arn:*:batch:*:job/[*]",
                ],
            ),
            self._bucket_role("Mlflow", service_accounts.MLFLOW, [_whole(storage.mlflow_artifacts.bucket_arn)]),
            self._role(
                "Grafana",
                service_accounts.GRAFANA,
                _grafana(),
                because="it reads metrics, alarms, regions and tags, and none of these actions takes a resource",
                wildcards=["Resource::[*]"],
            ),
            self._role(
                "LoadBalancerController",
                service_accounts.LOAD_BALANCER_CONTROLLER,
                self._load_balancer_controller(),
                because="it makes load balancers, whose ARNs end in what AWS makes up; conditions on tags keep it to "
                "its own cluster's where AWS has such, and what is allowed on everything takes no resource",
                wildcards=[
                    "Resource::[*]",
                    "Resource::arn:*:acm:*:certificate/[*]",
                    "Resource::arn:*:ec2:*:security-group/[*]",
                    "Resource::arn:*:ec2:*:vpc/[*]",
                    "Resource::arn:*:elasticloadbalancing:*/[*]",
                    "Resource::arn:*:iam::*:role/aws-service-role/elasticloadbalancing.amazonaws.com/[*]",
                    "Resource::arn:*:wafv2:*:regional/webacl/[*]/[*]",
                ],
            ),
            self._role(
                "ExternalSecrets",
                service_accounts.EXTERNAL_SECRETS,
                self._external_secrets(environment),
                because="secrets are added without a deploy; the tag of the environment says which it may read",
                wildcards=["Resource::arn:*:secretsmanager:*:secret:[*]"],
            ),
            self._role(
                "Karpenter",
                service_accounts.KARPENTER,
                self._karpenter(),
                because="it starts instances, which have no ID before; conditions on tags keep it to its own "
                "cluster's, and what is allowed on everything takes no resource",
                wildcards=[
                    "Resource::[*]",
                    "Resource::arn:*:ec2:*/[*]",
                    "Resource::arn:*:iam::*:instance-profile/[*]",
                    "Resource::arn:*:ssm:*:parameter/aws/service/[*]",
                ],
            ),
        )
        self.ports = IdentityPorts(
            service_accounts=dict(roles),
            # Built from the names: what another stack imports could not go, and with it no project.
            projects={
                (project, domain): (
                    f"arn:{self._partition}:iam::{self._account}:role/{project_role_name(environment, project, domain)}"
                )
                for project, domain in projects
            },
            project_role_name=project_role_name(environment, "{project}", "{domain}"),
        )

    def _role(
        self,
        construct_id: str,
        service_account: ServiceAccount,
        statements: Sequence[iam.PolicyStatement],
        *,
        because: str,
        wildcards: Sequence[str],
        policies: Sequence[iam.IManagedPolicy] = (),
    ) -> tuple[ServiceAccount, str]:
        props = ServiceAccountRoleProps(
            service_account=service_account,
            oidc_issuer=self._cluster.oidc_issuer,
            statements=statements,
            policies=policies,
        )
        role = ServiceAccountRole(self, construct_id, props).role
        acknowledge(role, WILDCARDS, reason=because, findings=wildcards)
        return service_account, role.role_arn

    def _bucket_role(
        self, construct_id: str, service_account: ServiceAccount, access: Sequence[BucketAccess]
    ) -> tuple[ServiceAccount, str]:
        return self._role(
            construct_id,
            service_account,
            self._in_buckets(*access),
            because=_OBJECTS,
            wildcards=object_wildcards(access),
        )

    def _in_buckets(self, *access: BucketAccess) -> list[iam.PolicyStatement]:
        return bucket_statements(access, key_arn=self._data_key_arn, region=self._region)

    def _load_balancer_controller(self) -> list[iam.PolicyStatement]:
        return load_balancer_controller_statements(
            partition=self._partition, region=self._region, account=self._account, cluster_name=self._cluster.name
        )

    def _external_secrets(self, environment: Environment) -> list[iam.PolicyStatement]:
        read = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        secrets = [f"arn:{self._partition}:secretsmanager:{self._region}:{self._account}:secret:*"]
        key, value = MASTER_SECRET_TAG
        return [
            # Every resource of the environment carries this tag (base.py), and so must a secret that is made by hand.
            allow(
                read,
                secrets,
                {"StringEquals": {f"secretsmanager:ResourceTag/{ENVIRONMENT_TAG}": environment.name}},
            ),
            # The database's master user has it, too. No pod needs that one, and who may write an ExternalSecret would
            # be master of every database.
            deny(read, secrets, {"StringEquals": {f"secretsmanager:ResourceTag/{key}": value}}),
            allow(
                ["kms:Decrypt"],
                [self._secrets_key_arn],
                {"StringEquals": {"kms:ViaService": f"secretsmanager.{self._region}.amazonaws.com"}},
            ),
        ]

    def _karpenter(self) -> list[iam.PolicyStatement]:
        return karpenter_statements(
            partition=self._partition,
            region=self._region,
            account=self._account,
            cluster_name=self._cluster.name,
            node_role_arn=self._cluster.node_role_arn,
            queue_arn=self._cluster.interruption_queue_arn,
        )

    def _workload_boundary(self, environment: Environment) -> iam.IManagedPolicy:
        props = WorkloadBoundaryProps(
            bucket_arns=self._buckets.arns,
            data_key_arn=self._data_key_arn,
            secrets_key_arn=self._secrets_key_arn,
            log_groups=[f"/aerodrome/{environment.name}/*"],
            file_system_arn=self._efs.file_system_arn if self._efs else None,
            policy_name=f"{self.prefix}-workload-boundary",
        )
        return WorkloadBoundary(self, "WorkloadBoundary", props).policy

    def _project_role(self, environment: Environment, project: str, domain: str) -> str:
        # Flyte runs a project's pods in the namespace <project>-<domain>, as its default service account. The namespace
        # is the ID, too: two never make one ID.
        namespace = f"{project}-{domain}"
        files = self._efs.client_statements(project, domain) if self._efs else []
        props = ServiceAccountRoleProps(
            service_account=ServiceAccount(namespace, "default"),
            oidc_issuer=self._cluster.oidc_issuer,
            role_name=project_role_name(environment, project, domain),
            trusted_services=("ecs-tasks.amazonaws.com",),
            statements=[*self._in_buckets(*self._buckets.project(project, domain)), *files],
            boundary=self._boundary,
            tags=project_tags(project, domain),
        )
        role = ServiceAccountRole(self._projects, namespace, props).role
        acknowledge(role, WILDCARDS, reason=_OBJECTS, findings=object_wildcards(self._buckets.project(project, domain)))
        return role.role_arn


def _grafana() -> list[iam.PolicyStatement]:
    return [
        allow(
            [
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetMetricData",
                "cloudwatch:ListMetrics",
                "ec2:DescribeRegions",
                "tag:GetResources",
            ]
        )
    ]


def _whole(bucket_arn: str) -> BucketAccess:
    everything = (EVERYTHING,)
    return BucketAccess(bucket_arn=bucket_arn, read=everything, write=everything, delete=everything, list_all=True)
