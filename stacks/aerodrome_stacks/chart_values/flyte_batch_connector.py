"""Values about the connector of AWS Batch: what it knows of the account, its pods, and how flytepropeller asks it.

The settings are those of ``connectors/flytekit_aws_batch`` (``core/settings.py``), against which a test holds them.
What flytepropeller reads was read in Flyte v1.16.8, ``flyteplugins/go/tasks/plugins/webapi/connector`` and
``pluginmachinery/internal/webapi``; why each value is what it is, in ``docs/explanation/batch-connector.md``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aerodrome_constructs.helm import Value
from aerodrome_stacks.base import ENVIRONMENT_TAG
from aerodrome_stacks.batch_queues import domains
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.connector_queues import connector_queues
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import BATCH_CONNECTOR, BATCH_TASK_TYPE
from aerodrome_stacks.file_systems_stack import EfsPorts
from aerodrome_stacks.names import (
    flyte_definition_prefix,
    flyte_jobs_events_name,
    flyte_jobs_role_name,
    jobs_log_group,
    own_prefix,
)
from aerodrome_stacks.project_roles import project_tags

SETTINGS_VARIABLE: Final = "FLYTEKIT_AWS_BATCH_CONFIG"
"""The environment variable that names the file with the settings."""

FILE_SYSTEM: Final = "efs"
"""What a task calls the environment's EFS file system."""

