"""Values of ``charts/aerodrome-monitoring``: what of dashboards and alerts depends on the environment."""

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from aerodrome_constructs.helm import Value
from aerodrome_stacks.batch_queues import Kind
from aerodrome_stacks.chart_values.front_door import kept_zone
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import clients_of, max_connections, memory_gib
from aerodrome_stacks.job_prices import MEMORY_SHARE, USD_PER_GPU_HOUR, USD_PER_VCPU_HOUR

_OBJECTIVES: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "prod": {
            "flyte-api-availability": 0.999,
            "flyte-execution-start": 0.99,
            "flyte-propeller-rounds": 0.99,
            "flyte-schedules": 0.99,
            "flyte-artifact-store": 0.999,
        },
        "staging": {
            "flyte-api-availability": 0.995,
            "flyte-execution-start": 0.98,
            "flyte-propeller-rounds": 0.98,
            "flyte-schedules": 0.98,
            "flyte-artifact-store": 0.995,
        },
    }
)

# Where things are tried, and releases rolled out by day: 14.4 times this budget is 72 percent.
_ELSEWHERE: Final = 0.95

_LONGEST_BUDGET: Final = timedelta(days=30)

_GIB_A_VCPU: Final = 4


def monitoring(environment: Environment) -> dict[str, Value]:
    """Values that depend on the environment."""
    window = min(_LONGEST_BUDGET, environment.retention.metrics)
    return {
        # Whole days, at least one: Prometheus keeps no fewer.
        "budgetWindow": f"{max(window.days, 1)}d",
        "propellersAtWork": max(environment.flyte.propeller_shards, 1),
        # As in the annotations of every Ingress (front_door.py).
        "loadBalancerGroup": f"aerodrome-{environment.name}",
        "keepsDnsRecords": kept_zone(environment) is not None,
        "serviceLevels": {name: {"objective": value} for name, value in objectives(environment).items()},
        "projects": [
            {
                "project": project.name,
                "domain": domain,
                "series": f"{_series(project.name)}:{_series(domain)}",
            }
            for project in environment.projects
            for domain in project.domains
        ],
        "prices": {
            "on-demand": _prices(Kind.ON_DEMAND),
            "spot": _prices(Kind.SPOT),
        },
        "connections": {
            # A class whose memory is not known is refused when the environment is read.
            "most": max_connections(memory_gib(environment.database.instance_class) or 1),
            "clients": {client.name: client.most for client in clients_of(environment.flyte.bears)},
        },
    }


def objectives(environment: Environment) -> dict[str, float]:
    """The share that must be good of each service level, by its name."""
    names = _OBJECTIVES["prod"]
    return dict(_OBJECTIVES.get(environment.name, dict.fromkeys(names, _ELSEWHERE)))


def _series(name: str) -> str:
    # What flyteadmin makes of a name in that of a series (flytestdlib/promutils/scope.go, SanitizeMetricName).
    return re.sub(r"[^a-zA-Z0-9_:]", "_", name)


def _prices(kind: Kind) -> dict[str, Value]:
    """What a vCPU, a GiB and a GPU cost apart, where an instance is priced as vCPUs with 4 GiB each."""
    both = USD_PER_VCPU_HOUR[kind]
    return {
        "vcpu": round(both * (1 - MEMORY_SHARE), 5),
        "gib": round(both * MEMORY_SHARE / _GIB_A_VCPU, 6),
        "gpu": USD_PER_GPU_HOUR[kind],
    }
