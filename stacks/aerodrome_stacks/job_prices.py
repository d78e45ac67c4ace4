"""What jobs cost by estimate: made for a budget alarm the same day, not for an invoice.

The bill is a day late and knows instances, not jobs. An estimate takes what a job asked for and how long it ran. It
leaves out what instances idle, their disks, data transfer and AWS's discounts for commitment, and takes no region but
us-east-1, where most others cost up to a third more.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerodrome_stacks.batch_queues import Kind

# US dollars an hour on demand in us-east-1, June 2026, for a vCPU with 4 GiB (https://aws.amazon.com/ec2/pricing/on-demand/,
# https://aws.amazon.com/fargate/pricing/).
_M7I: Final = 0.1008 / 2  # m7i.large
_M7G: Final = 0.0816 / 2  # m7g.large
_G5: Final = 1.006 / 4  # g5.xlarge, with one GPU
_FARGATE: Final = 0.04048 + 4 * 0.004445
# Of the on-demand price. Spot prices move; these are on the dear side of what the Spot Instance Advisor shows for these
# families, so that a budget is missed early rather than late. GPUs are scarce, and their spot price shows it.
_SPOT: Final = 0.35
_GPU_SPOT: Final = 0.5
_FARGATE_SPOT: Final = 0.3

USD_PER_GPU_HOUR: Final[Mapping[Kind, float]] = MappingProxyType(
    {
        Kind.ON_DEMAND: round(4 * (_G5 - _M7I), 4),
        Kind.SPOT: round(4 * (_G5 * _GPU_SPOT - _M7I * _SPOT), 4),
    }
)
"""What a GPU costs in an hour: what an instance with one costs more than its four vCPUs would without."""

MEMORY_SHARE: Final = 4 * 0.004445 / _FARGATE
"""What 4 GiB are of the price of a vCPU with them. EC2 sells both together; Fargate has a price for each."""

USD_PER_VCPU_HOUR: Final[Mapping[Kind, float]] = MappingProxyType(
    {
        Kind.SPOT: round(_M7I * _SPOT, 4),
        Kind.ON_DEMAND: round(_M7I, 4),
        Kind.ARM: round(_M7G * _SPOT, 4),
        Kind.ARM_ON_DEMAND: round(_M7G, 4),
        Kind.GPU: round(_G5 * _GPU_SPOT, 4),
        Kind.GPU_ON_DEMAND: round(_G5, 4),
        Kind.FARGATE: round(_FARGATE * _FARGATE_SPOT, 4),
        Kind.FARGATE_ON_DEMAND: round(_FARGATE, 4),
    }
)
"""What a vCPU with 4 GiB of memory costs in an hour, by what a queue asks first: events do not say what it got.

A job that got on-demand capacity in a queue of another kind cost two to three times its estimate.
"""
