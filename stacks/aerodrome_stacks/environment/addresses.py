"""Whether the network has an address for everything that may run at once, with one of its three zones lost.

Sources, beside the AWS guides named below: ``docs/prefix-and-ip-target.md`` of aws/amazon-vpc-cni-k8s, for what a node
takes of a pod subnet. The arithmetic is told in ``docs/explanation/network.md``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from aerodrome_stacks.environment.aws import instance_shape
from aerodrome_stacks.environment.capacity import BatchCapacity
from aerodrome_stacks.environment.model import Cluster, Network
from aerodrome_stacks.environment.nodes import NodeGroup
from aerodrome_stacks.environment.problems import Problem
from aerodrome_stacks.environment.wording import listing

_WIDEST = 16  # of a VPC
_ZONES_LEFT = 2

# The VPC CNI takes addresses for pods in blocks of this many that lie together (/28), and keeps one block in reserve.
_BLOCK = 16
_SPARE_BLOCKS = 1
# The interface that a node has in the pod subnet takes one address wherever EC2 finds it, and no block can be had any
# more where it stands: counted as a whole one, a subnet cannot fragment beyond what is counted. One interface is
# enough: that of the smallest node, a `large`, has nine slots beside its own address, and 110 pods need 7 + 1 blocks.
_BROKEN_BLOCKS = 1
# AWS keeps the first four addresses of a subnet and the last: two blocks.
_KEPT_BLOCKS = 2
_KEPT_ADDRESSES = 5

# The most pods that a managed node group lets its nodes have (EKS User Guide, "Assign more IP addresses to Amazon EKS
# nodes with prefixes").
_MANY_VCPUS = 30
_PODS, _PODS_OF_MANY_VCPUS = 110, 250
# An update of a managed node group adds nodes before it takes any away: two a zone, or as many as may be unavailable at
# once, a third of ours (EKS User Guide, "Understand each phase of node updates").
_ADDED_BY_UPDATE = 6
_UNAVAILABLE = 3

# The least that an instance of the families that AWS Batch may choose from has (large), and a task of Fargate.
_BATCH_VCPUS = 2
_TASKS_A_VCPU = 4
# AWS Batch goes beyond the ceiling of a compute environment by one instance at most (AWS Batch User Guide, "Instance
# type allocation strategies for AWS Batch").
_BATCH_BEYOND = 1

ENDPOINTS = 28
"""The most interface endpoints, each with an address in each zone."""

# In each zone: EKS's own (16, as its guide advises), a load balancer at its largest (100; 8 must be free at all times),
# and the Lambdas (an interface for each security group).
_OF_SERVICES = ENDPOINTS + 16 + 100 + 8

_LOWER_NODES = "lower max_size of a node group or cluster.on_demand_vcpus"
_LOWER_ANY = "lower max_size of a node group, cluster.on_demand_vcpus or a ceiling in batch"


def zone_subnets(cidr: IPv4Network) -> list[IPv4Network]:
    """The subnets of a range, one for each zone: a quarter of it each."""
    return list(cidr.subnets(prefixlen_diff=2))[:3]


def pods_fit_their_subnets(network: Network, cluster: Cluster) -> Iterator[Problem]:
    """Two zones have addresses for all pods of all nodes, however these may be spread over blocks."""
    nodes = _nodes(cluster, _most_blocks)
    needed = sum(group.number * group.blocks for group in nodes)
    if needed <= _blocks_left(network.pod_cidr):
        return
    each = zone_subnets(network.pod_cidr)[0].num_addresses // _BLOCK
    terms = " + ".join(f"{group.number:,} {group.name} x {group.blocks}" for group in nodes)
    yield Problem(
        ("network", "pod_cidr"),
        f"{network.pod_cidr}: when a zone is lost, the pod subnets of the two others have "
        f"{_blocks_left(network.pod_cidr):,} blocks of {_BLOCK} addresses ({_ZONES_LEFT} x ({each:,} - {_KEPT_BLOCKS} "
        f"with addresses that AWS keeps)), and the nodes may take {needed:,} ({terms}); a node takes "
        f"{listing(_shares(nodes))}; {_remedy(network.pod_cidr, needed, _blocks_left, _LOWER_NODES)}",
    )


def nodes_fit_their_subnets(network: Network, cluster: Cluster, batch: BatchCapacity) -> Iterator[Problem]:
    """Two zones have addresses for all nodes, instances and tasks of AWS Batch, and what AWS's own services need."""
    nodes = sum(group.number for group in _nodes(cluster, _most_nodes))
    instances = sum(vcpus // _BATCH_VCPUS + _BATCH_BEYOND for vcpus in batch.instance_ceilings)
    tasks = sum(batch.fargate_ceilings) * _TASKS_A_VCPU
    needed = nodes + instances + tasks
    if needed <= _addresses_left(network.cidr):
        return
    subnet = zone_subnets(network.cidr)[0].num_addresses
    yield Problem(
        ("network", "cidr"),
        f"{network.cidr}: when a zone is lost, the node subnets of the two others have "
        f"{_addresses_left(network.cidr):,} addresses ({_ZONES_LEFT} x ({subnet:,} - {_OF_SERVICES} for endpoints, "
        f"load balancers, EKS and Lambdas - {_KEPT_ADDRESSES} that AWS keeps)), and {needed:,} may be taken "
        f"({nodes:,} nodes + {instances:,} instances of AWS Batch + {tasks:,} tasks of Fargate); "
        f"{_remedy(network.cidr, needed, _addresses_left, _LOWER_ANY)}",
    )


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Nodes of one kind at their most."""

    name: str
    number: int
    vcpus: int

    @property
    def blocks(self) -> int:
        return _blocks(self.vcpus)


def _nodes(cluster: Cluster, rank: Callable[[_Nodes], int]) -> list[_Nodes]:
    system = cluster.system_nodes
    # On-demand nodes are of the spot groups' types: which of them asks for the most is for the caller to say.
    on_demand = max(
        (_Nodes("on-demand", cluster.on_demand_vcpus // vcpus, vcpus) for vcpus in map(_vcpus, cluster.spot_nodes)),
        key=rank,
    )
    return [
        _Nodes("system", system.max_size + _added_by_update(system.max_size), _vcpus(system)),
        *(
            # Only the nodes that are always kept are a managed group's; Karpenter has the others, and replaces within
            # their limit.
            _Nodes(group.name, group.max_size + _added_by_update(group.min_size), _vcpus(group))
            for group in cluster.spot_nodes
        ),
        on_demand,
    ]


def _most_blocks(nodes: _Nodes) -> int:
    return nodes.number * nodes.blocks


def _most_nodes(nodes: _Nodes) -> int:
    return nodes.number


def _vcpus(group: NodeGroup) -> int:
    return instance_shape(group.instance_types[0]).vcpus  # all types of a group have the same


def _added_by_update(nodes: int) -> int:
    return max(_ADDED_BY_UPDATE, -(-nodes // _UNAVAILABLE))


def _pods(vcpus: int) -> int:
    return _PODS if vcpus < _MANY_VCPUS else _PODS_OF_MANY_VCPUS


def _blocks(vcpus: int) -> int:
    return -(-_pods(vcpus) // _BLOCK) + _SPARE_BLOCKS + _BROKEN_BLOCKS


def _shares(nodes: Sequence[_Nodes]) -> Iterator[str]:
    for pods, blocks in sorted({(_pods(group.vcpus), group.blocks) for group in nodes}):
        of_pods = blocks - _SPARE_BLOCKS - _BROKEN_BLOCKS
        yield (
            f"{blocks} for {pods} pods ({of_pods} + {_SPARE_BLOCKS} to spare + {_BROKEN_BLOCKS} that its own address "
            "breaks up)"
        )


def _blocks_left(cidr: IPv4Network) -> int:
    return _ZONES_LEFT * (zone_subnets(cidr)[0].num_addresses // _BLOCK - _KEPT_BLOCKS)


def _addresses_left(cidr: IPv4Network) -> int:
    return _ZONES_LEFT * (zone_subnets(cidr)[0].num_addresses - _OF_SERVICES - _KEPT_ADDRESSES)


def _remedy(cidr: IPv4Network, needed: int, left: Callable[[IPv4Network], int], lower: str) -> str:
    for prefix in range(cidr.prefixlen - 1, _WIDEST - 1, -1):
        if left(cidr.supernet(new_prefix=prefix)) >= needed:
            return f"take a /{prefix}{' or wider' if prefix > _WIDEST else ''}, or {lower}"
    widest = left(cidr.supernet(new_prefix=_WIDEST))
    return f"a VPC's widest range, /{_WIDEST}, has {widest:,}: {lower}"


ADDRESS_RULES: tuple[Callable[..., Iterator[Problem]], ...] = (pods_fit_their_subnets, nodes_fit_their_subnets)
"""The rules; ``rules.py`` says what a rule is."""
