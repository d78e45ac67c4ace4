"""Tasks of Flyte 2 as somebody writes them who has AWS Batch."""

import asyncio
import os

import flyte
import flyte.errors
from flyte.io import File

from flytekit_aws_batch.flyte2 import AWSBatch

on_batch = flyte.TaskEnvironment(
    name="on_batch",
    image="example/training:1",
    resources=flyte.Resources(cpu=1, memory="2Gi"),
    env_vars={"GREETING": "hello"},
    plugin_config=AWSBatch(queue="flyte2"),
)
here = flyte.TaskEnvironment(name="here", image="example/training:1", depends_on=[on_batch])


@on_batch.task
def double(number: int) -> int:
    print("doubling", number)  # noqa: T201 - what a job prints is its log
    return 2 * number


@on_batch.task
async def greet(name: str) -> tuple[str, str]:
    """A greeting, and the job that it is from."""
    return f"{os.environ.get('GREETING', 'good day')} {name}", os.environ.get("AWS_BATCH_JOB_ID", "no job")


@on_batch.task
async def capitals(text: File) -> File:
    """The same text in capitals, as a file of its own."""
    async with text.open("rb") as source:
        content = bytes(await source.read())
    written = File.new_remote()
    async with written.open("wb") as target:
        await target.write(content.upper())
    return written


@on_batch.task
def reject(reason: str) -> int:
    raise ValueError(reason)


@on_batch.task
def reject_for_good(reason: str) -> int:
    raise flyte.errors.NonRecoverableError(reason)


@on_batch.task
def leave(code: int) -> int:
    """End as a process does that is killed: with no word to Flyte."""
    os._exit(code)


@on_batch.task
async def wait() -> None:
    """Go on until somebody ends it."""
    await asyncio.Event().wait()


@here.task
def doubled_sum(most: int) -> int:
    """A task that others than AWS Batch run, and that starts some which AWS Batch runs."""
    return sum(flyte.map(double, range(most + 1)))
