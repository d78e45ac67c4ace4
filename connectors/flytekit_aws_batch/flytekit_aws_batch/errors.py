"""What the code in a container wrote of its own end: Flyte's ``error.pb``."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence

from flyteidl.core.errors_pb2 import ContainerError, ErrorDocument
from google.protobuf.message import DecodeError

from flytekit_aws_batch.config import ERROR_FILE, node_prefix
from flytekit_aws_batch.core.call_errors import TooLargeError
from flytekit_aws_batch.core.storage import Storage

_AT_ONCE = 16
_LONGEST_TEXT = 8_000
# flytekit.bin.entrypoint.get_traceback_str: the trace, and after this the exception alone.
_MESSAGE = "\nMessage:\n"
_FRAME = re.compile(r'^\s*File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)$', re.MULTILINE)
# Where libraries are: the line of the author's own code that called one says more.
_PACKAGES = ("site-packages/", "dist-packages/", "/lib/python3")
_LONGEST_PLACE = 300


class ErrorFiles:
    """Tells failures of the code from those of its host.

    Args:
        storage: Where the files are.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def final(self, output_prefix: str, indices: Sequence[int] | None) -> dict[int, str]:
        """What is not worth another try, with the reason: any exception but ``FlyteRecoverableException``.

        Args:
            output_prefix: Where the outputs would be.
            indices: The elements of a list that failed. None: it is one job, whose key is 0.
        """
        if indices is None:
            error = await self.read(output_prefix)
            return {0: said(error)} if error is not None and error.kind == ContainerError.NON_RECOVERABLE else {}
        room = asyncio.Semaphore(_AT_ONCE)

        async def of(index: int) -> tuple[int, ContainerError | None]:
            async with room:
                return index, await self._document(f"{output_prefix}/{index}/{ERROR_FILE}")

        documents = await asyncio.gather(*(of(index) for index in indices))
        return {
            index: said(error, with_trace=False)
            for index, error in documents
            if error is not None and error.kind == ContainerError.NON_RECOVERABLE
        }

    async def read(self, output_prefix: str) -> ContainerError | None:
        """What the job said; of a multi-node job the main node, or else the first of the others that said anything."""
        error = await self._document(f"{output_prefix}/{ERROR_FILE}")
        if error is not None:
            return error
        async for url in self._of_nodes(output_prefix):
            return await self._document(url)
        return None

    async def _of_nodes(self, output_prefix: str) -> AsyncIterator[str]:
        async for url in self._storage.list(f"{node_prefix(output_prefix, '')}"):
            if url.endswith(f"/{ERROR_FILE}"):
                yield url

    async def _document(self, url: str) -> ContainerError | None:
        try:
            body = await self._storage.read(url)
        except TooLargeError as error:
            # What else it says nobody knows, nor whether another try would end so.
            return ContainerError(kind=ContainerError.RECOVERABLE, message=f"{error.message}; end with a shorter one")
        if body is None:
            return None
        try:
            return ErrorDocument.FromString(body).error
        except DecodeError:
            return None


def said(error: ContainerError, *, with_trace: bool = True) -> str:
    """An error for people: the exception first, then its trace, or the line of it that says where it happened."""
    trace, _, message = str(error.message).rpartition(_MESSAGE)
    text = " ".join((message or str(error.message)).split())
    if with_trace and trace:
        text = f"{text}\n{trace.strip()}"
    place = "" if with_trace else _place(trace)
    longest = _LONGEST_TEXT - len(place)
    return f"{text if len(text) <= longest else f'{text[:longest]}…'}{place}"


def _place(trace: str) -> str:
    """Such as ``at /app/churn.py, line 12, in train``, on a line of its own. Empty: the trace does not say."""
    frames = list(_FRAME.finditer(trace))
    own = [frame for frame in frames if not any(each in frame["file"] for each in _PACKAGES)]
    if not frames:
        return ""
    file, line, function = (own or frames)[-1].group("file", "line", "function")
    return f"\nat {file}, line {line}, in {function}"[:_LONGEST_PLACE]
