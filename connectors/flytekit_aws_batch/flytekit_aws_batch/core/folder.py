"""What the connector keeps in S3 of a run, so that any other process can go on with it."""

import re
from dataclasses import dataclass

from pydantic import TypeAdapter

from flytekit_aws_batch.core.plan import Handle, Plan, Wave, folder_of, wave_name
from flytekit_aws_batch.core.progress import Progress
from flytekit_aws_batch.core.spec import Part
from flytekit_aws_batch.core.storage import Storage, Stored

PLAN_FILE = "plan.json"
_ADOPTED_FILE = "adopted.json"
_RESULT_FILE = "result.json"
_STOPPED = "stopped"
_WAVE = re.compile(r"wave-(\d+)\.json")
_PROGRESS = TypeAdapter(Progress)


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

    All methods raise :class:`~flytekit_aws_batch.core.aws.CallError` when S3 refuses, or does not answer in time.

    Args:
        storage: S3.
        output_prefix: Where the run's outputs go; the folder is in there.
    """

    def __init__(self, storage: Storage, output_prefix: str) -> None:
        self._storage = storage
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

    async def plan(self) -> Plan | None:
        """The plan. None: there is none."""
        body = await self._storage.read(self._of(PLAN_FILE))
        return None if body is None else Plan.model_validate_json(body)

    async def keep_plan(self, plan: Plan) -> Plan:
        """Write the plan, unless there is one: settings that changed meanwhile change nothing that has begun.

        Returns:
            The plan that is there.
        """
        if await self._storage.claim(self._of(PLAN_FILE), _body(plan)) is not None:
            return plan
        return await self.plan() or plan

    async def wave(self, number: int) -> tuple[Wave, Stored] | None:
        """A wave, and its object. None: there is none."""
        stored = await self._storage.state(self._of(wave_name(number)))
        return None if stored is None else (Wave.model_validate_json(stored.body), stored)

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
        return (await self._storage.read(self._of(_STOPPED)) or b"").decode()

    async def adopted(self) -> Handle | None:
        """The earlier attempt's run that this one stands for. None: none."""
        body = await self._storage.read(self._of(_ADOPTED_FILE))
        return None if body is None else Handle.model_validate_json(body)

    async def adopt(self, earlier: Handle) -> None:
        """Let this run stand for an earlier attempt's."""
        await self._storage.write(self._of(_ADOPTED_FILE), earlier.model_dump_json(exclude_defaults=True).encode())

    async def result(self) -> Progress | None:
        """How the run ended. None: that is not written down."""
        body = await self._storage.read(self._of(_RESULT_FILE))
        return None if body is None else _PROGRESS.validate_json(body)

    async def end(self, progress: Progress) -> Progress:
        """Write down how the run ended. Who was first is right, so that every answer is the same.

        Returns:
            What is written down.
        """
        if await self._storage.claim(self._of(_RESULT_FILE), _PROGRESS.dump_json(progress)) is not None:
            return progress
        return await self.result() or progress

    def _of(self, name: str) -> str:
        return f"{self._url}/{name}"


def _body(part: Part) -> bytes:
    return part.model_dump_json(exclude_defaults=True).encode()
