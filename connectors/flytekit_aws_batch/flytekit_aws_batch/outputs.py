"""What a run has given: found, gathered and put where Flyte looks for it."""

import asyncio
import base64
from dataclasses import dataclass
from typing import TypeVar

from flyteidl.core import literals_pb2 as literals
from flyteidl.core.interface_pb2 import VariableMap
from flyteidl.core.types_pb2 import BlobType, LiteralType
from flytekit.models.literals import LiteralMap
from flytekit.models.task import TaskTemplate
from flytekit.utils.pbhash import compute_hash_string
from google.protobuf.message import DecodeError, Message

from flytekit_aws_batch.common import no_outputs, not_delivered
from flytekit_aws_batch.config import LARGE_MIB, OUTPUTS_VARIABLE, Expected, Kind
from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.background import Kept, Work
from flytekit_aws_batch.core.call_errors import TooLargeError
from flytekit_aws_batch.core.folder import PLAN_FILE, Folder, UnreadableError
from flytekit_aws_batch.core.plan import Handle, Plan, folder_of
from flytekit_aws_batch.core.progress import Progress
from flytekit_aws_batch.core.quantities import MIB
from flytekit_aws_batch.core.storage import MOST_BYTES_OF_A_LIST, Storage, split
from flytekit_aws_batch.literals import blob, optional, primitive
from flytekit_aws_batch.request import misplaced

OUTPUTS_FILE = "outputs.pb"
DECK_FILE = "deck.html"
SHORT_PATIENCE_SECONDS = 5.0
"""Of what a create reads, and of what it writes, before its job is submitted: the rest of its time is for that."""

_INTERFACE_FILE = "interface.pb"

# propeller keeps the answer to a create in the workflow's record: larger types are put into S3.
_MOST_BYTES_OF_TYPES = 256
_MOST_BYTES_OF_TEXT = 64 * 1024
_AT_ONCE = 24

_REMEDY = "give what is large as a file"

