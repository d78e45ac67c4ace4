"""Passwords of database users that change by themselves, on a schedule of AWS Secrets Manager."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IDependable

from aerodrome_constructs.database import lambda_asset
from aerodrome_constructs.database.database_function import FunctionSurroundings, database_function

# Each of the four steps is a connection and a statement; an instance that fails over takes a minute or two.
_TIMEOUT = cdk.Duration.minutes(3)

# A schedule in days opens at midnight UTC (Secrets Manager User Guide, "Rotation schedules"). Backups begin at two.
_WINDOW: Final = "2h"

_ACTIONS = (
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRotationProps:
    """What a rotation of passwords needs to know.

    Attributes:
        name: The function's name.
        secrets: The users' secrets, by client: JSON with ``host``, ``port``, ``username``, ``password``, and ``dbname``
            where the user may not connect to the database ``postgres``.
        period: How often each password changes, in whole days: 1 to 365.
        surroundings: Where the function runs.
        users: What makes the users. The schedules begin after it.
    """

    name: str
    secrets: Mapping[str, secretsmanager.ISecret]
    period: timedelta
    surroundings: FunctionSurroundings
    users: IDependable


class PasswordRotation(Construct):
    """Changes each password when its time has come. The first change is a period after the deploy, not in it.

    Each user changes its own password, so the function needs no user that may change others'. The old password ends at
    that moment; connections that are open live on.
    """

    def __init__(self, scope: Construct, construct_id: str, props: PasswordRotationProps) -> None:
        super().__init__(scope, construct_id)
        function = database_function(
            self,
            props.surroundings,
            name=props.name,
            description="Changes the passwords of database users",
            handler=lambda_asset.ROTATION,
            timeout=_TIMEOUT,
            secrets=list(props.secrets.values()),
            actions=_ACTIONS,
            key_actions=("kms:Decrypt", "kms:GenerateDataKey"),
        )
        permission = lambda_.CfnPermission(
            self,
            "Permission",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal="secretsmanager.amazonaws.com",
            source_account=cdk.Stack.of(self).account,
        )
        days = props.period.days
        rules = secretsmanager.CfnRotationSchedule.RotationRulesProperty(
            schedule_expression=f"rate({days} {'day' if days == 1 else 'days'})", duration=_WINDOW
        )
        for client, secret in props.secrets.items():
            schedule = secretsmanager.CfnRotationSchedule(
                self,
                client.capitalize(),
                secret_id=secret.secret_arn,
                rotation_lambda_arn=function.function_arn,
                rotate_immediately_on_update=False,
                rotation_rules=rules,
            )
            # Secrets Manager tries the function when it gets the schedule: all that it needs must be there.
            schedule.node.add_dependency(permission, props.users)
