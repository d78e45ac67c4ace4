"""The error that Flyte 2's entrypoint leaves beside the outputs.

``a0`` ends with exit code 0 when the function raised: "the backend reads error.pb" (``extract_download_run_upload`` in
``flyte/_internal/runtime/taskrunner.py``). It does so for pods; for connectors it reads ``outputs.pb`` alone
(``flyteplugins/go/tasks/plugins/webapi/connector/plugin.go``, ``writeOutput``). So the connector has to look.
"""

from collections.abc import Sequence

from flyteidl2.core.execution_pb2 import ContainerError, ErrorDocument

from flytekit_aws_batch.core.storage import Storage


class ErrorFiles:
    """``error.pb`` of attempts.

    Args:
        storage: Where they are.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def read(self, output_prefix: str) -> ContainerError | None:
        """What an attempt ended with. None: it left no error."""
        content = await self._storage.read(f"{output_prefix}/error.pb")
        return None if content is None else ErrorDocument.FromString(content).error

    async def final(self, output_prefix: str, _indices: Sequence[int] | None) -> dict[int, str]:
        """The core's question about a job that failed: whether the code itself said that trying again is no use."""
        error = await self.read(output_prefix)
        if error is None or error.kind == ContainerError.RECOVERABLE:
            return {}
        return {0: described(error)}


def described(error: ContainerError) -> str:
    """The error for a person: its class and its text."""
    return f"{error.code}: {error.message}"
