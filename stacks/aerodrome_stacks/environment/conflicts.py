"""What two environments may not share."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations, product

from aerodrome_stacks.environment.model import Environment
from aerodrome_stacks.environment.wording import listing

# For an account in a region, and not to be raised: https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
_JOB_QUEUES = 50


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
    yield from _job_queues(environments)


def _job_queues(environments: Mapping[str, Environment]) -> Iterator[str]:
    """AWS Batch has so many job queues for all environments of one account and region."""
    together: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for file, environment in environments.items():
        number = len(environment.used_domains) * environment.batch.queues_of_a_domain
        together[environment.account, environment.region][file] = number
    for (account, region), queues in together.items():
        if (total := sum(queues.values())) > _JOB_QUEUES:
            each = listing([f"{number} of {file}" for file, number in queues.items()])
            yield (
                f"account {account} would have {total} AWS Batch job queues in {region} ({each}), and AWS allows "
                f"{_JOB_QUEUES}; leave out batch.arm, batch.gpu or a domain, or take an account of its own for each"
            )
