"""What the code in a container wrote of its own end, in the words that people read."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import pytest
from flyteidl.core.errors_pb2 import ContainerError, ErrorDocument
from flytekit.bin import entrypoint
from flytekit.exceptions.user import FlyteUserRuntimeException

from flytekit_aws_batch.config import node_prefix
from flytekit_aws_batch.core.call_errors import TooLargeError
from flytekit_aws_batch.errors import ErrorFiles, said

if TYPE_CHECKING:
    from flytekit_aws_batch.core.storage import Storage

# No part of what flytekit types.
_TOLD = cast("Any", entrypoint).get_traceback_str


def fails(text: str) -> None:
    raise ValueError(text)


def error(text: str) -> ContainerError:
    """As flytekit writes it."""
    try:
        fails(text)
    except ValueError as cause:
        wrapped = FlyteUserRuntimeException(cause)
        wrapped.__cause__ = cause
        return ContainerError(message=_TOLD(wrapped))
    raise AssertionError


def in_files(*files: str) -> ContainerError:
    frames = "".join(f'      File "{file}", line {line}, in f\n        g()\n' for line, file in enumerate(files, 1))
    return ContainerError(message=f"Trace:\n\n    Traceback (most recent call last):\n{frames}\nMessage:\n\n    E: no")


def test_a_single_task_shows_its_trace() -> None:
    first, *trace = said(error("unlucky 13")).splitlines()
    assert first == "ValueError: unlucky 13"
    assert "    Traceback (most recent call last):" in trace


def test_an_element_shows_where_it_happened() -> None:
    first, place = said(error("unlucky 13"), with_trace=False).splitlines()
    line = fails.__code__.co_firstlineno + 1
    assert first == "ValueError: unlucky 13"
    assert place == f"at {__file__}, line {line}, in fails"


@pytest.mark.parametrize(
    ("files", "place"),
    [
        (("/app/churn.py", "/venv/lib/python3.11/site-packages/numpy/linalg.py"), "/app/churn.py, line 1"),
        (("/usr/lib/python3.11/json/decoder.py",), "/usr/lib/python3.11/json/decoder.py, line 1"),
    ],
)
def test_the_place_is_in_the_author_s_own_code_where_it_can_be(files: tuple[str, ...], place: str) -> None:
    assert said(in_files(*files), with_trace=False) == f"E: no\nat {place}, in f"


def test_without_a_trace_there_is_no_place() -> None:
    assert said(ContainerError(message="gone"), with_trace=False) == "gone"


def test_a_long_message_leaves_room_for_its_place() -> None:
    whole = said(error("x" * 20_000), with_trace=False)
    assert whole.endswith(", in fails")
    assert len(whole) == 8_001


PREFIX = "s3://data/0"
LARGE = b"larger than is read"


class Written:
    """S3 with what the nodes of a job have written.

    Args:
        nodes: What each node said of its end; 0 is the main one.
    """

    def __init__(self, nodes: dict[int, bytes]) -> None:
        self.objects = {
            f"{node_prefix(PREFIX, node) if node else PREFIX}/{name}": body
            for node, said_by in nodes.items()
            for name, body in (("error.pb", said_by), ("outputs.pb", b""))
        }

    async def read(self, url: str) -> bytes | None:
        found = self.objects.get(url)
        if found is LARGE:
            raise TooLargeError("GetObject", url, 99, 10)
        return found

    async def list(self, url: str) -> AsyncIterator[str]:
        for each in sorted(self.objects):
            if each.startswith(url):
                yield each


def document(message: str) -> bytes:
    error = ContainerError(message=message, kind=ContainerError.NON_RECOVERABLE)
    body: bytes = ErrorDocument(error=error).SerializeToString()
    return body


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ({0: document("main"), 1: document("one")}, "main"),
        ({2: document("two"), 1: document("one")}, "one"),
        ({1: b"<html>"}, None),
        ({}, None),
    ],
)
def test_of_several_nodes_the_main_one_s_error_is_told_or_else_another_s(
    nodes: dict[int, bytes], told: str | None
) -> None:
    files = ErrorFiles(cast("Storage", Written(nodes)))
    error = asyncio.run(files.read(PREFIX))
    assert (error and error.message) == told
    assert asyncio.run(files.final(PREFIX, None)) == ({} if told is None else {0: told})


@pytest.mark.parametrize("node", [0, 1])
def test_an_error_that_is_too_large_to_be_read_is_told_and_worth_another_try(node: int) -> None:
    files = ErrorFiles(cast("Storage", Written({node: LARGE})))
    error = asyncio.run(files.read(PREFIX))
    assert error is not None
    where = f"{node_prefix(PREFIX, node)}/error.pb" if node else f"{PREFIX}/error.pb"
    assert said(error) == f"{where} has 99 bytes, and 10 are read at most; end with a shorter one"
    assert asyncio.run(files.final(PREFIX, None)) == {}
