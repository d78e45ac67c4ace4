"""The Flyte jobs stack: what Flyte's jobs in AWS Batch need beside queues and projects' roles."""

from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.batch import (
    JobExecutionRole,
    JobExecutionRoleProps,
    JobStateChanges,
    JobStateChangesProps,
)
from aerodrome_constructs.identity import PROJECT_TAG
from aerodrome_stacks.base import ENVIRONMENT_TAG, AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.names import (
    flyte_definition_prefix,
    flyte_jobs_events_name,
    flyte_jobs_role_name,
    jobs_log_group,
)
from aerodrome_stacks.project_roles import DOMAIN_TAG, project_tags


class FlyteJobsStack(AerodromeStack):
    """A role to start each project's containers with, and a queue with the state changes of their jobs.

    A person names image and secrets of a task; the jobs of the catalogue, whose images and secrets are known, have
    roles of their own (:class:`aerodrome_stacks.jobs_stack.JobsStack`).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        secrets_key: kms.IKey,
        after: Iterable[cdk.Stack],
    ) -> None:
        """Make the stack.

        Args:
            scope: The app.
            construct_id: The stack's part of the platform.
            environment: What the team decided.
            secrets_key: The key that encrypts projects' secrets.
            after: The stacks of the boundary and of the log groups, which are known by their names.
        """
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Flyte's tasks on AWS Batch: roles that their containers are started with, state changes",
        )
        for stack in after:
            self.add_stack_dependency(stack)
        self._environment, self._secrets_key_arn = environment, secrets_key.key_arn
        # Asked for once: each question to the CDK goes to another process.
        self._here = f"arn:{self.partition}:secretsmanager:{environment.region}:{environment.account}"
        self._boundary = iam.ManagedPolicy.from_managed_policy_name(
            self, "WorkloadBoundary", f"{self.prefix}-workload-boundary"
        )
        for project, domain in environment.project_domains:
            self._execution_role(project, domain)
        JobStateChanges(
            self,
            "Changes",
            JobStateChangesProps(
                name=flyte_jobs_events_name(environment),
                definition_prefix=flyte_definition_prefix(environment),
                description="State changes of jobs of Flyte's tasks: to the connector that follows them",
            ),
        )

    def _execution_role(self, project: str, domain: str) -> None:
        own = {
            f"secretsmanager:ResourceTag/{ENVIRONMENT_TAG}": self._environment.name,
            f"secretsmanager:ResourceTag/{PROJECT_TAG}": project,
        }
        JobExecutionRole(
            self,
            f"{project}-{domain}",
            JobExecutionRoleProps(
                log_group_name=jobs_log_group(self._environment, project, domain),
                boundary=self._boundary,
                repositories=["*"],
                secret_arns=[f"{self._here}:secret:aerodrome/{self._environment.name}/{project}/{domain}/*"],
                secret_conditions={
                    "StringEquals": own,
                    # A secret may be one domain's only.
                    "StringEqualsIfExists": {f"secretsmanager:ResourceTag/{DOMAIN_TAG}": domain},
                },
                secrets_key_arn=self._secrets_key_arn,
                tags=project_tags(project, domain),
                role_name=flyte_jobs_role_name(self._environment, project, domain),
            ),
        )
