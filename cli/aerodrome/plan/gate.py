"""Which losses an environment allows: those that its file names, each with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from aerodrome.plan.model import ResourceChange
from aerodrome_stacks.environment.model import AllowedReplacement


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What an environment says to a plan.

    Attributes:
        stopped: The changes that lose data, or may, and that the environment does not name.
        allowed: Why each of the others may, in the order of the plan.
        stale: Entries that name nothing that the plan replaces or deletes.
    """

    stopped: tuple[ResourceChange, ...]
    allowed: tuple[tuple[ResourceChange, str], ...]
    stale: tuple[AllowedReplacement, ...]


def judge(changes: Sequence[ResourceChange], entries: Sequence[AllowedReplacement]) -> Judgement:
    """Hold the losses of a plan against what the environment's file names.

    Args:
        changes: What the plan does.
        entries: ``allowed_replacements`` of the environment's file.
    """
    losses = [change for change in changes if change.verdict.loses_the_old]
    reasons = {name: entry.reason for entry in entries for name in [entry.resource]}
    stopped, allowed = [], []
    for change in losses:
        reason = next((reasons[name] for name in names(change) if name in reasons), None)
        if reason is not None:
            allowed.append((change, reason))
        elif change.data:
            stopped.append(change)
    known = {name for change in losses for name in names(change)}
    return Judgement(
        stopped=tuple(stopped),
        allowed=tuple(allowed),
        stale=tuple(entry for entry in entries if entry.resource not in known),
    )


def names(change: ResourceChange) -> tuple[str, ...]:
    """What a file may call a resource: as a plan prints it, as the CDK does, or by its logical ID."""
    return change.name, f"{change.name}/Resource", f"{change.stack}/{change.logical_id}"
