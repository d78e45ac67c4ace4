"""The job queues of AWS Batch: their names, and who waits in which.

Names are chosen, not generated: Flyte, people and policies know them without asking CloudFormation.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.names import resource_prefix


class Kind(StrEnum):
    """What a queue's jobs run on."""

    SPOT = "spot"
    """x86 instances: spot first, on-demand where spot has nothing to give."""
    ON_DEMAND = "on-demand"
    """x86 instances that nobody takes back, for jobs that cannot begin anew."""
    ARM = "arm"
    """Graviton instances, for images built for arm64: spot first. A queue mixes no architectures."""
    GPU = "gpu"
    """Instances with NVIDIA GPUs: spot first."""
    FARGATE = "fargate"
    """Fargate tasks, which wait for no instance: Fargate Spot first."""


PRIORITIES: Mapping[Domain, int] = MappingProxyType({"production": 300, "staging": 200, "development": 100})
"""The priority of a domain's queues. Batch looks at the queues of one compute environment from the highest down."""


def queue_name(environment: Environment, domain: Domain, kind: Kind) -> str:
    """The queue of people's own jobs, by fair share between projects, such as ``aerodrome-dev-development-spot``."""
    return f"{resource_prefix(environment)}-{domain}-{kind}"


def flyte_queue_name(environment: Environment, domain: Domain, kind: Kind) -> str:
    """The queue of Flyte's tasks, first in, first out, such as ``aerodrome-dev-flyte-development-spot``."""
    return f"{resource_prefix(environment)}-flyte-{domain}-{kind}"


def flyte_queue_names(environment: Environment) -> Sequence[str]:
    """The names of all queues of Flyte's tasks."""
    return [
        flyte_queue_name(environment, domain, kind)
        for domain in domains(environment)
        for kind in flyte_kinds(environment)
    ]


def ingest_queue_name(environment: Environment, domain: Domain) -> str:
    """The queue of jobs that objects start as they arrive, such as ``aerodrome-dev-ingest-development``.

    First in, first out: EventBridge's Batch target has no share identifier (``BatchParameters``).
    """
    return f"{resource_prefix(environment)}-ingest-{domain}"


def queue_kinds(environment: Environment) -> dict[str, Kind]:
    """What each job queue of the environment asks first, by the queue's name."""
    found: dict[str, Kind] = {}
    for domain in domains(environment):
        found |= {queue_name(environment, domain, kind): kind for kind in kinds(environment)}
        found |= {flyte_queue_name(environment, domain, kind): kind for kind in flyte_kinds(environment)}
        found[ingest_queue_name(environment, domain)] = Kind.SPOT
    return found


def kinds(environment: Environment) -> Sequence[Kind]:
    """The kinds of capacity that the environment has."""
    batch = environment.batch
    having = {Kind.ARM: batch.arm, Kind.GPU: batch.gpu}
    return [kind for kind in Kind if having.get(kind, True)]


def flyte_kinds(environment: Environment) -> Sequence[Kind]:
    """The kinds that Flyte's plugin for AWS Batch can use: its job definitions fit no Fargate, and name no platform."""
    return [kind for kind in kinds(environment) if kind in {Kind.SPOT, Kind.ON_DEMAND, Kind.GPU}]


def domains(environment: Environment) -> Sequence[Domain]:
    """The domains that some project has in the environment, the one with the highest priority first."""
    used = environment.used_domains
    return [domain for domain in PRIORITIES if domain in used]
