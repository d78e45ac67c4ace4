"""AWS Batch's fixed limits: a template beyond them fails on deploy, or later, at the job that does not fit.

Source of the numbers: https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html. None can be raised.
"""

import json
from collections.abc import Iterator
from typing import Final

from aerodrome_constructs.policy.rule import Finding, Rule, found
from aerodrome_constructs.policy.template import Resource, Stacks, as_list, as_text

# For each account in each region.
_MOST: Final = {"AWS::Batch::JobQueue": 50, "AWS::Batch::ComputeEnvironment": 50}
_ENVIRONMENTS_OF_A_QUEUE: Final = 3
_ENVIRONMENTS_OF_A_CLUSTER: Final = 5
_DEFINITION_BYTES: Final = 24 * 1024
_ARRAY: Final = range(2, 10_001)
_ATTEMPTS: Final = range(1, 11)
_SHARE_IDENTIFIERS: Final = 500


def _check(stacks: Stacks) -> Iterator[Finding]:
    resources = [resource for stack in stacks for resource in stack.resources]
    for resource_type, most in _MOST.items():
        # The first ones fit.
        beyond = [resource for resource in resources if resource.type == resource_type][most:]
        for number, resource in enumerate(beyond, most + 1):
            yield found(resource, f"number {number} of {resource_type}; an account has at most {most} in a region")
    yield from _on_one_cluster([one for one in resources if one.type == "AWS::Batch::ComputeEnvironment"])
    for resource in resources:
        yield from _in_resource(resource)


def _on_one_cluster(environments: list[Resource]) -> Iterator[Finding]:
    clusters: dict[str, int] = {}
    for environment in environments:
        cluster = environment.properties.get("EksConfiguration", {}).get("EksClusterArn")
        if cluster is not None:
            number = clusters[as_text(cluster)] = clusters.get(as_text(cluster), 0) + 1
            if number > _ENVIRONMENTS_OF_A_CLUSTER:
                problem = f"number {number} on one EKS cluster; Batch takes {_ENVIRONMENTS_OF_A_CLUSTER}"
                yield found(environment, problem, "EksConfiguration")


def _in_resource(resource: Resource) -> Iterator[Finding]:
    properties = resource.properties
    match resource.type:
        case "AWS::Batch::JobQueue":
            order = as_list(properties.get("ComputeEnvironmentOrder"))
            if len(order) > _ENVIRONMENTS_OF_A_QUEUE:
                problem = f"{len(order)} compute environments; a queue takes {_ENVIRONMENTS_OF_A_QUEUE}"
                yield found(resource, problem, "ComputeEnvironmentOrder")
        case "AWS::Batch::JobDefinition":
            yield from _in_definition(resource)
        case "AWS::Batch::SchedulingPolicy":
            shares = as_list(properties.get("FairsharePolicy", {}).get("ShareDistribution"))
            if len(shares) > _SHARE_IDENTIFIERS:
                problem = f"{len(shares)} share identifiers; a policy takes {_SHARE_IDENTIFIERS}"
                yield found(resource, problem, "FairsharePolicy.ShareDistribution")
        case "AWS::Events::Rule":
            for number, target in enumerate(as_list(properties.get("Targets"))):
                size = target.get("BatchParameters", {}).get("ArrayProperties", {}).get("Size")
                if isinstance(size, int) and size not in _ARRAY:
                    problem = f"an array of {size}; Batch takes {_ARRAY.start} to {_ARRAY.stop - 1:,}"
                    yield found(resource, problem, f"Targets.{number}.BatchParameters.ArrayProperties.Size")
        case _:
            pass


def _in_definition(definition: Resource) -> Iterator[Finding]:
    # References count by what they become; the text that stands for them here is about as long.
    size = len(json.dumps(definition.properties, separators=(",", ":")).encode())
    if size > _DEFINITION_BYTES:
        yield found(definition, f"{size:,} bytes; a job definition takes {_DEFINITION_BYTES:,}", "ContainerProperties")
    attempts = definition.properties.get("RetryStrategy", {}).get("Attempts", 1)
    if isinstance(attempts, int) and attempts not in _ATTEMPTS:
        problem = f"{attempts} attempts; a job has {_ATTEMPTS.start} to {_ATTEMPTS.stop - 1}"
        yield found(definition, problem, "RetryStrategy.Attempts")


RULE = Rule(
    name="batch-limits",
    asks="At most 50 job queues and 50 compute environments, 3 compute environments a queue and 5 an EKS cluster, "
    "arrays of 10,000, job definitions of 24 KiB, 10 attempts, 500 share identifiers.",
    mend="share queues and compute environments; what a job is told at length goes into an object in S3",
    check=_check,
)
