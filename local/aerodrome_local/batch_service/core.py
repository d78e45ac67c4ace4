"""What an API operation works with."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.executor import StopCause
from aerodrome_local.batch_service.lifecycle import Lifecycle
from aerodrome_local.batch_service.model import Job, Json, Scope
from aerodrome_local.batch_service.settings import Settings
from aerodrome_local.batch_service.state import Resources, State

_MOST_RESULTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The parts of the service that operations use. They run under the state's lock.

    Attributes:
        wake: Tells the scheduler that something has changed.
        stop_attempt: Stops a job's process, if it has one.
        verify: Finds out in the background whether the compute environment with this ARN can work.
    """

    settings: Settings
    state: State
    lifecycle: Lifecycle
    wake: Callable[[], None]
    stop_attempt: Callable[[Job, StopCause], None]
    verify: Callable[[str], None]

    def resources(self, arn: str) -> Resources:
        """The resources of the kind that an ARN is of.

        Raises:
            ClientException: Batch has no such kind.
        """
        state = self.state
        for resources in (
            state.compute_environments,
            state.job_queues,
            state.job_definitions,
            state.scheduling_policies,
        ):
            if f":{resources.kind}/" in arn:
                return resources
        raise ClientException(f"{arn} does not exist")


Operation = Callable[[Core, Scope, Json], Json]


def page(items: Sequence[Any], request: Json, member: str, most: int = _MOST_RESULTS) -> Json:
    """One page of a listing: at most ``maxResults`` items (``most`` unless said otherwise) from ``nextToken`` on.

    Raises:
        ClientException: A token that no listing gave, or a number out of range.
    """
    size = request.get("maxResults") or most
    if not 1 <= size <= most:
        raise ClientException(f"maxResults={size}: must be from 1 to {most}")
    token = request.get("nextToken")
    try:
        start = int(base64.b64decode(token, validate=True)) if token else 0
    except (binascii.Error, ValueError) as error:
        raise ClientException(f"nextToken {token!r} is not valid") from error
    answer: Json = {member: list(items[start : start + size])}
    if start + size < len(items):
        answer["nextToken"] = base64.b64encode(str(start + size).encode()).decode()
    return answer
