"""What the connector for AWS Batch knows of an environment, as far as its answer to a task depends on it.

The platform writes the whole of it (``chart_values/flyte_batch_connector.py``) with what its stacks have made. A test
holds the two together.
"""

from typing import Any, Final

from aerodrome_stacks.batch_queues import Kind, domains, kinds, queue_name
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.job_limits import job_limits
from flytekit_aws_batch.core.settings import Settings

_ROLE: Final = "arn:aws:iam::{account}:role/of-the-project"
"""Which one it is does not matter: each project has one in each of its domains."""


def settings_of(environment: Environment) -> Settings:
    """The settings of an environment's connector.

    Args:
        environment: What the team decided.
    """
    here = f"{environment.region}:{environment.account}"
    role = _ROLE.format(account=environment.account)

    def queue(name: str, kind: Kind) -> dict[str, Any]:
        most = job_limits(environment, kind)
        return {
            "arn": f"arn:aws:batch:{here}:job-queue/{name}",
            "kind": str(kind),
            "fair_share": True,
            "most_vcpus": most.vcpus,
            "most_memory_mib": most.memory_mib,
            "most_gpus": most.gpus,
            "architecture": "arm64" if kind is Kind.ARM else "x86_64",
        }

    return Settings.model_validate(
        {
            "region": environment.region,
            "queues": {
                domain: [queue(queue_name(environment, domain, kind), kind) for kind in kinds(environment)]
                for domain in domains(environment)
            },
            "shares": {project.name: project.share_identifier for project in environment.projects},
            "execution_roles": {"*": role},
            "job_roles": {"*": role},
            "file_systems": {"efs": {"id": "fs-00000000"}} if environment.batch.efs else {},
        }
    )
