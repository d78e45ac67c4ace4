"""What the nodes of the cluster cost at most: a ceiling to hold against a budget, not an invoice."""

from typing import Final

from aerodrome_stacks.environment.model import Cluster

# US dollars an hour on demand in us-east-1, June 2026 (https://aws.amazon.com/ec2/pricing/on-demand/): m7i.large has 2
# vCPUs and 8 GiB for 0.1008, r7i.large 16 GiB for 0.1323. By what those tell of a GiB and of a vCPU, c7i.large is 5 %
# cheaper than it is.
_GIB: Final = (0.1323 - 0.1008) / 8
_VCPU: Final = (0.1008 - 8 * _GIB) / 2


def most_usd_an_hour(cluster: Cluster) -> float | None:
    """What all nodes together cost in an hour when each pool is at its limit, in US dollars.

    Spot nodes are counted at the price on demand, which they never exceed. Disks, data transfer and the cluster itself
    are not in it, and most other regions cost up to a third more. None where an instance type does not tell its memory,
    as those with GPUs: theirs follow no rule.
    """
    groups = cluster.node_groups
    memory = [group.max_memory_gib for group in groups]
    known = [gib for gib in memory if gib is not None]
    if len(known) < len(memory):
        return None
    vcpus, gib = sum(group.max_vcpus for group in groups), sum(known)
    # The on-demand nodes for tasks are of the groups' types.
    share = 1 + cluster.on_demand_vcpus / vcpus
    return share * (vcpus * _VCPU + gib * _GIB)
