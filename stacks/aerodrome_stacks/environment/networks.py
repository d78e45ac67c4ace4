"""Networks in an environment: the VPC's ranges, and those that may reach the Kubernetes API."""

import re
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from aerodrome_stacks.environment.forms import refusal
from aerodrome_stacks.environment.wording import describe, listing, show

_CIDR = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}"


def parse_network(value: object) -> IPv4Network:
    """Return the IPv4 network that a text such as ``10.16.0.0/16`` names; a network is returned as it is.

    Raises:
        PydanticCustomError: It is no network, or bits are set beyond its prefix.
    """
    if isinstance(value, IPv4Network):
        return value
    if not isinstance(value, str):
        raise refusal(f"{describe(value)} stands where a network is expected, such as 10.16.0.0/16")
    try:
        network = IPv4Network(value if re.fullmatch(_CIDR, value) else "", strict=False)
    except ValueError:
        raise refusal(f"{show(value)} is not an IPv4 network; those look like 10.16.0.0/16") from None
    if str(network.network_address) != value.partition("/")[0]:
        raise refusal(f"{show(value)} names an address inside a network; did you mean {network}?")
    return network


Cidr = Annotated[
    IPv4Network, BeforeValidator(parse_network), WithJsonSchema({"type": "string", "pattern": f"^{_CIDR}$"})
]

# The addresses that RFC 1918 leaves to private networks.
_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
TEN = _PRIVATE[0]
"""10.0.0.0/8, the one private range that a VPC may have twice a part of."""

# Docker's bridge on the nodes of ECS (and so of AWS Batch) and, in places, of EKS: addresses in it cannot be reached
# from a container (EKS User Guide, "Network requirements").
_DOCKER = IPv4Network("172.17.0.0/16")
# AWS allows a VPC /16 at most. At /20 a zone's node subnet, a quarter, has 1,024 addresses, and its public subnet, one
# in 64, has 64; a load balancer needs a /27.
_WIDEST, _NARROWEST = 16, 20
# At /20 the pods' subnets of two zones have room for 13 nodes, and the smallest platform has 14 (addresses.py).
_NARROWEST_FOR_PODS = 19
# The internet in 256 parts; nobody owns two of them.
_WIDEST_ENDPOINT = 8


# Private ranges that AWS allows as a VPC's second one; 10.0.0.0/8 only where the first is of it, too (VPC User Guide,
# "IPv4 CIDR block association restrictions").
_FOR_PODS = (TEN, IPv4Network("100.64.0.0/10"))


def vpc_range(network: IPv4Network) -> IPv4Network:
    """Return the range of a VPC as it is.

    Raises:
        PydanticCustomError: It is too wide, too narrow, public, or where Docker lives.
    """
    _of_a_vpc(network, _NARROWEST)
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise refusal(f"{network} is public; take it from {listing(_PRIVATE)}")
    if network.overlaps(_DOCKER):
        raise refusal(f"{network} overlaps {_DOCKER}, which Docker uses on the nodes of AWS Batch; take another range")
    return network


def pod_range(network: IPv4Network) -> IPv4Network:
    """Return the second range of a VPC, for pods, as it is.

    Raises:
        PydanticCustomError: It is too wide, too narrow, or not of the ranges that AWS allows as a second one.
    """
    _of_a_vpc(network, _NARROWEST_FOR_PODS)
    if not any(network.subnet_of(allowed) for allowed in _FOR_PODS):
        raise refusal(f"{network} cannot be a VPC's second range for pods; take it from {listing(_FOR_PODS)}")
    return network


def _of_a_vpc(network: IPv4Network, narrowest: int) -> None:
    if not _WIDEST <= network.prefixlen <= narrowest:
        limit = _WIDEST if network.prefixlen < _WIDEST else narrowest
        why = "AWS allows a VPC at most" if network.prefixlen < _WIDEST else "the subnets of three zones need at least"
        raise refusal(
            f"{network} has {network.num_addresses:,} addresses; {why} {2 ** (32 - limit):,}, which is /{limit}"
        )


def endpoint_range(network: IPv4Network) -> IPv4Network:
    """Return a range that may reach the public endpoint as it is.

    Raises:
        PydanticCustomError: It opens the endpoint to everybody, or is private, which EKS refuses.
    """
    return _from_the_internet(network, "the Kubernetes API")


def front_door_range(network: IPv4Network) -> IPv4Network:
    """Return a range that may reach the front door over the internet as it is.

    Raises:
        PydanticCustomError: It opens the front door to everybody, or is private, and so never comes that way.
    """
    return _from_the_internet(network, "Flyte, MLflow and Grafana")


def _from_the_internet(network: IPv4Network, what: str) -> IPv4Network:
    if network.prefixlen < _WIDEST_ENDPOINT:
        share = "the whole internet" if network.prefixlen == 0 else f"1/{2**network.prefixlen} of the internet"
        raise refusal(
            f"{network} opens {what} to {share}; name your offices' ranges, /{_WIDEST_ENDPOINT} or "
            "narrower, or [] to make it private"
        )
    if any(network.overlaps(private) for private in _PRIVATE):
        raise refusal(f"{network} is private and never comes from the internet; name public ranges, or []")
    return network
