"""The Jobs stack: the catalogue's jobs for each project in each of its domains, and where their output goes."""

from collections.abc import Mapping
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from aerodrome_constructs.batch import ContainerJob, ContainerJobProps
from aerodrome_stacks.base import AerodromeStack, resource_prefix
from aerodrome_stacks.chart_values.flyte_projects import own_prefix
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.job_catalogue import CATALOGUE, JobKind
from aerodrome_stacks.retention import log_retention
from aerodrome_stacks.storage_stack import StoragePorts


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPorts:
    """What other stacks may use of the jobs.

    Attributes:
        definition_names: The name of the job definition of each project, domain and kind of job.
        log_groups: The name of the log group of each project and domain.
    """

    definition_names: Mapping[tuple[str, str, str], str]
    log_groups: Mapping[tuple[str, str], str]


def definition_name(environment: Environment, project: str, domain: str, job: str) -> str:
    """The name of a job definition, such as ``aerodrome-dev-fraud-detection-development-train-classifier``."""
    return f"{resource_prefix(environment)}-{project}-{domain}-{job}"


def log_group_name(environment: Environment, project: str, domain: str) -> str:
    """The name of a project's log group in a domain, such as ``/aerodrome/dev/jobs/fraud-detection-development``."""
    return f"/aerodrome/{environment.name}/jobs/{project}-{domain}"


class JobsStack(AerodromeStack):
    """Each project has its own job definitions, with its own role and its own log group, in each of its domains."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        identity: IdentityPorts,
        storage: StoragePorts,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="AWS Batch: job definitions and log groups of each project and domain",
        )
        self._buckets = {"input": storage.batch_input.bucket_name, "output": storage.batch_output.bucket_name}
        for project, domain in identity.projects:
            place = Construct(self, f"{project}-{domain}")
            cdk.Tags.of(place).add("aerodrome:project", project)
            cdk.Tags.of(place).add("aerodrome:domain", domain)
            role = iam.Role.from_role_arn(place, "JobRole", identity.projects[project, domain], mutable=False)
            log_group = logs.LogGroup(
                place,
                "Logs",
                log_group_name=log_group_name(environment, project, domain),
                retention=log_retention(environment),
                encryption_key=log_key,
                # Not when its creation is rolled back: its name would be taken at the next try.
                removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            )
            for kind in CATALOGUE:
                self._job(place, kind, definition_name(environment, project, domain, kind.name), role, log_group)
        self.ports = JobsPorts(
            definition_names={
                (project, domain, kind.name): definition_name(environment, project, domain, kind.name)
                for project, domain in identity.projects
                for kind in CATALOGUE
            },
            log_groups={
                (project, domain): log_group_name(environment, project, domain) for project, domain in identity.projects
            },
        )

    def _job(self, place: Construct, kind: JobKind, name: str, role: iam.IRole, log_group: logs.ILogGroup) -> None:
        project, domain = place.node.id.rsplit("-", 1)
        own = {key: f"s3://{bucket}/{own_prefix(project, domain)}" for key, bucket in self._buckets.items()}
        ContainerJob(
            place,
            kind.name,
            ContainerJobProps(
                name=name,
                image=kind.image,
                command=kind.command,
                parameters={key: value.format(**own) for key, value in kind.parameters.items()},
                vcpus=kind.vcpus,
                memory_mib=kind.memory_mib,
                timeout=kind.timeout,
                job_role=role,
                log_group=log_group,
            ),
        )
