"""Lists so large that Flyte put them into S3, which a create reads: nobody knows otherwise how many jobs it is."""

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from flyteidl.core import literals_pb2
from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.models.literals import Literal, LiteralMap
from flytekit.tools.translator import get_serializable

from flytekit_aws_batch.connector import AWSBatchConnector
from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.core.call_errors import TooLargeError
from flytekit_aws_batch.core.settings import Settings
from tests.connectors.flytekit import batch_tasks

if TYPE_CHECKING:
    from flytekit.models.task import TaskTemplate

    from flytekit_aws_batch.core.storage import Storage

URL = "s3://bucket/raw/large"
PREFIX = "s3://bucket/run/data/0"


class Large:
    """S3 with one object, or an error in its place."""

    def __init__(self, found: bytes | CallError | None) -> None:
        self.found = found
        self.patience: float | None = None

    async def read(self, url: str, *, patience_seconds: float | None = None, most_bytes: int = 0) -> bytes | None:
        assert (url, most_bytes) == (URL, 100 * 1024**2)
        self.patience = patience_seconds
        if isinstance(self.found, CallError):
            raise self.found
        return self.found


def refusal(storage: Large) -> str | None:
    connector = AWSBatchConnector(Settings(region="eu-west-1"))
    connector._service._storage = cast("Storage", storage)  # noqa: SLF001 - nothing else of it is asked
    task = get_serializable({}, SerializationSettings(ImageConfig()), batch_tasks.squares)  # type: ignore[arg-type]  # any mapping will do
    template = cast("TaskTemplate", task.template)
    put_away = literals_pb2.Literal(offloaded_metadata=literals_pb2.LiteralOffloadedMetadata(uri=URL, size_bytes=9))
    assert template.interface is not None
    inputs = LiteralMap(dict.fromkeys(template.interface.inputs, Literal.from_flyte_idl(put_away)))
    return asyncio.run(connector.create(template, PREFIX, inputs)).handle.refused


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "is gone, where Flyte put it as it was large; run it again"),
        (b"<html>", "is none of Flyte's literals; run what made it again"),
        (
            CallError("GetObject", "AccessDenied", "no", "forbidden"),
            "cannot be read: GetObject: AccessDenied: no; let the connector's role read it, and run it again",
        ),
        (
            TooLargeError("GetObject", URL, 104_857_601, 104_857_600),
            "has 104,857,601 bytes, and 104,857,600 are read at most; give its elements as files",
        ),
    ],
)
def test_what_will_never_be_read_is_refused(found: bytes | CallError | None, told: str) -> None:
    refused = refusal(Large(found))
    assert refused is not None
    assert f": {URL}" in refused
    assert refused.endswith(told)


def test_what_passes_is_an_error_that_says_why_it_is_one_and_comes_soon() -> None:
    storage = Large(CallError("GetObject", "SlowDown", "slower", "throttled"))
    with pytest.raises(CallError, match="so that nobody knows how many jobs it is; run it again: slower") as raised:
        refusal(storage)
    assert raised.value.passes
    assert storage.patience == 5
