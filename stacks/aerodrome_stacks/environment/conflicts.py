"""What two environments may not share."""

from collections.abc import Iterator, Mapping
from itertools import combinations, product

from aerodrome_stacks.environment.model import Environment


def conflicts(environments: Mapping[str, Environment]) -> Iterator[str]:
    """Yield a line for each thing that two environments may not share.

    Args:
        environments: The environments by the files that they stand in.
    """
    for (file, one), (other_file, other) in combinations(environments.items(), 2):
        for key, other_key in product(("cidr", "pod_cidr"), repeat=2):
            mine, theirs = getattr(one.network, key), getattr(other.network, other_key)
            if mine.overlaps(theirs):
                yield (
                    f"{file}: network.{key}: {mine} overlaps {theirs} of {other_file} in "
                    f"{min(mine.num_addresses, theirs.num_addresses):,} addresses; give each environment a range of "
                    "its own"
                )
        if one.access.domain_name == other.access.domain_name:
            yield (
                f"{file}: access.domain_name: {one.access.domain_name} is that of {other_file}, too; give each "
                "environment a name of its own"
            )
