"""The VPCs under test, each made once."""

import pytest

from aerodrome_constructs.network import NODE_ENDPOINTS, PRIVATE_ENDPOINTS
from tests.constructs.network.networks import vpc_with
from tests.templates import TemplateJson


@pytest.fixture(scope="module")
def wide() -> TemplateJson:
    """A NAT gateway in each zone, and endpoints for what nodes call."""
    return vpc_with(nat_gateways=3, interface_endpoints=NODE_ENDPOINTS)


@pytest.fixture(scope="module")
def thrifty() -> TemplateJson:
    """One NAT gateway, and no endpoint that costs money."""
    return vpc_with(nat_gateways=1, interface_endpoints={})


@pytest.fixture(scope="module")
def closed() -> TemplateJson:
    """No way out or in."""
    return vpc_with(nat_gateways=0, interface_endpoints=PRIVATE_ENDPOINTS)
