"""The Jobs stacks, one a domain (docs/adr/0014): the catalogue's jobs of each project, and who may submit them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from aerodrome_constructs.batch import (
    Container,
    ContainerJob,
    ContainerJobProps,
    ElasticMount,
    HostMount,
    InvalidJobError,
    JobExecutionRole,
    JobExecutionRoleProps,
    JobSubmitPolicy,
    JobSubmitPolicyProps,
    Platform,
)
from aerodrome_constructs.file_systems import LUSTRE_PATH
from aerodrome_constructs.identity import PROJECT_TAG, Conditions
from aerodrome_stacks.base import ENVIRONMENT_TAG, AerodromeStack
from aerodrome_stacks.batch_queues import Kind, kinds, queue_name
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.environment.model import Project
from aerodrome_stacks.file_systems_stack import FileSystemsPorts
from aerodrome_stacks.identity_stack import IdentityPorts
from aerodrome_stacks.image_list import mirror_repository, other_images
from aerodrome_stacks.job_catalogue import CATALOGUE, TRAIN_CLASSIFIER, JobKind
from aerodrome_stacks.names import jobs_log_group, own_prefix, resource_prefix
from aerodrome_stacks.project_roles import DOMAIN_TAG, project_tags
from aerodrome_stacks.retention import log_retention
from aerodrome_stacks.storage_stack import StoragePorts

_REGISTRY = "{registry}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPorts:
    """What other stacks may use of the jobs.

    Attributes:
        definition_names: The name of the job definition of each project, domain and kind of job.
        log_groups: The name of the log group of each project and domain.
    """

    definition_names: Mapping[tuple[str, str, str], str]
    log_groups: Mapping[tuple[str, str], str]

    @classmethod
    def of_all(cls, ports: Sequence[Self]) -> Self:
        """The jobs of several domains, each of which has its own."""
        return cls(
            definition_names={key: name for one in ports for key, name in one.definition_names.items()},
            log_groups={key: name for one in ports for key, name in one.log_groups.items()},
        )


def definition_name(environment: Environment, project: str, domain: str, job: str) -> str:
    """The name of a job definition, such as ``aerodrome-dev-fraud-detection-development-train-classifier``."""
    return f"{definition_prefix(environment, project, domain)}{job}"


def definition_prefix(environment: Environment, project: str, domain: str) -> str:
    """What the names of a project's job definitions in a domain begin with, and those of no other's.

    That no other's do is a rule of environments: ``projects_that_no_other_ones_role_reaches``.
    """
    return f"{resource_prefix(environment)}-{project}-{domain}-"


def submit_policy_name(environment: Environment, project: str, domain: str) -> str:
    """The name of the policy of people, such as ``aerodrome-dev-fraud-detection-development-submit-jobs``."""
    return f"{resource_prefix(environment)}-{project}-{domain}-submit-jobs"


class JobsStack(AerodromeStack):
    """Each project that has the domain has its own job definitions, log group and rights there."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        domain: Domain,
        identity: IdentityPorts,
        storage: StoragePorts,
        log_key: kms.IKey,
        secrets_key: kms.IKey,
        file_systems: FileSystemsPorts | None = None,
        after: cdk.Stack,
        catalogue: Sequence[JobKind] = CATALOGUE,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description=f"AWS Batch: job definitions and log groups of each project in {domain}, and who submits jobs",
        )
        self._environment, self._identity, self._file_systems = environment, identity, file_systems
        self._log_key, self._secrets_key_arn = log_key, secrets_key.key_arn
        self._buckets = {"{input}": storage.batch_input.bucket_name, "{output}": storage.batch_output.bucket_name}
        # Asked for once: each question to the CDK goes to another process.
        self._partition = self.partition
        self._here = f"{environment.region}:{environment.account}"
        self._registry = f"{environment.account}.dkr.ecr.{environment.region}.{self.url_suffix}/"
        # Roles and boundary are Identity's, and known by their names: nothing but this says that they come first.
        self.add_stack_dependency(after)
        self._boundary = iam.ManagedPolicy.from_managed_policy_name(
            self, "WorkloadBoundary", f"{self.prefix}-workload-boundary"
        )
        offered = set(kinds(environment))
        self._jobs = [_mirrored(environment, job) for job in catalogue if job.kinds & offered]
        self._scripts = self._references_to_scripts()
        projects = [project for project in environment.projects if domain in project.domains]
        self.ports = self._ports([(project.name, domain) for project in projects])
        for project in projects:
            self._project(project, domain)
        first = environment.projects[0]
        if domain == next(iter(first.domains)):
            self._outputs(first, domain)

    def _references_to_scripts(self) -> Mapping[str, str]:
        """What stands in the job definitions for each script, which itself stands once in the template.

        CloudFormation takes a template of 1 MB. In the definitions of each project the scripts were 17 KB a project.
        """
        found = {
            (job.name, f"Word{position}"): word
            for job in self._jobs
            for position, word in enumerate(job.container.command)
            if "\n" in word
        }
        if not found:
            return {}
        scripts = cdk.CfnMapping(self, "Scripts", lazy=False)
        for place, script in found.items():
            scripts.set_value(*place, script)
        return {script: scripts.find_in_map(*place) for place, script in found.items()}

    def _ports(self, spaces: Sequence[tuple[str, str]]) -> JobsPorts:
        definitions = [(*space, job.name) for space in spaces for job in self._jobs]
        names = [definition_name(self._environment, *definition) for definition in definitions]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise InvalidJobError(
                f"two jobs would be called {twice[0]}: a job's name is its own in the catalogue, and project, domain "
                "and job together are no other's; give one of them another name"
            )
        return JobsPorts(
            definition_names=dict(zip(definitions, names, strict=True)),
            log_groups={space: jobs_log_group(self._environment, *space) for space in spaces},
        )

    def _project(self, project: Project, domain: Domain) -> None:
        space = Construct(self, f"{project.name}-{domain}")
        for key, value in project_tags(project.name, domain).items():
            cdk.Tags.of(space).add(key, value)
        self._log_group(space, project, domain)
        execution_role = self._execution_role(space, project, domain)
        for job in self._jobs:
            self._job(space, job, project, domain, execution_role)
        self._submit_policy(space, project, domain)

    def _log_group(self, space: Construct, project: Project, domain: Domain) -> None:
        logs.LogGroup(
            space,
            "Logs",
            log_group_name=self.ports.log_groups[project.name, domain],
            retention=log_retention(self._environment),
            encryption_key=self._log_key,
            # Not when its creation is rolled back: its name would be taken at the next try.
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )

    def _execution_role(self, space: Construct, project: Project, domain: Domain) -> iam.IRole:
        images = [job.container.image for job in self._jobs]
        secrets = {source.secret for job in self._jobs for source in job.secrets.values()}
        prefix = self._secret_arn(project, domain)
        own: Conditions = {
            "StringEquals": {
                f"secretsmanager:ResourceTag/{ENVIRONMENT_TAG}": self._environment.name,
                f"secretsmanager:ResourceTag/{PROJECT_TAG}": project.name,
            },
            # A secret may be one domain's only.
            "StringEqualsIfExists": {f"secretsmanager:ResourceTag/{DOMAIN_TAG}": domain},
        }
        props = JobExecutionRoleProps(
            log_group_name=self.ports.log_groups[project.name, domain],
            boundary=self._boundary,
            repositories=sorted({_repository(image) for image in images if image.startswith(_REGISTRY)}),
            # A secret's ARN ends in six characters that Secrets Manager makes up.
            secret_arns=[f"{prefix}/{secret}-??????" for secret in sorted(secrets)],
            secret_conditions=own,
            secrets_key_arn=self._secrets_key_arn,
        )
        return JobExecutionRole(space, "ExecutionRole", props).role

    def _secret_arn(self, project: Project, domain: Domain) -> str:
        name = f"aerodrome/{self._environment.name}/{project.name}/{domain}"
        return f"arn:{self._partition}:secretsmanager:{self._here}:secret:{name}"

    def _job(self, space: Construct, job: JobKind, project: Project, domain: Domain, execution_role: iam.IRole) -> None:
        prefix = self._secret_arn(project, domain)
        props = ContainerJobProps(
            name=self.ports.definition_names[project.name, domain, job.name],
            container=self._placed(job.container, project, domain),
            job_role_arn=self._identity.projects[project.name, domain],
            execution_role_arn=execution_role.role_arn,
            log_group_name=self.ports.log_groups[project.name, domain],
            log_stream_prefix=job.name,
            secrets={
                variable: f"{prefix}/{source.secret}" + (f":{source.field}::" if source.field else "")
                for variable, source in job.secrets.items()
            },
            mounts=self._mounts(job, project, domain),
            references=self._scripts,
        )
        ContainerJob(space, job.name, props)

    def _placed(self, container: Container, project: Project, domain: Domain) -> Container:
        """A container of the catalogue with a project's own places in it."""

        def placed(text: str) -> str:
            for placeholder, bucket in self._buckets.items():
                text = text.replace(placeholder, f"s3://{bucket}/{own_prefix(project.name, domain)}")
            return text

        return replace(
            container,
            image=container.image.replace(_REGISTRY, self._registry, 1),
            parameters={key: placed(value) for key, value in container.parameters.items()},
            environment={key: placed(value) for key, value in container.environment.items()},
        )

    def _mounts(self, job: JobKind, project: Project, domain: Domain) -> list[ElasticMount | HostMount]:
        found: list[ElasticMount | HostMount] = []
        if self._file_systems is None or not job.mounts_files:
            return found
        if efs := self._file_systems.efs:
            access_point_id, _ = efs.access_points[project.name, domain]
            found.append(
                ElasticMount(path="/mnt/efs", file_system_id=efs.file_system_id, access_point_id=access_point_id)
            )
        if self._file_systems.lustre and job.container.platform is Platform.EC2:
            found.append(HostMount(path=LUSTRE_PATH))
        return found

    def _submit_policy(self, space: Construct, project: Project, domain: Domain) -> None:
        queues = [queue_name(self._environment, domain, kind) for kind in kinds(self._environment)]
        props = JobSubmitPolicyProps(
            name=submit_policy_name(self._environment, project.name, domain),
            description=f"Submit jobs of {project.name} in {domain}, look at them and end them",
            definition_prefix=definition_prefix(self._environment, project.name, domain),
            queue_arns=[f"arn:{self._partition}:batch:{self._here}:job-queue/{name}" for name in queues],
            share_identifier=project.share_identifier,
            job_tags=project_tags(project.name, domain),
            log_group_name=self.ports.log_groups[project.name, domain],
        )
        JobSubmitPolicy(space, "SubmitPolicy", props)

    def _outputs(self, project: Project, domain: Domain) -> None:
        """What `aerodrome try` submits: the first project's training, in its first domain."""
        outputs = {
            "TutorialPrefix": own_prefix(project.name, domain),
            "TutorialQueueName": queue_name(self._environment, domain, Kind.SPOT),
            "TutorialShare": project.share_identifier,
            "TutorialJobName": definition_name(self._environment, project.name, domain, TRAIN_CLASSIFIER.name),
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)


def _mirrored(environment: Environment, job: JobKind) -> JobKind:
    """A kind of job, with the copy of its image where the environment has one."""
    if environment.images != "mirror" or job.container.image not in {image.reference for image in other_images()}:
        return job
    copied = f"{_REGISTRY}{mirror_repository(environment, job.container.image)}"
    return replace(job, container=replace(job.container, image=copied))


def _repository(image: str) -> str:
    return re.split("[:@]", image.removeprefix(_REGISTRY))[0]
