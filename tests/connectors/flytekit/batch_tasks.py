"""Tasks that the tests run as jobs of the embedded AWS, where their processes import this module."""

import os
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from flytekit import FlyteDirectory, FlyteFile, Resources, current_context, task, workflow
from flytekit import map_task as flytekit_map_task
from flytekit.core.base_task import TaskMetadata
from flytekit.exceptions.user import FlyteRecoverableException

from flytekit_aws_batch import AWSBatch, AWSBatchContainerTask, map_task

IMAGE = "tests/example:1"
ROOT = Path(__file__).parents[3]
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "FLYTE_SDK_LOGGING_LEVEL": "40"}
SMALL = Resources(cpu="1", mem="512Mi")


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL)
def greet(name: str) -> str:
    if name == "nobody":
        raise ValueError("nobody is there")
    if name == "nobody yet":
        raise FlyteRecoverableException("nobody is there yet")
    if name == "killed":
        os.kill(os.getpid(), 9)
    return f"hello {name} from {os.environ.get('AWS_BATCH_JOB_ID', 'here')}"


# As propeller runs it: in a job flytekit logs as JSON, and whatever the tests' own environment says is not handed on.
@task(task_config=AWSBatch(), container_image=IMAGE, environment={"PYTHONPATH": str(ROOT)}, limits=SMALL)
def cut_short(how: str) -> None:
    """Says something, as people do, and comes to an end that leaves no error behind."""
    print("working on it, and then", how)  # noqa: T201 - a job's output is its log
    if how == "exit":
        sys.exit(3)
    if how == "kill":
        os.kill(os.getpid(), 9)
    time.sleep(300)


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL, interruptible=True)
def interrupted() -> None:
    """May be."""


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL, retries=2)
def tried_twice() -> None:
    """Once more, and then no more."""


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL)
def whose() -> str:
    execution = current_context().execution_id
    return f"{execution.project}/{execution.domain}/{execution.name}"


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL)
def pages(count: int) -> list[str]:
    """As many pages of 1 KiB."""
    return ["x" * 1024] * count


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL)
def wait_for(seconds: int) -> None:
    sys.stdout.write("waiting\n")
    sys.stdout.flush()
    time.sleep(seconds)


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL, retries=1)
def square(number: int, plus: int = 0, folder: str = "") -> int:
    """Elements below zero fail for good; 3 fails the first time that it is asked for."""
    if number < 0:
        raise ValueError(f"{number} is below zero")
    if number == 3 and folder:
        mark = Path(folder) / "3"
        if not mark.exists():
            mark.touch()
            raise FlyteRecoverableException("3 is not ready")
    return number * number + plus


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL)
def noted(number: int, folder: str) -> None:
    (Path(folder) / str(number)).touch()


squares = map_task(partial(square, plus=0, folder=""))
most_squares = map_task(partial(square, plus=0, folder=""), min_success_ratio=0.5)
any_squares = map_task(square)
squares_in_turn = map_task(partial(square, plus=1, folder=""), concurrency=2)
notes = map_task(noted)
squares_by_flyte = flytekit_map_task(square)


@task(task_config=AWSBatch(nodes=3), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL)
def ring(folder: str) -> str:
    """Every node leaves a file; the main one waits for all of them."""
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    place = Path(folder)
    (place / str(rank)).touch()
    while rank == 0 and len(list(place.iterdir())) < size:
        time.sleep(0.02)
    return f"{rank} of {size} at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL)
def capitals(text: FlyteFile) -> FlyteFile:
    written = Path(current_context().working_directory) / "capitals.txt"
    written.write_text(Path(text.download()).read_text("utf-8").upper(), "utf-8")
    return FlyteFile(str(written))


@task(task_config=AWSBatch(), container_image=IMAGE, environment=ENVIRONMENT, limits=SMALL)
def step() -> int:
    """One step further than the checkpoint."""
    checkpoint = current_context().checkpoint
    before = checkpoint.read() if checkpoint.prev_exists() else None
    steps = int(before or 0) + 1
    checkpoint.write(str(steps).encode())
    return steps


COUNT = """
import os, sys, urllib.request, boto3
bucket, _, key = os.environ["FLYTE_AWS_BATCH_OUTPUTS"].removeprefix("s3://").partition("/")
s3 = boto3.client("s3")
for name, body in {"words": sys.argv[1], "share": "0.25", "long": "true", "said": sys.argv[2], "file": "x"}.items():
    if name != sys.argv[3]:
        s3.put_object(Bucket=bucket, Key=f"{key}/{name}", Body=body + chr(10))
s3.put_object(Bucket=bucket, Key=f"{key}/folder/a", Body="a")
"""

count = AWSBatchContainerTask(
    name="count",
    image=IMAGE,
    command=["python", "-c", COUNT],
    arguments=["{{.inputs.number}}", "{{ .inputs.text }} in {{.rawOutputDataPrefix}}", "{{.inputs.without}}"],
    inputs={"number": int, "text": str, "without": str},
    outputs={"words": int, "share": float, "long": bool, "said": str, "file": FlyteFile, "folder": FlyteDirectory},
    limits=SMALL,
)


many_values = AWSBatchContainerTask(
    name="many", image=IMAGE, command=["true"], outputs={f"value_{each}_of_many": str for each in range(20)}
)


one_file = AWSBatchContainerTask(name="one", image=IMAGE, command=["true"], outputs={"file": FlyteFile})

_TEN_MINUTES = timedelta(minutes=10)


@task(task_config=AWSBatch(), container_image=IMAGE, limits=SMALL, timeout=_TEN_MINUTES, retries=2)
def timed(number: int) -> int:
    """Has ten minutes."""
    return number


all_timed = map_task(timed, concurrency=10)
timed_container = AWSBatchContainerTask(
    name="timed",
    image=IMAGE,
    command=["true"],
    inputs={"number": int},
    limits=SMALL,
    metadata=TaskMetadata(timeout=_TEN_MINUTES, retries=2),
)


@task()
def total(numbers: list[int]) -> int:
    return sum(numbers)


@workflow
def sum_of_squares(numbers: list[int]) -> int:
    return total(numbers=squares_in_turn(number=numbers))


@workflow
def sum_of_squares_by_flyte(numbers: list[int]) -> int:
    return total(numbers=flytekit_map_task(partial(square, plus=0, folder=""))(number=numbers))
