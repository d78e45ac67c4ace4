"""The connector's parts, made once in a process from its settings."""

import asyncio

from flyteidl.core import literals_pb2
from flytekit.models.literals import Literal, LiteralMap
from google.protobuf.message import DecodeError

from flytekit_aws_batch.config import Mapped
from flytekit_aws_batch.core.aws import Aws, CallError
from flytekit_aws_batch.core.call_errors import TooLargeError
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.storage import MOST_BYTES_OF_A_LIST, Storage
from flytekit_aws_batch.errors import ErrorFiles, said
from flytekit_aws_batch.outputs import SHORT_PATIENCE_SECONDS, Outputs

_UNKNOWN = "so that nobody knows how many jobs it is; run it again"


class Service:
    """What asks AWS.

    Args:
        settings: What the connector knows of the account.

    Attributes:
        settings: What the connector knows of the account.
        runner: Runs jobs.
        outputs: Finds what they gave.
    """

    def __init__(self, settings: Settings) -> None:
        aws = Aws(settings)
        self.settings = settings
        self._storage = Storage(aws)
        self._errors = ErrorFiles(self._storage)
        self.outputs = Outputs(aws, self._storage)
        self.runner = BatchRunner(settings, aws=aws, failures=self._errors)

    async def words(self, output_prefix: str) -> str | None:
        """What the code wrote of its own end. None: nothing, or S3 does not answer."""
        try:
            error = await self._errors.read(output_prefix)
        except CallError:
            return None
        return None if error is None else said(error)

    async def unwrapped(self, inputs: LiteralMap | None, mapped: Mapped | None) -> LiteralMap | None:
        """The inputs with the lists that Flyte, as they were large, put into S3.

        Raises:
            RefusedError: One of them is not there, or cannot be read.
            CallError: S3 does not answer now, without which nobody knows how many jobs it is.
        """
        if inputs is None or mapped is None:
            return inputs
        literals = dict(inputs.literals)
        try:
            async with asyncio.timeout(SHORT_PATIENCE_SECONDS):
                for name in mapped.inputs:
                    literal = literals.get(name)
                    if literal is not None and literal.offloaded_metadata is not None:
                        literals[name] = await self._read(name, literal.offloaded_metadata.uri)
        except TimeoutError as error:
            unknown = "the lists that Flyte put into S3, as they were large, were not read in time"
            raise CallError("GetObject", "Timeout", f"{unknown}, {_UNKNOWN}", "ambiguous") from error
        return LiteralMap(literals=literals)

    async def _read(self, name: str, url: str) -> Literal:
        try:
            body = await self._storage.read(
                url, patience_seconds=SHORT_PATIENCE_SECONDS, most_bytes=MOST_BYTES_OF_A_LIST
            )
        except TooLargeError as error:
            raise RefusedError(f"input {name}: {error.message}; give its elements as files") from None
        except CallError as error:
            where = f"input {name}: {url}, where Flyte put it as it was large, cannot be read"
            if not error.passes:
                raise RefusedError(f"{where}: {error}; let the connector's role read it, and run it again") from error
            unknown = f"{where} now, {_UNKNOWN}: {error.message}"
            raise CallError("GetObject", error.code, unknown, error.kind) from error
        if body is None:
            raise RefusedError(f"input {name}: {url} is gone, where Flyte put it as it was large; run it again")
        try:
            return Literal.from_flyte_idl(literals_pb2.Literal.FromString(body))
        except DecodeError:
            raise RefusedError(f"input {name}: {url} is none of Flyte's literals; run what made it again") from None
