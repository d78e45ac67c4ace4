"""From what a task asks for to what AWS Batch is told: everything that is wrong with it is said at once."""

import json
from collections.abc import Iterator
from typing import Any, Final

from flytekit_aws_batch.core import containers, job_tags, ownership, queues, retries
from flytekit_aws_batch.core.definitions import definition_name
from flytekit_aws_batch.core.plan import JobRequest, Plan
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.requests import ALL_NODES, size_problems
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.shapes import on_fargate, platform_problems, spec_problems
from flytekit_aws_batch.core.spec import Resources

__all__ = ["FAIL_ON_ERROR", "plan", "spec_problems"]

FAIL_ON_ERROR: Final = "FLYTE_FAIL_ON_ERROR"
"""The environment variable that makes flytekit's entrypoint end with an error when the task did: without it the job of
a failed task has succeeded (https://github.com/flyteorg/flytekit/blob/master/flytekit/bin/entrypoint.py)."""

_MOST_BYTES: Final = 24 * 1024
"""Of a job definition (https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html)."""


def plan(request: JobRequest, settings: Settings) -> tuple[Plan, dict[str, Any]]:
    """What is to be run, and the job definition that it needs.

    Args:
        request: One attempt of a task.
        settings: The account.

    Returns:
        The plan, whose ``definition`` is still empty, and the request of RegisterJobDefinition.

    Raises:
        RefusedError: It cannot run. The message has all problems, one a line.
    """
    problems: list[str] = []
    choice: queues.Choice | None = None
    try:
        choice = queues.choose(request, settings)
    except RefusedError as error:
        problems.append(str(error))
    problems += _problems(request, settings, choice)
    if choice is None or problems:
        raise RefusedError("\n".join(dict.fromkeys(problems)))
    fargate = choice.on_fargate(request)
    resources, rounding = containers.rounded(request.resources, fargate=fargate)
    timeout_seconds, raising = retries.timeout(request.timeout_seconds)
    found = Plan(
        name=request.name,
        attempt=request.attempt,
        project=request.project,
        domain=request.domain,
        definition="",
        queue=choice.arn,
        last_queue=choice.last.arn if choice.last else None,
        share=queues.share(choice.queue, request, settings),
        last_share=queues.share(choice.last, request, settings) if choice.last else None,
        priority=request.spec.priority,
        command=request.command,
        environment={**request.environment, FAIL_ON_ERROR: "true"},
        attempts=retries.attempts(request.spec),
        evaluate_on_exit=retries.evaluate_on_exit(request.spec, fargate=fargate),
        timeout_seconds=timeout_seconds,
        retries=request.retries,
        array=request.array,
        nodes=request.spec.nodes,
        tags=job_tags.of_job(request, settings),
        log_group=containers.log_group(request, settings),
        output_prefix=request.output_prefix,
        resources=resources,
        notes=tuple(note for note in (rounding, raising) if note),
    )
    definition = _definition(request, settings, choice, resources)
    if too_long := [*size_problems(found), *_definition_problems(definition)]:
        raise RefusedError("\n".join(too_long))
    return found, definition


def definition_stem(settings: Settings, project: str, domain: str) -> str:
    """What the names of a project's job definitions in a domain begin with."""
    return f"{settings.definition_prefix}{project}-{domain}"


def _problems(request: JobRequest, settings: Settings, choice: queues.Choice | None) -> list[str]:
    spec = request.spec
    fargate = on_fargate(spec) if choice is None else choice.on_fargate(request)
    found = [*request.problems]
    found += spec_problems(
        spec,
        request.resources,
        retries=request.retries,
        timeout_seconds=request.timeout_seconds,
        array_size=request.array.size if request.array else None,
    )
    if fargate is not None:
        found += platform_problems(spec, request.resources, fargate=fargate)
    if request.array is not None and not 0 < request.array.min_success_ratio <= 1:
        found.append(f"min_success_ratio={request.array.min_success_ratio:g}: above 0, and 1 at most, which is all")
    if choice is not None:
        found += queues.problems(choice, request, settings)
        for queue in choice.queues:
            if queue.fair_share and queues.share(queue, request, settings) is None:
                found.append(
                    f"share is missing: {queue.name} has fair share, and no share can be made of the project's name "
                    f"{request.project!r}; give share, or have one written into the settings"
                )
    found += containers.problems(request, settings, queue_arn=choice.arn if choice else None, fargate=fargate)
    found += ownership.problems(request, settings)
    found += job_tags.clashes(request, settings)
    return found


def _definition_problems(definition: dict[str, Any]) -> Iterator[str]:
    size = len(json.dumps(definition).encode())
    if size > _MOST_BYTES:
        yield (
            f"the job definition has {size} bytes: RegisterJobDefinition takes {_MOST_BYTES}; ask for fewer secrets, "
            "or put several into one whose JSON the code reads"
        )


def _definition(request: JobRequest, settings: Settings, choice: queues.Choice, resources: Resources) -> dict[str, Any]:
    """RegisterJobDefinition. What differs from run to run, and what SubmitJob can say, is no part of it."""
    fargate = choice.on_fargate(request)
    container = containers.properties(request, settings, queue_arn=choice.arn, fargate=fargate, resources=resources)
    found: dict[str, Any] = {
        "jobDefinitionName": definition_stem(settings, request.project, request.domain),
        "platformCapabilities": ["FARGATE" if fargate else "EC2"],
        "propagateTags": True,
        "tags": job_tags.of_definition(request, settings),
    }
    nodes = request.spec.nodes
    if nodes > 1:
        found["type"] = "multinode"
        found["nodeProperties"] = {
            "mainNode": 0,
            "numNodes": nodes,
            "nodeRangeProperties": [{"targetNodes": ALL_NODES, "container": container}],
        }
    else:
        found["type"] = "container"
        found["containerProperties"] = container
    return {**found, "jobDefinitionName": definition_name(found)}
