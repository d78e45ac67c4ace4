"""Where jobs stand in the line of their queue."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flytekit_aws_batch.core.aws import Aws, CallError

LISTED: Final = 100
"""Jobs at the front of a queue that GetJobQueueSnapshot lists, as its reference says."""

_FRESH_SECONDS = 30.0
# A job's place is news, not worth a wait.
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The line of a queue.

    Attributes:
        places: The place of each job at its front, from 1, by ID.
        vcpus: How many vCPUs the queue's jobs have. None: Batch did not say.
    """

    places: Mapping[str, int] = field(default_factory=dict)
    vcpus: float | None = None


class QueuePlaces:
    """Looks at queues, each at most every 30 s.

    Args:
        aws: The way to AWS.
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._lock = threading.Lock()
        self._asked_at: dict[str, float] = {}
        self._lines: dict[str, Line] = {}

    async def line(self, queue: str) -> Line | None:
        """The line of a queue. None: it is not known, or not yet.

        Args:
            queue: Its ARN.
        """
        with self._lock:
            now = self._aws.clock.now()
            if now - self._asked_at.get(queue, float("-inf")) < _FRESH_SECONDS:
                return self._lines.get(queue)
            self._asked_at[queue] = now
        try:
            snapshot = await self._aws.call(
                "batch", "get_job_queue_snapshot", patience_seconds=_PATIENCE_SECONDS, jobQueue=queue
            )
        except CallError:
            # Places that are half a minute older are wrong ones.
            self._lines.pop(queue, None)
            return None
        line = self._lines[queue] = _line(snapshot)
        return line


def _line(snapshot: Mapping[str, Any]) -> Line:
    front = (snapshot.get("frontOfQueue") or {}).get("jobs") or ()
    places: dict[str, int] = {}
    for place, job in enumerate(front, start=1):
        job_id = str(job["jobArn"]).rpartition("/")[2]
        # Of an array's children the first one counts.
        places.setdefault(job_id.partition(":")[0], place)
        places.setdefault(job_id, place)
    usage = (snapshot.get("queueUtilization") or {}).get("totalCapacityUsage") or ()
    vcpus = next((each["quantity"] for each in usage if str(each.get("capacityUnit")).upper() == "VCPU"), None)
    return Line(places=places, vcpus=vcpus)
