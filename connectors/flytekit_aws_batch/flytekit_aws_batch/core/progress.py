"""How a run stands, in words that no Flyte is needed for."""

from dataclasses import dataclass, field
from enum import Enum


class Phase(Enum):
    """How far a run is.

    An orchestrator may show a message only as the phase changes, as Flyte does: what a job waits for therefore has two
    phases of its own, which a job that starts soon has neither of.
    """

    QUEUED = "queued"
    """Not submitted yet, or submitted, or waiting for another job, or RUNNABLE for less than a minute."""
    WAITING = "waiting"
    """RUNNABLE for a minute or more: nothing is missing but capacity, as far as is known."""
    BLOCKED = "blocked"
    """RUNNABLE, and Batch says what keeps it from starting."""
    STARTING = "starting"
    """It has a host; the image is pulled."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """For good: trying again as it is would fail again."""
    FAILED_RETRYABLE = "failed, worth another try"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A page that tells more, such as a log stream in the console."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a run stands.

    Attributes:
        phase: How far it is.
        message: What a person needs to know: what it waits for, why it failed and what to do.
        links: Pages that tell more.
        jobs: The IDs of its jobs in AWS Batch, the first submission first.
        details: Figures for machines and curious people: JSON values.
        failed_indices: The elements of a list that failed for good.
        output_prefix: Where the outputs are, once it has succeeded.
    """

    phase: Phase
    message: str
    links: tuple[Link, ...] = ()
    jobs: tuple[str, ...] = ()
    details: dict[str, object] = field(default_factory=dict)
    failed_indices: tuple[int, ...] = ()
    output_prefix: str = ""


class RefusedError(Exception):
    """What was asked for cannot run, and would fail in the same way again.

    The message says what is wrong, the value received, what is allowed and how to mend it; all problems, one a line.
    """
