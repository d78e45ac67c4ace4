"""The job queues of AWS Batch: their names, what is behind them, and who waits in which.

Names are chosen, not generated: Flyte, people and policies know them without asking CloudFormation.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.names import resource_prefix

Hardware = Literal["x86", "arm", "gpu", "fargate"]
"""What jobs run on: x86 instances, Graviton instances, x86 instances with NVIDIA GPUs, Fargate."""


class Kind(StrEnum):
    """What a queue's jobs run on, and whether AWS may take it back."""

    SPOT = "spot"
    """x86 instances: spot first, on-demand where spot has nothing to give."""
    ON_DEMAND = "on-demand"
    """x86 instances that nobody takes back, for jobs that cannot begin anew."""
    ARM = "arm"
    """Graviton instances, for images built for arm64: spot first. A queue mixes no architectures."""
    ARM_ON_DEMAND = "arm-on-demand"
    """Graviton instances that nobody takes back."""
    GPU = "gpu"
    """Instances with NVIDIA GPUs: spot first."""
    GPU_ON_DEMAND = "gpu-on-demand"
    """Instances with NVIDIA GPUs that nobody takes back, which jobs of several nodes need."""
    FARGATE = "fargate"
    """Fargate tasks, which wait for no instance: Fargate Spot first."""
    FARGATE_ON_DEMAND = "fargate-on-demand"
    """Fargate tasks that nobody takes back."""

    @property
    def hardware(self) -> Hardware:
        """What its jobs run on."""
        match self:
            case Kind.ARM | Kind.ARM_ON_DEMAND:
                return "arm"
            case Kind.GPU | Kind.GPU_ON_DEMAND:
                return "gpu"
            case Kind.FARGATE | Kind.FARGATE_ON_DEMAND:
                return "fargate"
            case Kind.SPOT | Kind.ON_DEMAND:
                return "x86"

    @property
    def has_spot(self) -> bool:
        """Whether its jobs get capacity first that AWS may take back."""
        return not self.endswith(Kind.ON_DEMAND)


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
    having = {"arm": batch.arm, "gpu": batch.gpu}
    return [kind for kind in Kind if having.get(kind.hardware, True)]


def flyte_kinds(environment: Environment) -> Sequence[Kind]:
    """The kinds that Flyte's plugin for AWS Batch can use: its job definitions fit no Fargate, and name no platform."""
    return [kind for kind in kinds(environment) if kind in {Kind.SPOT, Kind.ON_DEMAND, Kind.GPU}]


def domains(environment: Environment) -> Sequence[Domain]:
    """The domains that some project has in the environment, the one with the highest priority first."""
    used = environment.used_domains
    return [domain for domain in PRIORITIES if domain in used]
