"""What to submit next, given how the last submission ended: no call of anything, so that all of it can be tried.

Of a list one wave at a time is under way, so that no more than ``concurrency`` elements run at once. What failed is
run again; the elements whose last try it is go to the last queue, and so do those that lost their spot instances as
often as Batch was to start them anew. That costs them none of their tries; losing even the instance of the last queue
does, so that there is an end.

A wave that is under way runs to its end, whatever has failed in it, so that one sees everything that is wrong with a
list rather than the first of it. When by then too few can still succeed, no further wave is submitted.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from flytekit_aws_batch.core.plan import Plan, Wave
from flytekit_aws_batch.core.ranges import from_ranges, to_ranges
from flytekit_aws_batch.core.spec import ArraySpec

_MOST_REASONS = 5
_MOST_EARLIER = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How a job, or an element of a list, failed.

    Attributes:
        reason: In words for people.
        reclaimed: Whether its spot instance was taken back, so that it is not its fault.
        final: Whether its code says that another try would fail, too.
    """

    reason: str
    reclaimed: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run ended.

    Attributes:
        succeeded: Whether it, or enough of its elements, did.
        final: Of one that did not, whether another try would fail, too.
        size: The elements of the list, or 1.
        done: How many succeeded.
        failed: The elements that failed for good.
        not_tried: How many were not run, as it would have changed nothing.
        needed: How many had to succeed.
        reasons: Why the first failed ones did; of one job by 0.
    """

    succeeded: bool
    final: bool = False
    size: int = 1
    done: int = 0
    failed: tuple[int, ...] = ()
    not_tried: int = 0
    needed: int = 1
    reasons: Mapping[int, str] = field(default_factory=dict)


def first(plan: Plan) -> Wave:
    """The first submission: one job, all of a list, or as much of it as may run at once."""
    if plan.array is None:
        return Wave(number=0)
    return Wave(number=0, indices=tuple(range(min(plan.array.concurrency or plan.array.size, plan.array.size))))


def after(plan: Plan, wave: Wave, faults: Mapping[int, Fault]) -> Wave | Result:
    """What follows when a wave has ended.

    Args:
        plan: What is run.
        wave: The wave, with what was known before it.
        faults: Its elements that failed; of what is no list, 0.
    """
    if plan.array is None:
        return _after_one(wave, faults.get(0))
    return _Ledger(plan.retries, plan.array, wave, faults).next(wave)


def kind(wave: Wave) -> Literal["reclaimed", "failed", "concurrency"]:
    """Why there is a wave after the first, for the figures."""
    if not wave.indices or not from_ranges(wave.reclaimed).isdisjoint(wave.indices):
        return "reclaimed"
    return "failed" if any(index in wave.tries for index in wave.indices) else "concurrency"


def _after_one(wave: Wave, fault: Fault | None) -> Wave | Result:
    if fault is None:
        return Result(succeeded=True, done=1)
    if fault.reclaimed and not wave.last:
        return Wave(number=wave.number + 1, last=True, because=fault.reason, earlier=_earlier(wave))
    return Result(succeeded=False, final=fault.final, failed=(0,), reasons={0: fault.reason})


class _Ledger:
    """What is known of a list's elements after a wave."""

    def __init__(self, retries: int, array: ArraySpec, wave: Wave, faults: Mapping[int, Fault]) -> None:
        self._retries = retries
        self._array = array
        self._done = from_ranges(wave.done)
        self._failed = from_ranges(wave.failed)
        self._reclaimed = from_ranges(wave.reclaimed)
        self._tries = dict(wave.tries)
        self._reasons = dict(wave.reasons)
        for index in wave.indices:
            self._enter(index, faults.get(index), last=wave.last)

    def _enter(self, index: int, fault: Fault | None, *, last: bool) -> None:
        if fault is not None and fault.reclaimed and not last:
            self._reclaimed.add(index)
            return
        self._reclaimed.discard(index)
        tries = self._tries.pop(index, 0) + 1
        if fault is None:
            self._done.add(index)
        elif fault.final or tries > self._retries:
            self._failed.add(index)
            if len(self._reasons) < _MOST_REASONS:
                self._reasons[index] = fault.reason
        else:
            self._tries[index] = tries

    def next(self, wave: Wave) -> Wave | Result:
        # 0.07 * 100 is a little more than 7.
        needed = math.ceil(self._array.size * self._array.min_success_ratio - 1e-9)
        left = [each for each in range(self._array.size) if each not in self._done and each not in self._failed]
        if not left or len(self._failed) > self._array.size - needed:
            return Result(
                succeeded=len(self._done) >= needed,
                final=True,
                size=self._array.size,
                done=len(self._done),
                failed=tuple(sorted(self._failed)),
                not_tried=len(left),
                needed=needed,
                reasons=self._reasons,
            )
        ordinary = [each for each in left if not self._goes_last(each)]
        # Those that have not failed yet first: they show what is wrong with the list as a whole.
        chosen = sorted(ordinary or left, key=lambda each: self._tries.get(each, 0))[: self._array.concurrency]
        return Wave(
            number=wave.number + 1,
            indices=tuple(sorted(chosen)),
            last=not ordinary,
            because=" and ".join(self._because(chosen)),
            tries=self._tries,
            done=to_ranges(self._done),
            failed=to_ranges(self._failed),
            reclaimed=to_ranges(self._reclaimed),
            reasons=self._reasons,
            earlier=_earlier(wave),
        )

    def _goes_last(self, index: int) -> bool:
        return index in self._reclaimed or self._tries.get(index, 0) >= self._retries > 0

    def _because(self, chosen: Sequence[int]) -> Iterator[str]:
        reclaimed = sum(index in self._reclaimed for index in chosen)
        failed = sum(index in self._tries and index not in self._reclaimed for index in chosen)
        if len(chosen) > reclaimed + failed:
            yield f"the next {len(chosen) - reclaimed - failed:,}"
        if failed:
            yield f"{failed:,} that failed, once more"
        if reclaimed:
            yield f"{reclaimed:,} whose spot instances were taken back"


def _earlier(wave: Wave) -> tuple[str, ...]:
    return (*wave.earlier, *([wave.job] if wave.job else []))[-_MOST_EARLIER:]
