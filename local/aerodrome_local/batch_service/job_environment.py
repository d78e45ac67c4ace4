"""What a job's process finds in its environment: what a job finds on AWS, and the way to the embedded AWS."""

import os
from collections.abc import Mapping
from pathlib import Path

from aerodrome_local.batch_service.model import Job, Scope
from aerodrome_local.batch_service.settings import Settings

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def variables(
    job: Job, settings: Settings, directory: Path, secrets: Mapping[str, str], queue_name: str
) -> dict[str, str]:
    """The environment of an attempt.

    Nothing of the server's own environment is passed on but its PATH, so that a job cannot come to depend on the
    machine of its author.

    Args:
        job: A job that has been placed.
        settings: The service's settings.
        directory: The attempt's own directory.
        secrets: The values of the container's secrets, by name.
        queue_name: The name of the job's queue.
    """
    scope = Scope.of_arn(job.arn)
    own = {each["name"]: each.get("value", "") for each in job.container["environment"]}
    path = own.get("PATH") or os.environ.get("PATH") or _SYSTEM_PATH
    return {
        **own,
        **secrets,
        "PATH": f"{settings.job_path}{os.pathsep}{path}",
        "HOME": str(directory),
        "TMPDIR": str(directory / "tmp"),
        # On AWS the credentials of the job role come from a link-local address; here the account is all that counts.
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ACCESS_KEY_ID": scope.account,
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_REGION": scope.region,
        "AWS_DEFAULT_REGION": scope.region,
        **of_batch(job, queue_name),
        **settings.extra_environment,
    }


def of_batch(job: Job, queue_name: str) -> dict[str, str]:
    """The variables that AWS Batch itself sets.

    Args:
        job: A job that has been placed.
        queue_name: The name of the job's queue.
    """
    # https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    found = {
        "AWS_BATCH_JOB_ID": job.id,
        "AWS_BATCH_JOB_ATTEMPT": str(len(job.attempts) + 1),
        "AWS_BATCH_JQ_NAME": queue_name,
        "AWS_BATCH_CE_NAME": (job.compute_environment or "").rpartition("/")[2],
    }
    if job.array_index is not None:
        found["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_index)
        found["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.array_size)
    if job.is_node:
        found.update(_of_node(job))
    return found


def _of_node(job: Job) -> dict[str, str]:
    # https://docs.aws.amazon.com/batch/latest/userguide/mnp-env-vars.html
    properties = job.node_properties or {}
    found = {
        "AWS_BATCH_JOB_MAIN_NODE_INDEX": str(properties["mainNode"]),
        "AWS_BATCH_JOB_NODE_INDEX": str(job.node_index),
        "AWS_BATCH_JOB_NUM_NODES": str(properties["numNodes"]),
    }
    if not job.is_main_node:
        found["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = "127.0.0.1"  # every node is a process of this machine
    return found
