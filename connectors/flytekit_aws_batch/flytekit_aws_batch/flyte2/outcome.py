"""What Flyte 2's entrypoint left of a job that has ended: outputs, or an error."""

from collections.abc import Sequence

from flyteidl2.core.execution_pb2 import ContainerError, ErrorDocument
from google.protobuf.message import DecodeError

from flytekit_aws_batch.common import no_outputs, not_delivered
from flytekit_aws_batch.core.call_errors import CallError, TooLargeError
from flytekit_aws_batch.core.plan import Handle
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.storage import Storage

# flyte/_internal/runtime/io.py.
_ERROR, _OUTPUTS, _REPORT = "error.pb", "outputs.pb", "report.html"


class Outcomes:
    """Reads what the entrypoint wrote.

    Args:
        storage: Where it wrote.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def delivered(self, handle: Handle, progress: Progress) -> tuple[Phase, str]:
        """What a run that succeeded for AWS Batch is for Flyte, with the outputs where Flyte looks for them.

        Never raises for anything that AWS does: what passes is told as what the run waits for.
        """
        source = progress.output_prefix or handle.output_prefix
        target = handle.deliver_to or handle.output_prefix
        try:
            if not await self._storage.exists(f"{source}/{_OUTPUTS}"):
                return Phase.FAILED, no_outputs(f"{source}/{_OUTPUTS}")
            if source != target:
                await self._deliver(source, target)
        except CallError as problem:
            return Phase.RUNNING if problem.passes else Phase.FAILED, not_delivered(problem, target)
        return Phase.SUCCEEDED, progress.message

    async def explained(self, handle: Handle, progress: Progress) -> str:
        """Why a run failed, with what the code itself said first."""
        try:
            error = await self._error(progress.output_prefix or handle.output_prefix)
        except CallError:
            return progress.message
        return progress.message if error is None else f"{_said(error)}\n{progress.message}"

    async def final(self, output_prefix: str, _indices: Sequence[int] | None) -> dict[int, str]:
        """The core's question about a job that failed: whether the code itself said that another try is no use."""
        error = await self._error(output_prefix)
        return {} if error is None or error.kind == ContainerError.RECOVERABLE else {0: _said(error)}

    async def _error(self, prefix: str) -> ContainerError | None:
        """What the entrypoint said. None: nothing, or what is there is none of its words."""
        try:
            content = await self._storage.read(f"{prefix}/{_ERROR}")
        except TooLargeError as error:
            # What else it says nobody knows, nor whether another try would end so.
            message = f"{error.message}; end with a shorter one"
            return ContainerError(code=error.code, kind=ContainerError.RECOVERABLE, message=message)
        try:
            return None if content is None else ErrorDocument.FromString(content).error
        except DecodeError:
            return None

    async def _deliver(self, source: str, target: str) -> None:
        # The outputs last: that they are there says that all is.
        for name in (_REPORT, _OUTPUTS):
            if await self._storage.exists(f"{source}/{name}"):
                await self._storage.copy(f"{source}/{name}", f"{target}/{name}")


def _said(error: ContainerError) -> str:
    return f"{error.code}: {error.message}"
