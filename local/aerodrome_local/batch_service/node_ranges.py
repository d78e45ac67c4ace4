"""Ranges of nodes, by which node properties say what each node of a multi-node job gets."""

import re
from typing import Any

from aerodrome_local.batch_service.errors import ClientException

_RANGE = re.compile(r"(\d*):(\d*)")


def bounds(target: str, nodes: int) -> tuple[int, int]:
    """The first and the last index of a range of a job of that many nodes, of which both may be left out.

    Raises:
        ClientException: It is no range.
    """
    match = _RANGE.fullmatch(target)
    if match is None:
        raise ClientException(f"targetNodes {target!r}: a range of node indexes is needed, such as 0:3, :3 or 1:")
    return int(match[1] or 0), int(match[2]) if match[2] else nodes - 1


def container_of(properties: dict[str, Any], index: int) -> dict[str, Any]:
    """The container of a node: that of the narrowest range with its index, as a nested range overrides an outer one."""
    holding = []
    for each in properties["nodeRangeProperties"]:
        first, last = bounds(each["targetNodes"], properties["numNodes"])
        if first <= index <= last:
            holding.append((last - first, each["container"]))
    found: dict[str, Any] = min(holding, key=lambda each: each[0])[1]
    return found
