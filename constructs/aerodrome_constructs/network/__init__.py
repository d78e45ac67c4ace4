"""The VPC that everything else stands in."""

from aerodrome_constructs.network.vpc import PlatformVpc, PlatformVpcProps

__all__ = ["PlatformVpc", "PlatformVpcProps"]
