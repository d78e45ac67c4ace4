"""Elements of a list, written shortly."""

from collections.abc import Iterable

from flytekit_aws_batch.core.spec import MOST_CHILDREN


def to_ranges(indices: Iterable[int]) -> str:
    """Indices as ranges, such as ``0-411,413``."""
    ranges: list[list[int]] = []
    for index in sorted(indices):
        if ranges and index == ranges[-1][1] + 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def from_ranges(text: str) -> set[int]:
    """What :func:`to_ranges` wrote.

    Raises:
        ValueError: It did not write that: there is no more in it than a list has elements, in order and each once.
    """
    found: set[int] = set()
    before = -1
    for part in filter(None, text.split(",")):
        start, _, end = part.partition("-")
        first, last = int(start), int(end or start)
        if not before < first <= last < MOST_CHILDREN:
            raise ValueError(f"{part}: these are no elements of a list of up to {MOST_CHILDREN:,}, in order")
        found.update(range(first, last + 1))
        before = last
    return found