_Message = TypeVar("_Message", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of the outputs.

    Attributes:
        outputs: They themselves, where they are not in S3.
        waits: What is still to be done. None: nothing.
        problem: Why there are none, and will be none.
    """

    outputs: LiteralMap | None = None
    waits: str | None = None
    problem: str | None = None


class OutputError(Exception):
    """A run left no outputs, or other ones than its task promises."""


class Outputs:
    """Finds what runs have given.

    Args:
        aws: The way to AWS.
        storage: The same for S3.
        patience_seconds: How long a question waits for a list to be gathered: a short one is, within the question that
            finds it done.
    """

    def __init__(self, aws: Aws, storage: Storage, patience_seconds: float = 2.0) -> None:
        self._aws = aws
        self._storage = storage
        self._patience = patience_seconds
        self._gatherings: Kept[Work] = Kept()

    async def expect(
        self, template: TaskTemplate, kind: Kind, output_prefix: str, size: int | None, below: str = ""
    ) -> Expected:
        """What a run will give, put where a later question finds it.

        Args:
            template: The task.
            kind: What it is.
            output_prefix: Where its outputs go.
            size: The length of the list that it runs over. None: it runs once.
            below: What the outputs of a container have to lie below.
        """
        variables = template.interface.to_flyte_idl().outputs if template.interface else VariableMap()
        body = variables.SerializeToString()
        # An empty list is done at the next question, which reads nothing.
        if len(body) > _MOST_BYTES_OF_TYPES and size != 0:
            try:
                async with asyncio.timeout(SHORT_PATIENCE_SECONDS):
                    await self._storage.write(
                        _interface_url(output_prefix), body, patience_seconds=SHORT_PATIENCE_SECONDS
                    )
            except (CallError, TimeoutError):
                # It is larger than it should be, but it is there.
                pass
            else:
                return Expected(kind=kind, types=None, size=size, below=below)
        return Expected(kind=kind, types=base64.b64encode(body).decode(), size=size, below=below)

    def of_nothing(self, expected: Expected) -> LiteralMap:
        """The outputs of a run over an empty list."""
        variables = VariableMap.FromString(base64.b64decode(expected.types or ""))
        empty = literals.Literal(collection=literals.LiteralCollection())
        return LiteralMap.from_flyte_idl(literals.LiteralMap(literals=dict.fromkeys(variables.variables, empty)))

    async def deliver(self, expected: Expected, handle: Handle, progress: Progress) -> Delivery:
        """The outputs of a run that has succeeded. What passes is told as what it waits for."""
        target = handle.deliver_to or handle.output_prefix
        try:
            return await self._delivery(expected, handle, progress, target)
        except TooLargeError as error:
            return Delivery(problem=f"its outputs are too large: {error.message}; {_REMEDY}")
        except CallError as error:
            why = not_delivered(error, target)
            return Delivery(waits=why) if error.passes else Delivery(problem=why)
        except OutputError as error:
            return Delivery(problem=str(error))

    async def _delivery(self, expected: Expected, handle: Handle, progress: Progress, target: str) -> Delivery:
        source = progress.output_prefix or handle.output_prefix
        variables = await self._variables(expected, handle)
        if not variables.variables:
            return Delivery()
        if expected.kind == "container":
            return Delivery(outputs=await self._of_container(variables, handle, source, expected.below))
        if await self._storage.exists(f"{target}/{OUTPUTS_FILE}"):
            return Delivery()
        if expected.kind == "list":
            return await self._of_list(variables, handle, progress, source, target)
        await self._of_function(source, target)
        return Delivery()

    async def _variables(self, expected: Expected, handle: Handle) -> VariableMap:
        if expected.types is not None:
            return VariableMap.FromString(base64.b64decode(expected.types))
        place = handle.deliver_to or handle.output_prefix
        body = await self._storage.read(_interface_url(place))
        if body is None:
            raise OutputError(f"{_interface_url(place)} is gone, which said what its outputs are")
        return _parsed(VariableMap, body, _interface_url(place))

    async def _of_function(self, source: str, target: str) -> None:
        if source == target or not await self._storage.exists(f"{source}/{OUTPUTS_FILE}"):
            raise OutputError(no_outputs(f"{source}/{OUTPUTS_FILE}"))
        if await self._storage.exists(f"{source}/{DECK_FILE}"):
            await self._storage.copy(f"{source}/{DECK_FILE}", f"{target}/{DECK_FILE}")
        await self._storage.copy(f"{source}/{OUTPUTS_FILE}", f"{target}/{OUTPUTS_FILE}")

    async def _of_list(
        self, variables: VariableMap, handle: Handle, progress: Progress, source: str, target: str
    ) -> Delivery:
        gathering = self._gatherings.get(target)
        if gathering is None:
            array = (await self._plan(handle, source)).array
            if array is None:
                raise OutputError(f"{_plan_url(source)} is that of no list")
            made = Work(array.size)
            gathering = self._gatherings.of(target, lambda: made)
            if gathering is made:
                failed = frozenset(progress.failed_indices)
                made.begin(lambda: self._gather(made, failed, variables, source, target))
        if not await gathering.wait(self._patience):
            return Delivery(waits=f"gathering outputs {gathering.done:,} of {gathering.size:,}")
        self._gatherings.drop(target)
        if gathering.error is not None:
            raise gathering.error
        return Delivery()

    async def _gather(
        self, gathering: Work, failed: frozenset[int], variables: VariableMap, source: str, target: str
    ) -> None:
        room = asyncio.Semaphore(_AT_ONCE)
        # A list has one output at most.
        name, variable = next(iter(variables.variables.items()))
        kind = variable.type.collection_type
        taken = 0

        async def element(index: int) -> literals.Literal:
            nonlocal taken
            async with room:
                literal = None
                if index not in failed:
                    url = f"{source}/{index}/{OUTPUTS_FILE}"
                    body = await self._storage.read(url)
                    if body is None:
                        raise OutputError(f"element {index} ended well and wrote no {url}")
                    taken += len(body)
                    if taken > MOST_BYTES_OF_A_LIST:
                        raise OutputError(
                            f"its elements give more than the {MOST_BYTES_OF_A_LIST:,} bytes that a list has at most; "
                            f"{_REMEDY}"
                        )
                    literal = _parsed(literals.LiteralMap, body, url).literals[name]
                gathering.done += 1
                return optional(literal, kind) if kind.WhichOneof("type") == "union_type" else literal

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(element(index)) for index in range(gathering.size)]
        collection = literals.LiteralCollection(literals=[task.result() for task in tasks])
        whole = await self._small(literals.Literal(collection=collection), variable.type, f"{target}/{name}")
        gathered = literals.LiteralMap(literals={name: whole})
        await self._storage.write(f"{target}/{OUTPUTS_FILE}", gathered.SerializeToString())

    async def _small(self, literal: literals.Literal, kind: LiteralType, place: str) -> literals.Literal:
        """The same, or what names it where it is large, as flytekit.bin.entrypoint does with what pods give."""
        size = literal.ByteSize()
        if size < LARGE_MIB * MIB:
            return literal
        url = f"{place}_offloaded_metadata.pb"
        await self._storage.write(url, literal.SerializeToString())
        named = literals.LiteralOffloadedMetadata(uri=url, size_bytes=size, inferred_type=kind)
        # By the hash a cache knows it again, wherever it is.
        return literals.Literal(offloaded_metadata=named, hash=compute_hash_string(literal))

    async def _of_container(self, variables: VariableMap, handle: Handle, source: str, below: str) -> LiteralMap:
        plan = await self._plan(handle, source)
        folder = plan.environment.get(OUTPUTS_VARIABLE, "").rstrip("/")
        if not folder.startswith("s3://"):
            raise OutputError(
                f"its outputs are to be in S3, and Flyte's raw output data prefix is {folder or 'not set'}"
            )
        if problem := misplaced(folder, below):
            raise OutputError(problem)
        found = {
            name: await self._output(variable.type, f"{folder}/{name}")
            for name, variable in variables.variables.items()
        }
        return LiteralMap.from_flyte_idl(literals.LiteralMap(literals=found))

    async def _output(self, kind: LiteralType, url: str) -> literals.Literal:
        name = url.rpartition("/")[2]
        if kind.WhichOneof("type") == "blob":
            if not await self._is_there(kind.blob, url):
                raise OutputError(f"output {name}: the container wrote nothing to {url}")
            return blob(url, kind.blob)
        bucket, key = split(url)
        try:
            size = (await self._aws.call("s3", "head_object", Bucket=bucket, Key=key))["ContentLength"]
        except CallError as error:
            if error.kind != "not_found":
                raise
            raise OutputError(f"output {name}: the container wrote no {url}") from None
        if size > _MOST_BYTES_OF_TEXT:
            raise OutputError(
                f"output {name}: {url} has {size:,} bytes, and a value has {_MOST_BYTES_OF_TEXT:,} at most; declare a"
                " file"
            )
        try:
            return primitive((await self._storage.read(url) or b"").decode(), kind.simple)
        except ValueError as error:
            raise OutputError(f"output {name}: {url}: {error}") from None

    async def _is_there(self, kind: BlobType, url: str) -> bool:
        if kind.dimensionality != BlobType.MULTIPART:
            return await self._storage.exists(url)
        async for _ in self._storage.list(f"{url}/"):
            return True
        return False

    async def _plan(self, handle: Handle, source: str) -> Plan:
        own = source == handle.output_prefix
        if own and handle.plan is not None:
            return handle.plan
        try:
            plan = await Folder(self._storage, source).plan(handle.digest if own else "")
        except UnreadableError as error:
            raise OutputError(str(error)) from None
        if plan is None:
            raise OutputError(f"{_plan_url(source)} is gone, or another one, which said what was run")
        return plan


def _parsed(kind: type[_Message], body: bytes, url: str) -> _Message:
    try:
        message: _Message = kind.FromString(body)
    except DecodeError:
        raise OutputError(
            f"{url} is none of Flyte's: it cannot be read as a {kind.DESCRIPTOR.name}; see that nothing "
            "else writes there"
        ) from None
    return message


def _interface_url(output_prefix: str) -> str:
    return f"{folder_of(output_prefix)}/{_INTERFACE_FILE}"


def _plan_url(output_prefix: str) -> str:
    return f"{folder_of(output_prefix)}/{PLAN_FILE}"
