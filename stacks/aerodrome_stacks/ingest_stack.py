"""The Ingest stack: what arrives in S3 becomes jobs, whose output is in S3."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from aerodrome_constructs.ingest import (
    BatchChain,
    BatchChainProps,
    BatchIngest,
    BatchIngestProps,
    IngestDeadLetters,
    IngestDeadLettersProps,
    ManifestIngest,
    ManifestIngestProps,
)
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.batch_queues import domains, ingest_queue_name
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.function_place import function_place
from aerodrome_stacks.job_catalogue import INGEST_OBJECT
from aerodrome_stacks.jobs_stack import JobsPorts, definition_name
from aerodrome_stacks.names import own_prefix, resource_prefix
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.project_roles import project_tags
from aerodrome_stacks.retention import log_retention
from aerodrome_stacks.storage_stack import StoragePorts

INBOX, MANIFESTS, CHAIN = "inbox", "manifests", "chain"
"""The folders of a project's domain in which an object is a job's input, a list of such, and the input of a chain."""

CHAIN_STEPS = ("profile", "convert", "publish")
"""The steps of the chain, as ``workflows/aerodrome_workflows/ingest_object.py`` has them."""

EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {
        65: "the object is not what the job takes; the log of the last attempt says what is wrong with it",
        66: "there is no such version of the object, or the project's jobs may not read it",
    }
)
"""What the exit statuses of ``ingest_object.py`` mean that no further attempt mends."""

# What the names of the chain's jobs begin with: of those the state machine tells, with the execution that they are of.
_CHAIN_JOBS = "chain-"
# Ends a step that waits for capacity, too: the queues wait for that without end.
_STEP_TIMEOUT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPorts:
    """What other stacks may use of the ingest.

    Attributes:
        dead_letters_name: The name of the queue with what became of nothing, and why.
    """

    dead_letters_name: str


def dead_letters_name(environment: Environment) -> str:
    """The name of the dead-letter queue, such as ``aerodrome-dev-ingest-dead-letters``: one, for who is on call."""
    return f"{resource_prefix(environment)}-ingest-dead-letters"


def chain_name(environment: Environment) -> str:
    """The name of the chain's state machine, such as ``aerodrome-dev-ingest-chain``."""
    return f"{resource_prefix(environment)}-ingest-chain"


class IngestStack(AerodromeStack):
    """Objects below ``<project>/<domain>/inbox/`` become jobs, as do the lines of manifests; others a chain of jobs.

    Each project has a rule and a role in each domain, as a rule names one job definition. Manifests and chains of all
    projects have one function and one state machine: whose they are is in the key.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        jobs: JobsPorts,
        storage: StoragePorts,
        network: NetworkPorts,
        log_key: kms.IKey,
        after: Iterable[cdk.Stack],
    ) -> None:
        """Make the stack.

        Args:
            scope: The app.
            construct_id: The stack's part of the platform.
            environment: What the team decided.
            jobs: The job definitions.
            storage: The buckets.
            network: Where the function for manifests runs.
            log_key: The key that encrypts logs.
            after: The stacks of the queues and job definitions, which rules name.
        """
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Objects that arrive in S3 become AWS Batch jobs, array jobs and chains of jobs",
        )
        self._environment, self._jobs, self._bucket = environment, jobs, storage.batch_input
        places = [{"project": project, "domain": domain} for project, domain in environment.project_domains]
        # Names with places to fill in, from the folders of a key.
        anywhere = own_prefix("{project}", "{domain}")
        queue = ingest_queue_name(environment, cast("Domain", "{domain}"))
        definition = definition_name(environment, "{project}", "{domain}", INGEST_OBJECT.name)
        dead_letters = self._dead_letters()
        for project, domain in environment.project_domains:
            self._inbox(project, domain, dead_letters)
        ManifestIngest(
            self,
            "Manifests",
            ManifestIngestProps(
                bucket=self._bucket,
                prefix=f"{anywhere}/{MANIFESTS}/",
                places=places,
                queue_name=queue,
                job_definition_name=definition,
                job_tags=project_tags("{project}", "{domain}"),
                place=function_place(environment, network, log_key),
                dead_letters=dead_letters,
            ),
        )
        BatchChain(
            self,
            "Chain",
            BatchChainProps(
                name=chain_name(environment),
                bucket=self._bucket,
                prefix=f"{anywhere}/{CHAIN}/",
                places=places,
                queue_name=queue,
                job_definition_name=definition,
                job_tags=project_tags("{project}", "{domain}"),
                steps=CHAIN_STEPS,
                job_prefix=_CHAIN_JOBS,
                step_timeout=_STEP_TIMEOUT,
                log_key=log_key,
                log_retention=log_retention(environment),
                dead_letters=dead_letters,
            ),
        )
        for stack in after:
            self.add_stack_dependency(stack)
        self.ports = IngestPorts(dead_letters_name=dead_letters_name(environment))

    def _dead_letters(self) -> sqs.IQueue:
        queues = [ingest_queue_name(self._environment, domain) for domain in domains(self._environment)]
        props = IngestDeadLettersProps(
            name=dead_letters_name(self._environment),
            queue_arns=[self.format_arn(service="batch", resource=f"job-queue/{name}") for name in queues],
            told_elsewhere=_CHAIN_JOBS,
            exit_codes=EXIT_CODES,
        )
        return IngestDeadLetters(self, "DeadLetters", props).queue

    def _inbox(self, project: str, domain: Domain, dead_letters: sqs.IQueue) -> None:
        props = BatchIngestProps(
            bucket=self._bucket,
            prefix=f"{own_prefix(project, domain)}/{INBOX}/",
            queue_name=ingest_queue_name(self._environment, domain),
            job_definition_name=self._jobs.definition_names[project, domain, INGEST_OBJECT.name],
            job_name=f"{INGEST_OBJECT.name}-{project}-{domain}",
            dead_letters=dead_letters,
        )
        BatchIngest(self, f"{project}-{domain}", props)
