"""The VPC that everything else stands in."""

from aerodrome_constructs.network.endpoints import NODE_ENDPOINTS, PRIVATE_ENDPOINTS
from aerodrome_constructs.network.vpc import PlatformVpc, PlatformVpcProps

__all__ = ["NODE_ENDPOINTS", "PRIVATE_ENDPOINTS", "PlatformVpc", "PlatformVpcProps"]
