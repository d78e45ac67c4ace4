"""What the connector keeps in S3 of a run, so that any other process can go on with it."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from flytekit_aws_batch.core.call_errors import TooLargeError
from flytekit_aws_batch.core.plan import Handle, Plan, Wave, folder_of, wave_name
from flytekit_aws_batch.core.progress import Progress
from flytekit_aws_batch.core.spec import Part
from flytekit_aws_batch.core.storage import Storage, Stored

PLAN_FILE = "plan.json"
_ADOPTED_FILE = "adopted.json"
_RESULT_FILE = "result.json"
_STOPPED = "stopped"
# Of a digest: the orchestrator keeps it with each task.
_DIGITS = 32
_WAVE = re.compile(r"wave-(\d+)\.json")
_PROGRESS = TypeAdapter(Progress)
_Kept = TypeVar("_Kept")


class UnreadableError(Exception):
    """An object is not what the connector would have written.

    Args:
        url: Which one.
    """

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} is none of this connector's; see that nothing else writes there")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Which objects a run has.

    Attributes:
        planned: Whether its plan is there.
        waves: The number of the last wave, -1 if there is none.
        stopped: Whether it was stopped.
        ended: Whether its end is written down.
        adopts: Whether it stands for an earlier attempt's.
    """

    planned: bool
    waves: int
    stopped: bool
    ended: bool
    adopts: bool


class Folder:
    """A run's folder in S3.

    All methods raise :class:`~flytekit_aws_batch.core.aws.CallError` when S3 refuses, or does not answer in time, and
    what reads :class:`UnreadableError` when something else has written there.

    Args:
        storage: S3.
        output_prefix: Where the run's outputs go; the folder is in there.
    """

    def __init__(self, storage: Storage, output_prefix: str) -> None:
        self._storage = storage
        self._prefix = output_prefix
        self._url = folder_of(output_prefix)

    async def contents(self) -> Contents:
        """Which objects there are."""
        names = {url.rpartition("/")[2] async for url in self._storage.list(f"{self._url}/")}
        waves = (_WAVE.fullmatch(name) for name in names)
        return Contents(
            planned=PLAN_FILE in names,
            waves=max((int(wave[1]) for wave in waves if wave), default=-1),
            stopped=_STOPPED in names,
            ended=_RESULT_FILE in names,
            adopts=_ADOPTED_FILE in names,
        )

    async def planned(self) -> tuple[Plan, str] | None:
        """The plan that is there, whoever wrote it, and its digest. None: there is none."""
        body = await self._read(PLAN_FILE)
        return None if body is None else (self._parsed(PLAN_FILE, Plan.model_validate_json, body), _digest(body))

    async def plan(self, digest: str = "") -> Plan | None:
        """The plan with a digest, by default with any. None: there is no such plan."""
        there = await self.planned()
        return there[0] if there is not None and digest in ("", there[1]) else None

    async def keep_plan(self, plan: Plan) -> str | None:
        """Write the plan, unless there is one: settings that changed meanwhile change nothing that has begun.

        Returns:
            Its digest. None: there is another one.
        """
        body = _body(plan)
        return None if await self._storage.claim(self._of(PLAN_FILE), body) is None else _digest(body)

    async def wave(self, number: int) -> tuple[Wave, Stored] | None:
        """A wave, and its object. None: there is none."""
        name = wave_name(number)
        try:
            stored = await self._storage.state(self._of(name))
        except TooLargeError:
            raise UnreadableError(self._of(name)) from None
        if stored is None:
            return None
        wave = self._parsed(name, Wave.model_validate_json, stored.body)
        if wave.number != number:
            raise UnreadableError(self._of(name))
        return wave, stored

    async def claim(self, wave: Wave) -> str | None:
        """Create a wave's object, and return its ETag. None: somebody else has created it."""
        return await self._storage.claim(self._of(wave_name(wave.number)), _body(wave))

    async def replace(self, wave: Wave, etag: str) -> str | None:
        """Write a wave's object anew, and return its ETag. None: somebody else has."""
        return await self._storage.replace(self._of(wave_name(wave.number)), _body(wave), etag)

    async def is_stopped(self) -> bool:
        """Whether the run was stopped."""
        return await self._storage.exists(self._of(_STOPPED))

    async def stop(self, reason: str) -> None:
        """Keep anybody from submitting anything more."""
        await self._storage.write(self._of(_STOPPED), reason.encode())

    async def stopped_for(self) -> str:
        """Why the run was stopped."""
        return (await self._read(_STOPPED) or b"").decode(errors="replace")

    async def adopted(self, run: Handle) -> Handle | None:
        """The earlier attempt's run that this one stands for. None: none, or what is there is no earlier attempt.

        Args:
            run: This run. All attempts of a node have the same name, and their folders the same parent.
        """
        body = await self._read(_ADOPTED_FILE)
        if body is None:
            return None
        earlier = self._parsed(_ADOPTED_FILE, Handle.model_validate_json, body)
        parents = {each.output_prefix.rpartition("/")[0] for each in (run, earlier)}
        if len(parents) > 1 or earlier.name != run.name or not earlier.attempt < run.attempt:
            return None
        return Handle(output_prefix=earlier.output_prefix, name=run.name, attempt=earlier.attempt)

    async def adopt(self, earlier: Handle) -> None:
        """Let this run stand for an earlier attempt's."""
        await self._storage.write(
            self._of(_ADOPTED_FILE),
            _body(Handle(output_prefix=earlier.output_prefix, name=earlier.name, attempt=earlier.attempt)),
        )

    async def result(self) -> Progress | None:
        """How the run ended. None: that is not written down."""
        body = await self._read(_RESULT_FILE)
        if body is None:
            return None
        result = self._parsed(_RESULT_FILE, _PROGRESS.validate_json, body)
        if result.output_prefix != self._prefix:
            raise UnreadableError(self._of(_RESULT_FILE))
        return result

    async def end(self, progress: Progress) -> Progress:
        """Write down how the run ended. Who was first is right, so that every answer is the same.

        Returns:
            What is written down.
        """
        if await self._storage.claim(self._of(_RESULT_FILE), _PROGRESS.dump_json(progress)) is not None:
            return progress
        return await self.result() or progress

    async def _read(self, name: str) -> bytes | None:
        try:
            return await self._storage.read(self._of(name))
        except TooLargeError:
            raise UnreadableError(self._of(name)) from None

    def _of(self, name: str) -> str:
        return f"{self._url}/{name}"

    def _parsed(self, name: str, parse: Callable[[bytes], _Kept], body: bytes) -> _Kept:
        try:
            return parse(body)
        except ValidationError:
            raise UnreadableError(self._of(name)) from None


def _body(part: Part) -> bytes:
    return part.model_dump_json(exclude_defaults=True).encode()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:_DIGITS]
