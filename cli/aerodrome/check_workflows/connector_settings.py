"""What the connector for AWS Batch knows of an environment, as far as its answer to a task depends on it.

The platform writes the whole of it (``chart_values/flyte_batch_connector.py``) with what its stacks have made. A test
holds the two together.
"""

from typing import Final

from aerodrome_stacks.batch_queues import domains
from aerodrome_stacks.connector_queues import connector_queues
from aerodrome_stacks.environment import Environment
from flytekit_aws_batch.core.settings import Settings

_ROLE: Final = "arn:aws:iam::{account}:role/of-the-project"
"""Which one it is does not matter: each project has one in each of its domains."""


def settings_of(environment: Environment) -> Settings:
    """The settings of an environment's connector.

    Args:
        environment: What the team decided.
    """
    role = _ROLE.format(account=environment.account)
    return Settings.model_validate(
        {
            "region": environment.region,
            "queues": {domain: connector_queues(environment, domain) for domain in domains(environment)},
            "shares": {project.name: project.share_identifier for project in environment.projects},
            "execution_roles": {"*": role},
            "job_roles": {"*": role},
            "file_systems": {"efs": {"id": "fs-00000000"}} if environment.batch.efs else {},
        }
    )
