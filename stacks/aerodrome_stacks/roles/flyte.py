"""The roles of Flyte's components."""

from collections.abc import Sequence
from dataclasses import replace

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity import object_wildcards
from aerodrome_stacks import service_accounts
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.flyte_access import FlyteBuckets, propeller_batch_statements
from aerodrome_stacks.notifications_stack import NotificationsPorts
from aerodrome_stacks.roles.flyte_notifications import notification_statements
from aerodrome_stacks.roles.rights import OBJECTS, DataBuckets, RoleRights


def flyte_roles(
    environment: Environment,
    *,
    partition: str,
    buckets: FlyteBuckets,
    data: DataBuckets,
    pass_role: Sequence[iam.IManagedPolicy],
    notifications: NotificationsPorts | None,
) -> list[RoleRights]:
    """flyteadmin, datacatalog and flytepropeller.

    Args:
        environment: What the team decided.
        partition: The AWS partition.
        buckets: The buckets that they share with tasks.
        data: The key of those buckets.
        pass_role: What lets flytepropeller hand on projects' roles, where it starts jobs of AWS Batch.
        notifications: Where flyteadmin tells of executions, where it does.
    """
    return [
        RoleRights(
            construct_id="Flyteadmin",
            service_account=service_accounts.FLYTEADMIN,
            statements=[
                *data.statements(buckets.flyteadmin()),
                *buckets.not_flyteadmins(),
                *notification_statements(notifications),
            ],
            because=OBJECTS,
            wildcards=object_wildcards(buckets.flyteadmin()),
        ),
        data.role("Datacatalog", service_accounts.DATACATALOG, buckets.datacatalog()),
        _flytepropeller(environment, partition, buckets, data, pass_role),
    ]


def _flytepropeller(
    environment: Environment,
    partition: str,
    buckets: FlyteBuckets,
    data: DataBuckets,
    pass_role: Sequence[iam.IManagedPolicy],
) -> RoleRights:
    rights = data.role("Flytepropeller", service_accounts.FLYTEPROPELLER, buckets.flytepropeller())
    if not environment.flyte.batch_plugin:
        return rights
    return replace(
        rights,
        statements=[*rights.statements, *propeller_batch_statements(environment, partition)],
        policies=pass_role,
        because="it makes up the names of its job definitions, and neither a job's ID nor an object's name is known "
        "before; what is allowed on everything takes no resource",
        wildcards=[
            *rights.wildcards,
            "Resource::[*]",
            "Resource::arn:*:batch:*:job-definition/[*]",
            "Resource::arn:*:batch:*:job/[*]",
        ],
    )
