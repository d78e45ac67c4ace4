"""Who of Flyte reads and writes what: in S3 down to the prefix, and in AWS Batch.

The paths are those of Flyte v1.16.8, of which the sources were read; ``docs/explanation/identity.md`` says where.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.identity import EVERYTHING, BucketAccess, allow, deny, object_wildcards
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import WILDCARDS
from aerodrome_stacks.batch_queues import flyte_queue_names
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.names import own_prefix
from aerodrome_stacks.roles import OBJECTS
from aerodrome_stacks.storage_stack import StoragePorts

# `pyflyte register`; `FlyteRemote.register_script` and `pyflyte run` of a single script.
_CODE_ARCHIVES = ("fast*.tar.gz", "script_mode.tar.gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlyteBuckets:
    """The buckets that Flyte's components and tasks share, by ARN.

    Attributes:
        metadata: Flyte's own records of executions.
        raw_data: What tasks hand to each other.
        batch_input: What arrives for jobs.
        batch_output: What jobs leave.
    """

    metadata: str
    raw_data: str
    batch_input: str
    batch_output: str

    @classmethod
    def of(cls, storage: StoragePorts) -> Self:
        """The buckets of an environment."""
        return cls(
            metadata=storage.metadata.bucket_arn,
            raw_data=storage.raw_data.bucket_arn,
            batch_input=storage.batch_input.bucket_arn,
            batch_output=storage.batch_output.bucket_arn,
        )

    @property
    def arns(self) -> list[str]:
        """All of them."""
        return [self.metadata, self.raw_data, self.batch_input, self.batch_output]

    def flyteadmin(self) -> list[BucketAccess]:
        """It keeps inputs and compiled workflows, takes code that users upload, and signs URLs for what they read.

        It writes for every project in each domain: their prefixes one by one were more than the 10,240 characters that
        IAM takes in a role from some 50 on. What it must not write is denied instead (:meth:`not_flyteadmins`).
        """
        return [
            BucketAccess(bucket_arn=self.metadata, read=(EVERYTHING,), write=(EVERYTHING,), list_all=True),
            BucketAccess(bucket_arn=self.raw_data, read=(EVERYTHING,), list_all=True),
        ]

    def not_flyteadmins(self) -> list[iam.PolicyStatement]:
        """What flytepropeller and datacatalog keep is written by nobody else."""
        others = [f"{self.metadata}/metadata/{owner}/*" for owner in ("datacatalog", "propeller")]
        return [deny(["s3:AbortMultipartUpload", "s3:PutObject"], others)]

    def datacatalog(self) -> list[BucketAccess]:
        """It keeps what tasks returned that are cached, and forgets it."""
        own = ("metadata/datacatalog/*",)
        return [BucketAccess(bucket_arn=self.metadata, read=own, write=own, delete=own, list_all=True)]

    def flytepropeller(self) -> list[BucketAccess]:
        """It keeps what nodes are given and return, large values too. Raw data it only names, and never touches."""
        return [
            BucketAccess(bucket_arn=self.metadata, read=("metadata/*",), write=("metadata/propeller/*",), list_all=True)
        ]

    def batch_connector(self) -> list[BucketAccess]:
        """It keeps beside a task's outputs what it has submitted, and puts together what the elements of a list left.

        Inputs it never reads: flytepropeller hands it what it needs of them. What a container that knows no Flyte has
        left, it looks for in raw data, where any project's may be.
        """
        executions = ("metadata/propeller/*",)
        return [
            BucketAccess(bucket_arn=self.metadata, read=executions, write=executions, list_all=True),
            BucketAccess(bucket_arn=self.raw_data, read=(EVERYTHING,), list_all=True),
        ]

    def batch_connectors_own(self) -> list[str]:
        """What the connector acts on, such as with which role a task runs.

        It is in the folder of the task's outputs, where the task's own code writes, too.
        """
        return [f"{self.metadata}/*/aws-batch/*"]

    def project(self, project: str, domain: str, *, uses: Sequence[str] = ()) -> list[BucketAccess]:
        """A project's pods and jobs reach what is the project's own in its domain, and read what it uses.

        Args:
            project: The project.
            domain: The domain.
            uses: Other projects that have the domain, too, whose registered tasks this one may refer to. What such a
                task has handed on lies below the other project's prefix, and with a result that Flyte has cached this
                project's pods are sent there. Their code is in a policy of its own (:func:`used_code_policy`).
        """
        own = f"{own_prefix(project, domain)}/*"
        others = tuple(f"{own_prefix(other, domain)}/*" for other in uses)
        # flytepropeller keeps an execution's inputs and outputs below <project>-<domain>-<execution>.
        executions = f"metadata/propeller/{project}-{domain}-*"
        # What is started again in the same place takes away the error of the try before, of an element of a list, too.
        errors = f"{executions}/error.pb"
        return [
            # The code that `pyflyte` uploads is below the project's own prefix.
            BucketAccess(bucket_arn=self.metadata, read=(executions, own), write=(executions,), delete=(errors,)),
            BucketAccess(bucket_arn=self.raw_data, read=(own, *others), write=(own,), delete=(own,)),
            # A job that an object starts reads the version that arrived, whatever came after it.
            BucketAccess(bucket_arn=self.batch_input, read=(own,), versions=True),
            BucketAccess(bucket_arn=self.batch_output, read=(own,), write=(own,), delete=(own,)),
        ]


def propeller_batch_statements(environment: Environment, partition: str) -> list[iam.PolicyStatement]:
    """What flytepropeller's AWS Batch plugin calls.

    It names its job definitions after images and tags none, and a job's ID is not known before: both are all of the
    account's. The queues are Flyte's own in the environment, neither people's nor those of what arrives in S3, and
    definitions that the platform made are not Flyte's.

    Args:
        environment: The environment.
        partition: The AWS partition of the ARNs, such as ``aws``.
    """
    batch = f"arn:{partition}:batch:{environment.region}:{environment.account}"
    queues = [f"{batch}:job-queue/{name}" for name in flyte_queue_names(environment)]
    definitions, jobs = f"{batch}:job-definition/*", f"{batch}:job/*"
    return [
        # Takes no resource.
        allow(["batch:DescribeJobs"]),
        # The job that comes of it is checked, too: of SubmitJob's resource types it is the one that is required.
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_batch.html
        allow(["batch:SubmitJob"], [*queues, definitions, jobs]),
        # A job of Flyte's is no root on the instance that it shares with others.
        allow(["batch:RegisterJobDefinition"], [definitions], {"BoolIfExists": {"batch:Privileged": "false"}}),
        # Who submits a job of the platform's chooses its command, and with it what its role does, without PassRole; who
        # registers one under its name has the next that people submit.
        deny(["batch:RegisterJobDefinition", "batch:SubmitJob"], [f"{batch}:job-definition/aerodrome-*"]),
        allow(["batch:TagResource", "batch:TerminateJob"], [jobs]),
    ]


def pass_role_policies(
    scope: Construct, roles: Mapping[tuple[str, str], str], *, prefix: str, description: str
) -> list[iam.IManagedPolicy]:
    """What lets Flyte hand on roles of projects to their jobs in AWS Batch: a policy for each domain.

    The roles are named one by one. IAM takes 10,240 characters in a role, which 80 ARNs of the longest names would use
    up beside its other rights; a policy by itself takes 6,144, which are 60 of them.

    Args:
        scope: Where the policies are made.
        roles: The ARN of the role of each project in each domain.
        prefix: What the policies' IDs begin with. It never changes: they would be other ones.
        description: What they are for, with ``{domain}`` in it.
    """
    to_jobs = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    return [
        iam.ManagedPolicy(
            scope,
            f"{prefix}{domain.capitalize()}",
            description=description.format(domain=domain),
            statements=[allow(["iam:PassRole"], [arn for (_, of), arn in roles.items() if of == domain], to_jobs)],
        )
        for domain in dict.fromkeys(domain for _, domain in roles)
    ]


def used_code_policy(
    scope: Construct, construct_id: str, *, metadata_arn: str, uses: Sequence[str], domain: str
) -> iam.IManagedPolicy:
    """What lets a project's pods fetch the code of the tasks that it refers to, where that was uploaded.

    ``pyflyte`` uploads code below the prefix of the project that it registers for, beside files that people give to
    executions: so the rights are for archives by the names that flytekit gives them (``tools/fast_registration.py``,
    ``remote/remote.py``). Its s3fs asks before each download whether the archive is a folder, and lists what is below
    it, which is nothing.

    The policy stands beside the role's own: 20 used projects of the longest names come to 5,800 of the 6,144 characters
    that IAM takes in a managed policy, and were more than what a role has left of its 10,240.

    Args:
        scope: Where the policy is made.
        construct_id: Its ID.
        metadata_arn: The bucket of metadata.
        uses: The other projects, one at least.
        domain: The domain.
    """
    archives = tuple(f"{own_prefix(other, domain)}/*/{name}" for other in uses for name in _CODE_ARCHIVES)
    policy = iam.ManagedPolicy(
        scope,
        construct_id,
        description=f"Fetch the code of registered tasks of other projects in {domain}",
        statements=[
            allow(["s3:GetObject"], [f"{metadata_arn}/{archive}" for archive in archives]),
            allow(["s3:ListBucket"], [metadata_arn], {"StringLike": {"s3:prefix": "*.tar.gz/"}}),
        ],
    )
    read = [BucketAccess(bucket_arn=metadata_arn, read=archives)]
    acknowledge(policy, WILDCARDS, reason=OBJECTS, findings=object_wildcards(read))
    return policy
