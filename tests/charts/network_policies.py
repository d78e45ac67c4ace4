"""Works out what network policies let through, as the Kubernetes API defines it for packets between IPv4 addresses.

Policies add up: a pod that none selects for a direction is open in it, and one that some select takes what any of these
lets through (https://kubernetes.io/docs/concepts/services-networking/network-policies/). A packet between two pods has
to pass the first one's egress and the second one's ingress. What our policies do not use is an error.

The VPC CNI sees a packet before kube-proxy puts a pod's address in place of a Service's. Its controller therefore adds,
for a peer that is told by labels, the addresses of the Services whose selector has these labels, with the port behind
which they have the one that is let through (``getMatchingServiceClusterIPs`` and ``LookupServiceListenPort`` in
https://github.com/aws/amazon-network-policy-controller-k8s). So a Service is a host here with its selector for labels,
and what it is asked for is the port of its pods.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from types import MappingProxyType
from typing import Any

from tests.charts.helm import Manifest

# The API server gives it to every namespace.
_NAMESPACE_NAME = "kubernetes.io/metadata.name"

_PEERS = {"Ingress": "from", "Egress": "to"}


@dataclass(frozen=True, kw_only=True)
class Host:
    """One end of a connection.

    Attributes:
        address: Its address.
        namespace: Where it is, if it is a pod with an address of its own, or a Service with a selector; ``None`` for
            anything else.
        labels: A pod's labels, or a Service's selector.
        namespace_labels: Those of its namespace, beside the name that every namespace has.
    """

    address: IPv4Address
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    namespace_labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True)
class Port:
    """What is connected to.

    Attributes:
        number: The port.
        protocol: ``TCP`` or ``UDP``.
    """

    number: int
    protocol: str = "TCP"


def lets_through(policies: Iterable[Manifest], source: Host, target: Host, port: Port | None = None) -> bool:
    """Whether a connection from one host to another passes all policies.

    Args:
        policies: All that there are.
        source: Who connects.
        target: To whom.
        port: To which of its ports. None: to one that no policy names.
    """
    listed = list(policies)
    return _passes(listed, source, "Egress", target, port) and _passes(listed, target, "Ingress", source, port)


def _passes(policies: Iterable[Manifest], pod: Host, direction: str, other: Host, port: Port | None) -> bool:
    selecting = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace
        and direction in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], pod.labels)
    ]
    if not selecting:
        return True
    return any(_matches(peer, pod, other) for spec in selecting for peer in _peers(spec, direction, port))


def _peers(spec: Mapping[str, Any], direction: str, port: Port | None) -> Iterator[Mapping[str, Any]]:
    for rule in spec.get(direction.lower(), []):
        _only(rule, {_PEERS[direction], "ports"})
        assert rule.get(_PEERS[direction]), f"names no {_PEERS[direction]}, which lets everybody through: {rule}"
        if "ports" not in rule or any(_opens(one, port) for one in rule["ports"]):
            yield from rule[_PEERS[direction]]


def _opens(entry: Mapping[str, Any], port: Port | None) -> bool:
    _only(entry, {"port", "protocol"})
    assert isinstance(entry.get("port"), int), f"not worked out here: {entry}; a port is a number"
    return port == Port(number=entry["port"], protocol=entry.get("protocol", "TCP"))


def _matches(peer: Mapping[str, Any], pod: Host, other: Host) -> bool:
    _only(peer, {"ipBlock"} if "ipBlock" in peer else {"podSelector", "namespaceSelector"})
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        _only(block, {"cidr", "except"})
        closed = any(other.address in IPv4Network(cidr) for cidr in block.get("except", []))
        return other.address in IPv4Network(block["cidr"]) and not closed
    if other.namespace is None or not _selects(peer.get("podSelector", {}), other.labels):
        return False
    if "namespaceSelector" not in peer:
        return other.namespace == pod.namespace
    return _selects(peer["namespaceSelector"], {**other.namespace_labels, _NAMESPACE_NAME: other.namespace})


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    # An empty one selects everything.
    _only(selector, {"matchLabels", "matchExpressions"}, may_be_empty=True)
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items() and all(
        _is_there(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _is_there(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert expression["operator"] == "Exists", f"not worked out here: {expression['operator']}; known is Exists"
    return expression["key"] in labels


def _only(mapping: Mapping[str, Any], known: set[str], *, may_be_empty: bool = False) -> None:
    unknown = mapping.keys() - known
    assert not unknown, f"not worked out here: {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}"
    assert mapping or may_be_empty, f"empty, which lets everything through: name {', '.join(sorted(known))}"
