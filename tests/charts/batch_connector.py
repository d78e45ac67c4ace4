"""The values of ``charts/aerodrome-flyte`` for an environment that nobody synthesized."""

from typing import Any

from aerodrome_stacks.chart_values.flyte_batch_connector import BatchConnectorInputs
from aerodrome_stacks.chart_values.flyte_components import surroundings
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.file_systems_stack import EfsPorts


def inputs(environment: Environment) -> BatchConnectorInputs:
    """What the connector of AWS Batch would take from other stacks."""
    role = f"arn:aws:iam::{environment.account}:role"
    return BatchConnectorInputs(
        role_arn=f"{role}/connector",
        partition="aws",
        url_suffix="amazonaws.com",
        raw_data_bucket="raw-data",
        project_roles={place: f"{role}/{'-'.join(place)}" for place in environment.project_domains},
        efs=EfsPorts(
            file_system_id="fs-0a1b2c3d",
            file_system_arn="arn:aws:elasticfilesystem:us-east-1:111122223333:file-system/fs-0a1b2c3d",
            access_points={
                place: (f"fsap-{number:08x}", "arn") for number, place in enumerate(environment.project_domains)
            },
        )
        if environment.batch.efs
        else None,
    )


def surroundings_of(environment: Environment) -> Any:  # noqa: ANN401 - any JSON value
    """The values."""
    return surroundings(environment, inputs(environment) if environment.flyte.batch_connector else None)
