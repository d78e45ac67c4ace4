"""What the files that the entrypoint left, or did not leave, say of a job that ended well."""

import asyncio
from collections.abc import Mapping

import pytest
from flyteidl2.core.execution_pb2 import ContainerError, ErrorDocument

from flytekit_aws_batch.core.aws import Aws
from flytekit_aws_batch.core.call_errors import CallError, ErrorKind, TooLargeError
from flytekit_aws_batch.core.plan import Handle
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.settings import Settings
from flytekit_aws_batch.core.storage import MOST_BYTES, Storage
from flytekit_aws_batch.flyte2.outcome import Outcomes

FIRST, SECOND = "s3://bucket/run/a3/1", "s3://bucket/run/a3/2"
SUCCEEDED = Progress(phase=Phase.SUCCEEDED, message="it took 4 min", output_prefix=FIRST)
OF_FIRST = Handle(output_prefix=FIRST, name="run-a3", attempt=0)
# The second attempt has found that the first one's job was still alive.
ADOPTED = Handle(output_prefix=FIRST, name="run-a3", attempt=0, deliver_to=SECOND)


class Objects(Storage):
    """A bucket in memory, or one that cannot be read."""

    def __init__(self, objects: Mapping[str, bytes], problem: ErrorKind | CallError | None = None) -> None:
        super().__init__(Aws(Settings(region="us-east-1")))
        self.objects = dict(objects)
        self.problem = problem

    async def read(
        self, url: str, *, patience_seconds: float | None = None, most_bytes: int = MOST_BYTES
    ) -> bytes | None:
        del patience_seconds, most_bytes
        if isinstance(self.problem, CallError):
            raise self.problem
        if self.problem is not None:
            raise CallError("GetObject", "Answer", "S3 says no", self.problem)
        return self.objects.get(url)

    async def exists(self, url: str) -> bool:
        await self.read(url)
        return url in self.objects

    async def copy(self, source: str, target: str) -> None:
        self.objects[target] = self.objects[source]


def outcome(storage: Storage, handle: Handle = OF_FIRST) -> tuple[Phase, str]:
    return asyncio.run(Outcomes(storage).delivered(handle, SUCCEEDED))


def error(kind: ContainerError.Kind) -> bytes:
    document = ErrorDocument(error=ContainerError(code="ValueError", message="no such customer", kind=kind))
    return bytes(document.SerializeToString())


def test_outputs_that_are_there_are_left_where_they_are() -> None:
    storage = Objects({f"{FIRST}/outputs.pb": b"outputs"})

    assert outcome(storage) == (Phase.SUCCEEDED, "it took 4 min")
    assert list(storage.objects) == [f"{FIRST}/outputs.pb"]


def test_the_outputs_of_an_adopted_job_are_delivered() -> None:
    storage = Objects({f"{FIRST}/outputs.pb": b"outputs", f"{FIRST}/report.html": b"report"})

    assert outcome(storage, ADOPTED)[0] is Phase.SUCCEEDED
    assert storage.objects[f"{SECOND}/outputs.pb"] == b"outputs"
    assert storage.objects[f"{SECOND}/report.html"] == b"report"


def test_a_job_that_wrote_nothing_did_not_run_the_task() -> None:
    phase, message = outcome(Objects({}))

    assert phase is Phase.FAILED
    assert f"wrote no {FIRST}/outputs.pb: does its image have an ENTRYPOINT" in message


@pytest.mark.parametrize(
    ("problem", "phase", "said"),
    [
        ("throttled", Phase.RUNNING, "it is done; its outputs wait for S3"),
        ("ambiguous", Phase.RUNNING, "it is done; its outputs wait for S3"),
        ("forbidden", Phase.FAILED, f"the connector's role needs to read and write {FIRST}"),
    ],
)
def test_what_passes_is_waited_for(problem: ErrorKind, phase: Phase, said: str) -> None:
    found, message = outcome(Objects({}, problem))

    assert found is phase
    assert said in message


def test_the_code_says_what_is_not_worth_another_try() -> None:
    final, not_final = (
        asyncio.run(Outcomes(Objects({f"{FIRST}/error.pb": error(kind)})).final(FIRST, None))
        for kind in (ContainerError.NON_RECOVERABLE, ContainerError.RECOVERABLE)
    )

    assert (final, not_final) == ({0: "ValueError: no such customer"}, {})


def test_why_it_failed_begins_with_what_the_code_said() -> None:
    failed = Progress(phase=Phase.FAILED_RETRYABLE, message="exit code 1", output_prefix=FIRST)
    storage = Objects({f"{FIRST}/error.pb": error(ContainerError.RECOVERABLE)})

    assert asyncio.run(Outcomes(storage).explained(OF_FIRST, failed)) == "ValueError: no such customer\nexit code 1"
    assert asyncio.run(Outcomes(Objects({})).explained(OF_FIRST, failed)) == "exit code 1"
    # What is none of the entrypoint's own is as good as nothing, whoever wrote it.
    broken = Outcomes(Objects({f"{FIRST}/error.pb": b"<html>"}))
    assert asyncio.run(broken.explained(OF_FIRST, failed)) == "exit code 1"
    assert asyncio.run(broken.final(FIRST, None)) == {}
    large = TooLargeError("GetObject", f"{FIRST}/error.pb", 99, 10)
    said = f"TooLarge: {FIRST}/error.pb has 99 bytes, and 10 are read at most; end with a shorter one\nexit code 1"
    assert asyncio.run(Outcomes(Objects({}, large)).explained(OF_FIRST, failed)) == said
    assert asyncio.run(Outcomes(Objects({}, large)).final(FIRST, None)) == {}
    # What Batch knows is told though S3 is silent.
    assert asyncio.run(Outcomes(Objects({}, "throttled")).explained(OF_FIRST, failed)) == "exit code 1"
