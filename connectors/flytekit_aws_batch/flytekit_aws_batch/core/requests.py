"""SubmitJob: from a plan and one of its waves to the request."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flytekit_aws_batch.core.plan import Plan, Wave
from flytekit_aws_batch.core.retries import strategy

PREFIX_VARIABLE: Final = "FLYTE_AWS_BATCH_PREFIX"
"""The environment variable with :attr:`Plan.output_prefix`."""

WAVE_VARIABLE: Final = "FLYTE_AWS_BATCH_WAVE"
"""The environment variable with :attr:`Wave.number`."""

INDEX_VARIABLE: Final = "FLYTE_AWS_BATCH_INDEX"
"""The environment variable with the place in :attr:`Wave.indices`, of a list of one: as an ordinary job it has no
``AWS_BATCH_JOB_ARRAY_INDEX``, which says the same."""

ALL_NODES: Final = "0:"
"""The range of all nodes of a multi-node job."""

_MOST_OVERRIDES: Final = 8192
"""Characters, with the JSON around them; Batch hands a job's command and environment to ECS's RunTask as overrides,
with variables of its own (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html)."""

# Those variables (https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html) at their longest. An ID is a
# UUID, and the place in an array or among nodes; names of compute environments have 128 characters.
_BATCHS_OWN: Final = {
    "AWS_BATCH_JOB_ID": "i" * 36 + ":9999",
    "AWS_BATCH_JOB_ATTEMPT": "10",
    "AWS_BATCH_CE_NAME": "c" * 128,
}
_OF_AN_ARRAY: Final = {"AWS_BATCH_JOB_ARRAY_INDEX": "9999", "AWS_BATCH_JOB_ARRAY_SIZE": "10000"}
_OF_A_NODE: Final = {
    "AWS_BATCH_JOB_MAIN_NODE_INDEX": "999",
    "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": "255.255.255.255",
    "AWS_BATCH_JOB_NODE_INDEX": "999",
    "AWS_BATCH_JOB_NUM_NODES": "1000",
}

_MOST_BYTES: Final = 30 * 1024
"""Of SubmitJob (https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html)."""


def submit_request(plan: Plan, wave: Wave) -> dict[str, Any]:
    """The request that submits a wave of a plan.

    Args:
        plan: What is run.
        wave: Which part of it. In a list it names its elements; one element alone is an ordinary job.
    """
    last = wave.last and plan.last_queue is not None
    share = plan.last_share if last else plan.share
    request: dict[str, Any] = {
        "jobName": plan.job_name(wave.number),
        "jobQueue": plan.last_queue if last else plan.queue,
        "jobDefinition": plan.definition,
        "retryStrategy": strategy(plan.attempts, plan.evaluate_on_exit),
        "tags": dict(plan.tags),
        "propagateTags": True,
    }
    if share is not None:
        request["shareIdentifier"] = share
        # A queue with fair share takes no job without a priority.
        request["schedulingPriorityOverride"] = plan.priority
    if plan.timeout_seconds is not None:
        request["timeout"] = {"attemptDurationSeconds": plan.timeout_seconds}
    overrides = _overrides(plan, wave)
    if plan.nodes > 1:
        request["nodeOverrides"] = {
            "nodePropertyOverrides": [{"targetNodes": ALL_NODES, "containerOverrides": overrides}]
        }
        return request
    request["containerOverrides"] = overrides
    if len(wave.indices) > 1:
        request["arrayProperties"] = {"size": len(wave.indices)}
    return request


def _overrides(plan: Plan, wave: Wave) -> dict[str, Any]:
    environment = {**plan.environment, PREFIX_VARIABLE: plan.output_prefix, WAVE_VARIABLE: str(wave.number)}
    if len(wave.indices) == 1:
        environment[INDEX_VARIABLE] = "0"
    found: dict[str, Any] = {
        "environment": [{"name": name, "value": environment[name]} for name in sorted(environment)]
    }
    # Without words of its own it runs what the image says.
    return {"command": list(plan.command), **found} if plan.command else found


def _run_task(plan: Plan, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides as ECS gets them."""
    queue = max((each.rpartition("/")[2] for each in (plan.queue, plan.last_queue or "")), key=len)
    own = {**_BATCHS_OWN, **(_OF_AN_ARRAY if plan.array else {}), **(_OF_A_NODE if plan.nodes > 1 else {})}
    own["AWS_BATCH_JQ_NAME"] = queue
    environment = [*overrides["environment"], *({"name": name, "value": value} for name, value in own.items())]
    return {"containerOverrides": [{"name": "default", **overrides, "environment": environment}]}


def size_problems(plan: Plan) -> Iterator[str]:
    """What is wrong with the size of a plan's requests."""
    # The longest one: of one element, far in the run.
    request = submit_request(plan, Wave(number=9_999, indices=() if plan.array is None else (0,)))
    nodes: Mapping[str, Any] | None = request.get("nodeOverrides")
    overrides = nodes["nodePropertyOverrides"][0]["containerOverrides"] if nodes else request["containerOverrides"]
    length = len(json.dumps(_run_task(plan, overrides), ensure_ascii=False))
    remedy = "pass what is long by S3 or in the image"
    if length > _MOST_OVERRIDES:
        yield (
            f"command and environment have up to {length} characters as JSON, with what AWS Batch adds: ECS takes "
            f"{_MOST_OVERRIDES:,}, of which the command has {sum(map(len, plan.command))}; {remedy}"
        )
    elif (size := len(json.dumps(request).encode())) > _MOST_BYTES:
        yield f"the request has {size} bytes: SubmitJob takes {_MOST_BYTES}; {remedy}, or leave out tags"
