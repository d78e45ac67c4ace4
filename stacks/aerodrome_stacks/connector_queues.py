"""What the connector of AWS Batch knows of the environment's job queues.

In the form of its settings (``connectors/flytekit_aws_batch``, ``core/settings.py``, ``Queue``).
"""

from collections.abc import Mapping, Sequence

from aerodrome_stacks.batch_queues import Kind, kinds, queue_name
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.job_limits import job_limits


def connector_queues(
    environment: Environment, domain: Domain, *, partition: str = "aws"
) -> Sequence[Mapping[str, str | int]]:
    """The queues that tasks of a domain may wait in.

    Args:
        environment: What the team decided.
        domain: The domain.
        partition: The AWS partition of their ARNs.
    """
    return [_queue(environment, domain, kind, partition) for kind in kinds(environment)]


def _queue(environment: Environment, domain: Domain, kind: Kind, partition: str) -> Mapping[str, str | int]:
    here = f"{environment.region}:{environment.account}"
    most = job_limits(environment, kind)
    return {
        "arn": f"arn:{partition}:batch:{here}:job-queue/{queue_name(environment, domain, kind)}",
        "kind": _name(kind),
        "spot": kind.has_spot,
        # People's own queues, which projects share; a job in one names its project's share.
        "fair_share": True,
        "most_vcpus": most.vcpus,
        "most_memory_mib": most.memory_mib,
        "most_gpus": most.gpus,
        "architecture": "arm64" if kind.hardware == "arm" else "x86_64",
    }


def _name(kind: Kind) -> str:
    """What the connector calls a kind: by its hardware, but for x86 by whether it has spot instances."""
    return str(kind) if kind.hardware == "x86" else kind.hardware