# The one replica that a flytepropeller is connected to knows from memory how its jobs fare; the others take over.
_SERVICE: Final = "flyteidl.service.AsyncAgentService"
_SERVICE_CONFIG: Final = {
    "loadBalancingConfig": [{"pick_first": {}}],
    "methodConfig": [
        {
            "name": [{"service": _SERVICE}],
            # Until the timeout, a call waits for a pod that answers: an error of GetTask is counted for ever, and one
            # of CreateTask uses up one of the user's retries.
            "waitForReady": True,
            # Every call may be made twice: the connector finds again what it has begun.
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.5s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
# It goes on with one request for about 15 seconds, whatever AWS does (`patience_seconds`); the rest is for the way.
_TIMEOUT: Final = "30s"
# Every live task is asked after so often. The connector answers mostly from memory.
_RESYNC: Final = "10s"
# The errors of GetTask that a task may have in all its life: the count is never set back, and a task with more is never
# asked after again, and hangs (`SyncResource`). By default they are five. One every ten seconds for a week is 60,000.
_MOST_FAILURES: Final = 1_000_000
# A question waits a quarter of a second at most for others to be asked along with: a hundred fill a DescribeJobs.
_WORKERS: Final = 100
# Tasks that are asked after in a second. The default, 10, is 100 tasks each ten seconds; the largest load class holds
# 4,000, and Flyte takes a burst of 10,000 at most.
_QUESTIONS_A_SECOND: Final = 1_000
# Calls of AWS Batch a second, of all pods together: what the connector takes by itself, which is for one pod.
_SUBMITS: Final = 20
_DESCRIBES: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConnectorInputs:
    """What the connector's values take from other stacks.

    Attributes:
        role_arn: The connector's own role.
        partition: The AWS partition of ARNs.
        url_suffix: What the names of AWS's endpoints end with.
        project_roles: The role of each project in each domain.
        raw_data_bucket: The bucket of what tasks hand to each other.
        efs: The file system that tasks may mount; ``None`` where there is none.
    """

    role_arn: str
    partition: str
    url_suffix: str
    project_roles: Mapping[tuple[str, str], str]
    raw_data_bucket: str
    efs: EfsPorts | None


def endpoint(address: str) -> dict[str, Value]:
    """How flytepropeller reaches it.

    Args:
        address: Where its pods are, as gRPC names it.
    """
    return {
        "endpoint": address,
        # Within the cluster, where a network policy lets nobody else to it.
        "insecure": True,
        "defaultServiceConfig": json.dumps(_SERVICE_CONFIG),
        "defaultTimeout": _TIMEOUT,
    }


def plugin(address: str) -> dict[str, Value]:
    """What flytepropeller's plugin for connectors is set to beside, which holds for all connectors.

    The type is bound to the connector beforehand: found by asking, it would be unknown while no pod answers, and its
    live tasks would be asked after at no address at all. It has no capitals, which the keys of a map lose.

    What is bound so, is so in version 0 of the type only (``getConnectorRegistry``), and flytekit's own map_task makes
    version 1 of any task. So the connector is also the one that gets what is nobody's. Of other connectors that is what
    was an error before, for want of an address, and is one still: that there is no such type here.

    Args:
        address: Where its pods are, as gRPC names it.
    """
    return {
        "connectorForTaskTypes": {BATCH_TASK_TYPE: BATCH_CONNECTOR},
        "defaultConnector": endpoint(address),
        "webApi": {
            "caching": {"resyncInterval": _RESYNC, "maxSystemFailures": _MOST_FAILURES, "workers": _WORKERS},
            "readRateLimiter": {"qps": _QUESTIONS_A_SECOND, "burst": _QUESTIONS_A_SECOND},
        },
    }


def deployment(environment: Environment, inputs: BatchConnectorInputs | None) -> dict[str, Value]:
    """What ``charts/aerodrome-flyte`` makes of it, by its name.

    Raises:
        ValueError: The environment has the connector, and nothing says what it works with, or the other way round.
    """
    connector = environment.flyte.batch_connector
    if (connector is None) != (inputs is None):
        given, there = ("is", "none is") if inputs else ("is not", "one is")
        raise ValueError(
            f"what the connector of AWS Batch works with {given} given, and {there} in flyte.batch_connector of "
            f"{environment.name}; give both or neither"
        )
    if connector is None or inputs is None:
        return {}
    return {
        BATCH_CONNECTOR: {
            "image": connector.image,
            "replicas": connector.replicas,
            "serviceAccountAnnotations": {**role_annotation(inputs.role_arn)},
            "environment": {"AWS_REGION": environment.region},
            "settings": {
                "directory": "/etc/flytekit-aws-batch",
                "variable": SETTINGS_VARIABLE,
                "content": {**settings(environment, inputs), **_limits(environment, connector.replicas)},
            },
        }
    }


def _limits(environment: Environment, pods: int) -> dict[str, Value]:
    # Each flytepropeller stays with one pod, so that no more pods are at work than there are of either. Each pod counts
    # its own calls only.
    at_work = min(pods, environment.flyte.propeller_shards)
    if at_work <= 1:
        return {}
    return {"limits": {"submits": round(_SUBMITS / at_work, 2), "describes": round(_DESCRIBES / at_work, 2)}}


def settings(environment: Environment, inputs: BatchConnectorInputs) -> dict[str, Value]:
    """What it knows of the account: the content of its file.

    Args:
        environment: What the team decided.
        inputs: What other stacks made.
    """
    role = f"arn:{inputs.partition}:iam::{environment.account}:role/"
    places = environment.project_domains
    found: dict[str, Value] = {
        "region": environment.region,
        "queues": {
            domain: connector_queues(environment, domain, partition=inputs.partition) for domain in domains(environment)
        },
        "shares": {project.name: project.share_identifier for project in environment.projects},
        "execution_roles": {
            f"{project}/{domain}": f"{role}{flyte_jobs_role_name(environment, project, domain)}"
            for project, domain in places
        },
        "job_roles": {f"{project}/{domain}": inputs.project_roles[project, domain] for project, domain in places},
        "log_group": jobs_log_group(environment, "{project}", "{domain}"),
        "secret_prefix": f"aerodrome/{environment.name}/{{project}}/{{domain}}/",
        # Its role reads any project's raw data, and a task says itself where its outputs are.
        "raw_output_prefix": f"s3://{inputs.raw_data_bucket}/{own_prefix('{project}', '{domain}')}/",
        "definition_prefix": flyte_definition_prefix(environment),
        "tags": {ENVIRONMENT_TAG: environment.name, **project_tags("{project}", "{domain}")},
        "events_queue": (
            f"https://sqs.{environment.region}.{inputs.url_suffix}/{environment.account}/"
            f"{flyte_jobs_events_name(environment)}"
        ),
    }
    if inputs.efs:
        points = {f"{project}/{domain}": inputs.efs.access_points[project, domain][0] for project, domain in places}
        found["file_systems"] = {FILE_SYSTEM: {"id": inputs.efs.file_system_id, "access_points": {**points}}}
    return found
