"""How a job is, in the words that a person needs: what it waits for, why it failed, where to read on."""

from typing import Final

from flytekit_aws_batch.core import logs
from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.failures import blocked, cause, is_reclaim, lost_to_reclaim, reclaims, taken_back
from flytekit_aws_batch.core.job_state import STATUSES, JobState
from flytekit_aws_batch.core.links import Console
from flytekit_aws_batch.core.progress import Link
from flytekit_aws_batch.core.queue_places import LISTED, QueuePlaces
from flytekit_aws_batch.core.settings import Settings

__all__ = ["Reasons", "duration", "is_reclaim", "lost_to_reclaim", "reclaims"]

_LAST_LINES: Final = 5
# What a process says as it ends, and nobody needs, is some dozens of lines at most.
_LOOKED_THROUGH: Final = 100
_MOST_OF_A_LINE: Final = 300
_TENS = range(10, 20)


class Reasons:
    """Tells of jobs.

    Args:
        aws: The way to AWS, for places in queues and for logs.
        settings: The console's address, where it is another one than AWS's.

    Attributes:
        looking: What is being found out of a job that has ended; set by who does so. None: nothing.
    """

    def __init__(self, aws: Aws, settings: Settings) -> None:
        self._aws = aws
        self._settings = settings
        self._places = QueuePlaces(aws)
        self.looking = _nothing

    async def message(self, job: JobState) -> str:
        """How a job is: one line, and for a failed one the last lines of its log. Never raises for what AWS does."""
        if job.status == "FAILED":
            return await self.failed(job)
        if job.status == "RUNNABLE":
            return await self.waiting(job)
        if job.size and not job.ended:
            return _array(job)
        since = {"RUNNING": job.started_at, "SUCCEEDED": job.started_at}.get(job.status, job.created_at)
        until = job.stopped_at or self._aws.clock.date()
        lasted = f" {'after' if job.ended else 'for'} {duration(until - since)}" if since else ""
        what = {
            "SUBMITTED": f": handed to {_name(job.queue)}",
            "PENDING": ": waits for another job",
            "STARTING": f": its host pulls the image {job.image}",
        }.get(job.status, "")
        return f"{job.status}{lasted}{what}{self._anew(job)}"

    async def waiting(self, job: JobState) -> str:
        """What a RUNNABLE job waits for."""
        lasted = duration(self.waited(job))
        what = blocked(job.status_reason) or await self._place(job)
        return f"RUNNABLE for {lasted}: {what}{self._anew(job)}"

    def waited(self, job: JobState) -> float:
        """How long a RUNNABLE job has waited, in seconds: since it was submitted, or since its last attempt ended."""
        since = max(job.created_at, *(each.stopped_at or 0.0 for each in job.attempts), 0.0)
        return self._aws.clock.date() - since

    async def failed(self, job: JobState) -> str:
        """Why a FAILED job failed, with the last lines of its log."""
        text = cause(job)
        found = None if job.size else logs.stream_of(job)
        if found is None:
            return text
        lines = await logs.last_lines(self._aws, *found, count=_LOOKED_THROUGH)
        shown = [_cut(line) for line in logs.telling(lines)][-_LAST_LINES:]
        return "\n".join((f"{text}; last lines:", *shown)) if shown else text

    def links(self, job: JobState) -> tuple[Link, ...]:
        """The pages of the console that show a job: its log, once it has one, and the job."""
        return Console(self._aws.partition, self._aws.region, self._settings.console).links(job)

    async def _place(self, job: JobState) -> str:
        what = f"waits for capacity in {_name(job.queue)}"
        line = await self._places.line(job.queue)
        if line is None:
            return what
        place = line.places.get(job.id)
        where = f"{_ordinal(place)} in line" if place else f"behind the first {LISTED} in line"
        known = [where] if place or len(line.places) >= LISTED else []
        if line.vcpus is not None:
            known.append(f"{line.vcpus:g} vCPUs in use")
        return f"{what} ({'; '.join(known)})" if known else what

    @staticmethod
    def _anew(job: JobState) -> str:
        """What a person would wonder about: that it starts once more."""
        words = "" if job.ended else taken_back(job)
        return f"; {words}: starts anew" if words else ""


def _array(job: JobState) -> str:
    done = job.summary.get("SUCCEEDED", 0)
    rest = [f"{job.summary[status]} {status}" for status in reversed(STATUSES[:-2]) if job.summary.get(status)]
    if failed := job.summary.get("FAILED", 0):
        rest.append(f"{failed} FAILED")
    return f"{done} of {job.size} elements SUCCEEDED{', ' if rest else ''}{', '.join(rest)}"


def duration(seconds: float) -> str:
    """A time in words, in the two largest units at most, such as ``40 s``, ``4 min`` or ``3 h 20 min``."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 90:  # noqa: PLR2004 - up to there people think in seconds
        return f"{max(0, round(seconds))} s"
    if minutes < 90:  # noqa: PLR2004 - and up to there in minutes
        return f"{minutes} min"
    if hours < 48:  # noqa: PLR2004 - and up to there in hours
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def _cut(line: str) -> str:
    return line if len(line) <= _MOST_OF_A_LINE else f"{line[:_MOST_OF_A_LINE]} ..."


def _nothing(job: JobState) -> str | None:
    del job
    return None


def _name(queue: str) -> str:
    return queue.rpartition("/")[2]


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in _TENS else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
