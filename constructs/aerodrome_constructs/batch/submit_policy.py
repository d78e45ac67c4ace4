"""What people need to run a project's jobs: submit them as its own, look at them, end them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from aerodrome_constructs.identity import allow
from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import WILDCARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmitPolicyProps:
    """What the policy needs to know.

    Attributes:
        name: The policy's name, by which it is attached to the roles of people.
        description: Whom it is for, as the IAM console shows it.
        definition_prefix: What the names of the job definitions begin with that may be submitted, at any revision. It
            should end where no longer name of somebody else's goes on.
        queue_arns: The queues that they may be submitted to. They have a fair-share policy.
        share_identifier: The share that they may be submitted as.
        job_tags: The tags that each job is submitted with. They say whose it is: only those who may submit with them
            may end it.
        log_group_name: The log group that may be read.
    """

    name: str
    description: str
    definition_prefix: str
    queue_arns: Sequence[str]
    share_identifier: str
    job_tags: Mapping[str, str]
    log_group_name: str


class JobSubmitPolicy(Construct):
    """A managed policy that lets people submit certain jobs to certain queues as one share, and no others.

    Who submits a job chooses its command, and with it what the job's role does: this policy lends that role.

    Attributes:
        policy: The policy.
    """

    def __init__(self, scope: Construct, construct_id: str, props: JobSubmitPolicyProps) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        self._here = f"{stack.region}:{stack.account}"
        self._partition = stack.partition
        self.policy = iam.ManagedPolicy(
            self,
            "Resource",
            managed_policy_name=props.name,
            description=props.description,
            document=iam.PolicyDocument(statements=self._statements(props)),
        )
        acknowledge(
            self.policy,
            WILDCARDS,
            reason="kinds of jobs are added, and a job's ID is not known before: what a definition's name begins with "
            "and a job's tags say whose they are; what is allowed on everything takes no resource",
            findings=[
                "Resource::[*]",
                f"Resource::arn:*:batch:*:job-definition/{props.definition_prefix}[*]",
                "Resource::arn:*:batch:*:job/[*]",
                "Resource::arn:*:logs:*:log-group:*:[*]",
            ],
        )

    def _statements(self, props: JobSubmitPolicyProps) -> list[iam.PolicyStatement]:
        # A pattern, as IAM takes 6,144 characters: names would be some 180 a kind of job, without and with a revision.
        definitions = self._arn("batch", f"job-definition/{props.definition_prefix}*")
        jobs = self._arn("batch", "job/*")
        requested = {f"aws:RequestTag/{key}": value for key, value in props.job_tags.items()}
        carried = {f"aws:ResourceTag/{key}": value for key, value in props.job_tags.items()}
        return [
            # AWS checks the definition, as it was named in the request, with or without a revision; the queue; and the
            # job that comes of it. https://docs.aws.amazon.com/service-authorization/latest/reference/list_batch.html
            allow(
                ["batch:SubmitJob"],
                [definitions, *props.queue_arns, jobs],
                {"StringEquals": {"batch:ShareIdentifier": props.share_identifier, **requested}},
            ),
            # A job that is submitted with tags is tagged. One that carries others' is not taken over so.
            allow(["batch:TagResource"], [jobs], {"StringEquals": requested, "StringEqualsIfExists": carried}),
            allow(["batch:CancelJob", "batch:TerminateJob"], [jobs], {"StringEquals": carried}),
            # Take no resource.
            allow(
                [
                    "batch:DescribeJobDefinitions",
                    "batch:DescribeJobQueues",
                    "batch:DescribeJobs",
                    "batch:ListJobs",
                ]
            ),
            allow(["batch:GetJobQueueSnapshot"], props.queue_arns),
            allow(
                ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"],
                [self._arn("logs", f"log-group:{props.log_group_name}:*")],
            ),
        ]

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self._partition}:{service}:{self._here}:{resource}"
