"""What a plan says: for each resource that changes, what happens to it, by which property, and to the old one."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aerodrome.plan.stateful import STATEFUL


class PlanError(Exception):
    """A plan that cannot be made. The message says what is in the way, and how to mend it."""


class Verdict(StrEnum):
    """What a deploy does to a resource, the worst first."""

    DELETED = "deleted"
    """It leaves the stack."""
    REPLACED = "replaced"
    """A new one is made, and the stack lets the old one go."""
    MAY_BE_REPLACED = "may be replaced"
    """CloudFormation, or the service, decides during the deploy."""
    WITH_INTERRUPTION = "with interruption"
    """It stays, and what runs on it stops for a while."""
    IN_PLACE = "in place"
    """It stays, and goes on working."""
    ADDED = "added"
    """It is new."""

    @property
    def loses_the_old(self) -> bool:
        """Whether the resource that is there now is gone afterwards, or may be."""
        return self in {Verdict.DELETED, Verdict.REPLACED, Verdict.MAY_BE_REPLACED}


_SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts, of which there is at least one."""
    return min(verdicts, key=lambda verdict: _SEVERITY[verdict])


class Fate(StrEnum):
    """What becomes of the resource that a stack lets go."""

    DELETED = "deleted"
    KEPT = "kept, no longer managed"
    SNAPSHOT = "deleted after a snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyChange:
    """A property that changes.

    Attributes:
        path: The property, such as ``KubernetesNetworkConfig.IpFamily`` or ``Tags[0].Value``. A resource attribute has
            its kind in brackets: ``DeletionPolicy (attribute)``.
        verdict: What this change alone does to the resource.
        before: Its value before, as far as the template says. None: it was not there.
        after: Its value afterwards. None: it is gone.
        follows: The logical ID of the resource whose change gives this property another value, with the value itself
            written as before; the name of a resource of another stack. Empty: the value was edited.
        why: Why the change interrupts or replaces, where the schema alone does not say so.
        refused: Whether AWS refuses it. `why` says the reason.
    """

    path: str
    verdict: Verdict
    before: Any = None
    after: Any = None
    follows: str = ""
    why: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """A resource that changes.

    Attributes:
        stack: The stack's construct path, such as ``Database``.
        stack_name: The stack's name in CloudFormation.
        logical_id: The resource's logical ID.
        name: What a reader calls it: its construct path such as ``Database/Instance``, or else stack and logical ID.
        type: The CloudFormation type.
        verdict: What happens to it.
        properties: The properties that change, the worst first. Empty where the whole resource comes or goes.
        fate: What becomes of the old one. None where it stays.
        notes: Why CloudFormation refuses the change, a sentence each.
    """

    stack: str
    stack_name: str
    logical_id: str
    name: str
    type: str
    verdict: Verdict
    properties: tuple[PropertyChange, ...] = ()
    fate: Fate | None = None
    notes: tuple[str, ...] = ()

    @property
    def data(self) -> str:
        """What the resource holds that no deploy brings back. Empty: nothing."""
        return STATEFUL.get(self.type, "")

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why AWS refuses the change, a sentence or a few words each. Empty: it does not."""
        return (*self.notes, *(f"{one.path}: {one.why}" for one in self.properties if one.refused))


def by_severity(change: ResourceChange) -> tuple[int, bool, bool, str, str]:
    """Sorts the worst first: by verdict, then what holds data, then causes before what follows them, then by name."""
    edited = any(one.verdict is change.verdict and not one.follows for one in change.properties)
    follows = bool(change.properties) and not edited
    return _SEVERITY[change.verdict], not change.data, follows, change.name, change.logical_id


def property_order(change: PropertyChange) -> tuple[int, str]:
    """Sorts the worst property first, then by path."""
    return _SEVERITY[change.verdict], change.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a plan compares this work tree with: a commit, or what is deployed.

    Attributes:
        ref: The commit as it was asked for. Empty: what is deployed.
        commit: Its hash.
    """

    ref: str = ""
    commit: str = ""

    def __str__(self) -> str:
        """As a reader calls it: ``HEAD (1a2b3c4)``."""
        return f"{self.ref} ({self.commit[:7]})" if self.ref else "what is deployed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a deploy of one environment would do.

    Attributes:
        base: What the work tree is compared with.
        changes: Every resource that changes, the worst first.
        warnings: What a reader has to know before deploying, a sentence each.
        refused_exports: The changes of exports that CloudFormation refuses, a sentence each.
    """

    base: Base
    changes: tuple[ResourceChange, ...]
    warnings: tuple[str, ...] = ()
    refused_exports: tuple[str, ...] = ()

    @property
    def refused(self) -> tuple[str, ...]:
        """All that AWS certainly refuses, so that the deploy would fail: a sentence each."""
        resources = (f"{one.name} ({one.type}): {reason}" for one in self.changes for reason in one.refusals)
        return (*self.refused_exports, *resources)
