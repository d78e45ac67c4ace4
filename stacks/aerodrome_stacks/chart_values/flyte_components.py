"""Values of ``charts/flyte-core`` about how much Flyte's components have, and how many there are of each.

The numbers are those of the load class (``environment/flyte.py``); the arithmetic is in
``docs/explanation/flyte-control-plane.md``.
"""

from collections.abc import Sequence

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values import flyte_batch_connector
from aerodrome_stacks.chart_values.flyte_batch_connector import BatchConnectorInputs
from aerodrome_stacks.chart_values.flyte_connectors import deployments
from aerodrome_stacks.chart_values.flyte_rights import custom_resources
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.connections import FLYTEADMIN_LEAST, datacatalog
from aerodrome_stacks.environment.flyte import FlyteLoad

# What remains is for what Go does not count: stacks of threads, and what the kernel keeps for the process.
_GO_SHARE = 0.9

# Go's default for array nodes (flytepropeller/pkg/controller/config/config.go), and there for the smallest class, too.
_NODE_WORKERS_FOR_EACH_CPU = 8

# The largest literal for each GiB that flytepropeller has, a 64th of it. A list of numbers, some ten bytes each in S3,
# takes more than twenty times as much in memory, where Go makes three messages of each; one that is read is then less
# than half of all there is.
_LITERAL_MIB_FOR_EACH_GIB = 16

# How many wait in the queue's bucket for each that it lets through in a second, as in the chart.
_QUEUE_DEPTH = 10


def components(environment: Environment) -> dict[str, Value]:
    """What the components have."""
    load = environment.flyte.bears
    return {
        "flyteadmin": {
            "autoscaling": {
                "enabled": True,
                "minReplicas": FLYTEADMIN_LEAST,
                "maxReplicas": load.flyteadmin_most,
            }
        },
        "datacatalog": {"replicaCount": datacatalog(load).replicas},
        "flytepropeller": {**_propeller(load), "manager": environment.flyte.propeller_shards > 0},
        "configmap": {
            "core": {
                "propeller": {
                    "workers": load.workers,
                    "node-execution-worker-count": _NODE_WORKERS_FOR_EACH_CPU * load.propeller_cpus,
                    "kube-client-config": {"qps": load.kube_qps, "burst": load.kube_burst},
                    # What is put away has to be read again: no more than flytepropeller reads. A larger one fails its
                    # map task, and not what comes after it.
                    "literal-offloading-config": {"max-size-in-mb-for-offloading": _largest_literal(load)},
                    # Slower than workers take, and they wait for what is there to be done.
                    "queue": {"queue": _queue(load.workers), "sub-queue": _queue(load.workers)},
                },
                **_shards(environment.flyte.propeller_shards),
            },
        },
    }


def surroundings(environment: Environment, batch_connector: BatchConnectorInputs | None) -> dict[str, Value]:
    """Values of ``charts/aerodrome-flyte``: which pods go at once, who reaches them, their rights, and connectors.

    Args:
        environment: What the team decided.
        batch_connector: What the connector of AWS Batch takes from other stacks. None: the environment has none.
    """
    return {
        "customResources": custom_resources(environment),
        # Pods have their addresses in another range, `network.pod_cidr`.
        "loadBalancerRanges": [str(environment.network.cidr)],
        "propellerShards": environment.flyte.propeller_shards,
        "resourceStore": {"enabled": bool(environment.flyte.resource_limits)},
        "connectors": {**deployments(environment), **flyte_batch_connector.deployment(environment, batch_connector)},
    }


def restarted_on_change_of(secrets: Sequence[str]) -> dict[str, Value]:
    """The annotation for Reloader, which starts the pods of a Deployment anew when one of these Secrets has changed.

    Passwords and client secrets are read when a process starts, and then no more.
    """
    return {"annotations": {"secret.reloader.stakater.com/reload": ",".join(secrets)}}


def _propeller(load: FlyteLoad) -> dict[str, Value]:
    memory = f"{load.propeller_memory_gib}Gi"
    limit = int(load.propeller_memory_gib * 1024 * _GO_SHARE)
    return {
        "resources": {
            "requests": {"cpu": str(load.propeller_cpus), "memory": memory},
            "limits": {"cpu": str(2 * load.propeller_cpus), "memory": memory},
        },
        # Go collects harder as it comes near, where it would be killed else.
        "podEnv": [{"name": "GOMEMLIMIT", "value": f"{limit}MiB"}],
        # `storage` is the same for flyteadmin and datacatalog, which have a fraction of the memory, and never read what
        # flytepropeller has put away: the flags, which go before the file, are flytepropeller's alone. The file's limit
        # of 10 MiB is the least that is put away, all of which would then be refused (stow_store.go, ReadRaw).
        "extraArgs": [
            f"--storage.cache.max_size_mbs={load.cache_mib}",
            f"--storage.limits.maxDownloadMBs={_largest_literal(load)}",
        ],
    }


def _largest_literal(load: FlyteLoad) -> int:
    return _LITERAL_MIB_FOR_EACH_GIB * load.propeller_memory_gib


def _queue(rate: int) -> dict[str, Value]:
    return {"rate": rate, "capacity": _QUEUE_DEPTH * rate}


def _shards(shards: int) -> dict[str, Value]:
    if not shards:
        return {}
    # By a hash of the execution's name: of projects or domains, one may have all the work.
    return {"manager": {"shard": {"type": "Hash", "shard-count": shards}}}
