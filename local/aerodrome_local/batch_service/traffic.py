"""The calls that reach the Batch API: how many there were, and which of them are made to fail.

Both by account, so that tests side by side, each in an account of its own, do not see each other's. Calls that the
embedded AWS makes of itself, for a rule or for Step Functions, are neither counted nor made to fail.
"""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from aerodrome_local.batch_service.model import Json
from aerodrome_local.batch_service.shapes import service_model

_SHARES = ("throttle", "fail", "losing")
_NUMBERS = ("seed", "calls", "unseen")
_MEMBERS = frozenset({*_SHARES, *_NUMBERS, "account", "operations", "reset"})


class Fate(Enum):
    """What becomes of a call, as the views name it."""

    SERVED = "served"
    THROTTLED = "throttled"
    FAILED = "failed"
    LOST = "lost"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Which of an account's calls fail, and how.

    Attributes:
        throttle: The share of calls, from 0 to 1, that are refused with ``TooManyRequestsException``.
        fail: The share that is refused with ``ServerException``.
        losing: The share that is carried out and then answered as one that failed: its answer is lost, so a client that
            merely repeats the call does it twice.
        operations: The operations that this holds for. All when empty.
        seed: What the choice is drawn from: with the same one, the same calls of an operation fail.
        calls: How many calls this holds for, served ones included; afterwards there are no faults. None for no end.
        unseen: How many submissions do not see a job definition that is registered from now on, as
            RegisterJobDefinition is eventually consistent: of each definition, named with its revision.
    """

    throttle: float = 0.0
    fail: float = 0.0
    losing: float = 0.0
    operations: frozenset[str] = frozenset()
    seed: int = 0
    calls: int | None = None
    unseen: int = 0

    def to_json(self) -> Json:
        """The faults as a view shows them."""
        shares = {name: getattr(self, name) for name in _SHARES}
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        return {**shares, "operations": sorted(self.operations), **numbers}


@dataclass(slots=True)
class _Account:
    """One account's counters and faults."""

    fates: defaultdict[str, Counter[Fate]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    described: Counter[int] = field(default_factory=Counter)
    faults: Faults = field(default_factory=Faults)
    draws: dict[str, random.Random] = field(default_factory=dict)
    left: int | None = None
    unseen: dict[str, int] = field(default_factory=dict)

    def sees(self, definition: str) -> bool:
        """Whether a submission sees a job definition by now."""
        left = self.unseen.get(_revision(definition), 0)
        if left:
            self.unseen[_revision(definition)] = left - 1
        return not left

    def draw(self, operation: str) -> Fate:
        faults = self.faults
        if (faults.operations and operation not in faults.operations) or self.left == 0:
            return Fate.SERVED
        if self.left is not None:
            self.left -= 1
        # A source for each operation: how its calls mix with others' does not change which of them fail.
        if operation not in self.draws:
            self.draws[operation] = random.Random(f"{faults.seed}:{operation}")  # noqa: S311 - no secret is made of it
        drawn = self.draws[operation].random()
        for share, fate in ((faults.throttle, Fate.THROTTLED), (faults.fail, Fate.FAILED), (faults.losing, Fate.LOST)):
            if drawn < share:
                return fate
            drawn -= share
        return Fate.SERVED

    def to_json(self) -> Json:
        operations = {
            name: {
                "calls": fates.total(),
                **{str(fate.value): fates[fate] for fate in Fate},
                "bySecond": {str(second): count for second, count in sorted(self.seconds[name].items())},
                "mostInASecond": max(self.seconds[name].values()),
            }
            for name, fates in sorted(self.fates.items())
        }
        described = {str(jobs): calls for jobs, calls in sorted(self.described.items())}
        return {"operations": operations, "jobsPerDescribe": described, "faults": self.faults.to_json()}


class Traffic:
    """Counters and faults of all accounts. For any thread.

    Args:
        clock: Seconds since 1970, by which calls are counted.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: defaultdict[str, _Account] = defaultdict(_Account)

    def call(self, account: str, operation: str, request: Mapping[str, Any]) -> Fate:
        """Count a call, and say what is to become of it."""
        with self._lock:
            of_account = self._accounts[account]
            fate = of_account.draw(operation)
            definition = str(request.get("jobDefinition", "")) if operation == "SubmitJob" else ""
            if fate is Fate.SERVED and not of_account.sees(definition):
                fate = Fate.UNSEEN
            of_account.fates[operation][fate] += 1
            of_account.seconds[operation][int(self._clock())] += 1
            jobs = request.get("jobs")
            if operation == "DescribeJobs" and isinstance(jobs, list):
                of_account.described[len(jobs)] += 1
            return fate

    def registered(self, account: str, arn: str) -> None:
        """Take note of a job definition, which submissions may not see yet."""
        with self._lock:
            of_account = self._accounts[account]
            if of_account.faults.unseen:
                of_account.unseen[_revision(arn)] = of_account.faults.unseen

    def view(self) -> Json:
        """Every account's counters and faults.

        By account: ``operations`` has for each operation its ``calls``, what became of them (``served``, ``throttled``,
        ``failed``, ``lost``, ``unseen``), the calls ``bySecond`` since 1970, and ``mostInASecond``.
        ``jobsPerDescribe`` says how many DescribeJobs calls asked for how many jobs.
        """
        with self._lock:
            return {account: of_account.to_json() for account, of_account in sorted(self._accounts.items())}

    def control(self, request: Json) -> Json:
        """Set an account's faults, or with ``reset`` forget its counters and faults.

        Args:
            request: ``account``, and ``reset`` or the members of :class:`Faults`. Those that are left out have their
                defaults, so that ``throttle=0`` alone ends every fault.

        Returns:
            The account's counters and faults.

        Raises:
            ValueError: The request is something else.
        """
        account = request.get("account")
        if not isinstance(account, str) or not account:
            raise ValueError(f"account={account!r}: the account whose calls are meant is needed, as text of 12 digits")
        unknown = sorted(request.keys() - _MEMBERS)
        if unknown or len(request) == 1:
            raise ValueError(f"give {', '.join(sorted(_MEMBERS - {'account'}))}, not {', '.join(unknown) or 'nothing'}")
        faults = _faults(request)
        with self._lock:
            if request.get("reset"):
                self._accounts[account] = _Account()
            of_account = self._accounts[account]
            of_account.faults, of_account.left, of_account.draws = faults, faults.calls, {}
            of_account.unseen = {}
            return of_account.to_json()


def _faults(request: Json) -> Faults:
    shares = {name: request.get(name, 0) for name in _SHARES}
    for name, share in shares.items():
        if not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 <= share <= 1:
            raise ValueError(f"{name}={share!r}: a share of the calls is needed, from 0 to 1")
    if sum(shares.values()) > 1 + 1e-9:
        raise ValueError(f"{', '.join(_SHARES)} are {sum(shares.values()):g} of the calls together; at most 1")
    operations = request.get("operations", [])
    if not isinstance(operations, list) or not all(isinstance(name, str) for name in operations):
        raise ValueError(f"operations={operations!r}: a list of operations is needed, such as ['SubmitJob']")
    unknown = sorted(set(operations) - set(service_model().operation_names))
    if unknown:
        raise ValueError(f"operations={unknown}: AWS Batch has none of that name; one is SubmitJob, for example")
    numbers = {name: request.get(name) for name in _NUMBERS}
    for name, number in numbers.items():
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 0):
            raise ValueError(f"{name}={number!r}: a whole number is needed, 0 or more")
    return Faults(
        **{name: float(share) for name, share in shares.items()},
        operations=frozenset(operations),
        seed=numbers["seed"] or 0,
        calls=numbers["calls"],
        unseen=numbers["unseen"] or 0,
    )


def _revision(definition: str) -> str:
    """``name:revision`` of a definition, which a submission may name by its ARN."""
    return definition.rpartition("/")[2]
