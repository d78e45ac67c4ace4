"""Values of ``charts/flyte-core`` about AWS Batch: in which queue the job of a task waits.

Read in Flyte v1.16.8: ``flyteadmin/pkg/manager/impl/executions/queues.go`` looks a queue up,
``flyteplugins/go/tasks/plugins/array/awsbatch`` submits to it. What both make of it is told in
``docs/explanation/flyte-on-batch.md``.
"""

from collections.abc import Collection

from aerodrome_constructs.helm import Value
from aerodrome_stacks.batch_queues import Kind, domains, flyte_kinds, flyte_queue_name
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain

DEFAULT_TAG = "default"
"""The tag of the queue of whatever no rule is about."""


def plugin(environment: Environment) -> dict[str, Value]:
    """Where the plugin finds AWS Batch. Its default region is us-east-2, whatever the cluster's."""
    return {"region": environment.region, "accountId": environment.account}


def queues(environment: Environment, made: Collection[str]) -> dict[str, Value]:
    """What flyteadmin chooses an execution's queue by.

    It takes the first of an execution's tags that some queue has: of the tags that somebody has given to the workflow,
    project or domain (the matchable attribute ``EXECUTION_QUEUE``); else of those of the last rule for the domain; else
    of those of the last rule without a domain. A rule knows a domain and tags, and nothing else.

    Args:
        environment: The environment.
        made: The names of the queues that there are.

    Raises:
        ValueError: A queue is not there: a task with it would fail when it is submitted.
    """
    lowest = domains(environment)[-1]
    return {
        "executionQueues": [
            {"dynamic": _queue(environment, domain, kind, made), "attributes": _tags(domain, kind, lowest)}
            for domain in domains(environment)
            for kind in flyte_kinds(environment)
        ],
        "workflowConfigs": [
            *({"domain": domain, "tags": [queue_tag(domain, Kind.SPOT)]} for domain in domains(environment)),
            # Without a rule that holds for any domain, a task in one that is not above gets no queue, and fails.
            {"tags": [DEFAULT_TAG]},
        ],
    }


def queue_tag(domain: Domain, kind: Kind) -> str:
    """The tag that one queue has and no other, such as ``production-spot``."""
    return f"{domain}-{kind}"


def _tags(domain: Domain, kind: Kind, lowest: Domain) -> list[Value]:
    """A queue's tags: ``production-spot``, and for the domain of lowest priority the kind alone, too.

    Who names no domain stands in nobody's way.
    """
    tags: list[Value] = [queue_tag(domain, kind)]
    if domain == lowest:
        tags.append(str(kind))
        if kind is Kind.SPOT:
            tags.append(DEFAULT_TAG)
    return tags


def _queue(environment: Environment, domain: Domain, kind: Kind, made: Collection[str]) -> str:
    name = flyte_queue_name(environment, domain, kind)
    if name not in made:
        raise ValueError(
            f"Flyte would send tasks of {domain} to the queue {name}, which is not made; those that are: "
            f"{', '.join(sorted(made))}. Make it in the Batch stack, or take {kind} from flyte_kinds()"
        )
    return name
