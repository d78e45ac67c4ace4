"""What the connector of AWS Batch may do, which starts tasks of Flyte as jobs in the queues of people."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity import Conditions, allow
from aerodrome_stacks import service_accounts
from aerodrome_stacks.base import ENVIRONMENT_TAG
from aerodrome_stacks.batch_queues import domains, kinds, queue_name
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.flyte_access import FlyteBuckets
from aerodrome_stacks.names import (
    flyte_definition_prefix,
    flyte_jobs_events_name,
    flyte_jobs_role_name,
    jobs_log_group,
    project_role_name,
)
from aerodrome_stacks.roles.rights import AccountRegion, DataBuckets, RoleRights


def batch_connector_roles(
    environment: Environment,
    *,
    place: AccountRegion,
    buckets: FlyteBuckets,
    data: DataBuckets,
    pass_role: Sequence[iam.IManagedPolicy],
) -> list[RoleRights]:
    """The connector's role, where the environment has the connector.

    Args:
        environment: What the team decided.
        place: Where ARNs are.
        buckets: The buckets that Flyte and tasks share.
        data: The key of those buckets.
        pass_role: What lets it hand on projects' roles, and those that their containers are started with.
    """
    if environment.flyte.batch_connector is None:
        return []
    rights = data.role("BatchConnector", service_accounts.BATCH_CONNECTOR, buckets.batch_connector())
    return [
        RoleRights(
            construct_id=rights.construct_id,
            service_account=rights.service_account,
            statements=[*rights.statements, *_jobs(environment, place), *_looks(environment, place)],
            policies=pass_role,
            because="job definitions are named by their content, and neither a job's ID nor an object's name is known "
            "before; what it looks up are roles, images, secrets and logs that people name; what is allowed on "
            "everything takes no resource",
            wildcards=[
                *rights.wildcards,
                "Resource::[*]",
                "Resource::arn:*:batch:*:job-definition/*[*]",
                "Resource::arn:*:batch:*:job/[*]",
                "Resource::arn:*:ecr:*:repository/[*]",
                "Resource::arn:*:iam::*:role/*[*]*",
                "Resource::arn:*:logs:*:log-group:*[*]*",
                "Resource::arn:*:secretsmanager:*:secret:*[*]",
            ],
        )
    ]


def _jobs(environment: Environment, place: AccountRegion) -> list[iam.PolicyStatement]:
    """Submit, follow and end jobs that carry the environment's tag, of definitions that the connector makes itself."""
    queues = [
        place.arn("batch", f"job-queue/{queue_name(environment, domain, kind)}")
        for domain in domains(environment)
        for kind in kinds(environment)
    ]
    definitions = place.arn("batch", f"job-definition/{flyte_definition_prefix(environment)}*")
    jobs = place.arn("batch", "job/*")
    said: Conditions = {"StringEquals": {f"aws:RequestTag/{ENVIRONMENT_TAG}": environment.name}}
    carried = {f"aws:ResourceTag/{ENVIRONMENT_TAG}": environment.name}
    return [
        # AWS checks the queue, the definition and the job that comes of it.
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_batch.html
        allow(["batch:SubmitJob"], [*queues, definitions, jobs], said),
        # A job that is submitted with tags is tagged. One that carries another environment's is not taken over so.
        allow(["batch:TagResource"], [definitions, jobs], {**said, "StringEqualsIfExists": carried}),
        # A job of a task is no root on the instance that it shares with others.
        allow(["batch:RegisterJobDefinition"], [definitions], {"BoolIfExists": {"batch:Privileged": "false"}}),
        allow(["batch:CancelJob", "batch:TerminateJob"], [jobs], {"StringEquals": carried}),
        allow(["batch:GetJobQueueSnapshot"], queues),
        # Take no resource.
        allow(
            ["batch:DescribeJobDefinitions", "batch:DescribeJobQueues", "batch:DescribeJobs", "batch:ListJobs"],
        ),
        allow(
            ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            [place.arn("sqs", flyte_jobs_events_name(environment))],
        ),
    ]


def _looks(environment: Environment, place: AccountRegion) -> list[iam.PolicyStatement]:
    """See that what a task names is there, before a job waits for it in vain; and read what a failed one said."""
    roles = (project_role_name(environment, "*", "*"), flyte_jobs_role_name(environment, "*", "*"))
    return [
        allow(["iam:GetRole"], [f"arn:{place.partition}:iam::{place.account}:role/{name}" for name in roles]),
        allow(["ecr:DescribeImages"], [place.arn("ecr", "repository/*")]),
        # Takes no resource.
        allow(["ecr:DescribePullThroughCacheRules"]),
        # That it is there: what is in it is read by ECS alone, with the project's own role for that.
        allow(
            ["secretsmanager:DescribeSecret"],
            [place.arn("secretsmanager", f"secret:aerodrome/{environment.name}/*")],
        ),
        allow(["logs:GetLogEvents"], [place.arn("logs", f"log-group:{jobs_log_group(environment, '*', '*')}:*")]),
    ]
