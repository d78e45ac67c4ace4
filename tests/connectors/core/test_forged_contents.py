"""What the code of jobs may have written into a run's folder, or beside it, to harm the connector of all projects."""

import json
from typing import Any

import pytest

from flytekit_aws_batch.core.folder import Folder, UnreadableError
from flytekit_aws_batch.core.plan import Handle, Wave
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.ranges import from_ranges
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.storage import MOST_BYTES, Storage
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.job_requests import array, request

PREFIX = "s3://metadata/f3a9c1/n0/data/0"


def started(world: KeptWorld, **changes: Any) -> Handle:  # noqa: ANN401 - any field
    asked = request(**{"job_role": None, "output_prefix": PREFIX, **changes})
    return world.run(BatchRunner(world.settings, aws=world.aws).start(asked))


def write(world: KeptWorld, name: str, content: bytes) -> None:
    world.run(Storage(world.aws).write(f"{PREFIX}/aws-batch/{name}", content))


def poll(world: KeptWorld, handle: Handle) -> Progress:
    """What another process says of a run that it never heard of."""
    world.clock.time += 30
    return world.run(BatchRunner(world.settings, aws=world.aws).poll(handle))


@pytest.mark.parametrize(
    "text", ["x-y", "-3", "10000", "0-10000", "0-99999999999", "0-9999,0-9999", "5-3", "7,7", "9" * 5000]
)
@pytest.mark.parametrize("name", ["done", "failed", "reclaimed"])
def test_ranges_name_no_more_elements_than_a_list_has_and_each_once(world: KeptWorld, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_ranges(text)
    handle = started(world)
    write(world, "wave-0.json", json.dumps({"number": 0, name: text, "job": "job-0"}).encode())
    told = poll(world, handle)
    assert told.phase is Phase.FAILED
    assert f"{PREFIX}/aws-batch/wave-0.json is none of this connector's" in told.message


def test_a_reason_to_stop_that_is_no_text_is_told_as_far_as_it_is(world: KeptWorld) -> None:
    handle = started(world)
    write(world, "stopped", b"no\xff")
    told = poll(world, handle)
    assert (told.phase, told.message) == (Phase.FAILED, "stopped: no�")


@pytest.mark.parametrize("indices", [[0], [0, 1, 2]])
def test_a_wave_of_other_elements_than_its_job_runs_ends_the_run(world: KeptWorld, indices: list[int]) -> None:
    handle = started(world, array=array(2))
    write(world, "wave-0.json", json.dumps({"number": 0, "indices": indices, "job": "job-0"}).encode())
    world.set_status("FAILED", arrayProperties={"size": 2, "statusSummary": {"FAILED": 2}})
    children = [{"jobId": f"job-0:{index}", "jobName": "n", "arrayProperties": {"index": index}} for index in (0, 1)]
    world.answers["list_jobs"] = lambda **_: {"jobSummaryList": children}
    told = poll(world, handle)
    assert told.phase is Phase.FAILED
    assert told.message == (
        f"{PREFIX}/aws-batch/wave-0.json is none of this connector's; see that nothing else writes there"
    )


@pytest.mark.parametrize("name", ["plan.json", "wave-0.json", "adopted.json", "result.json", "stopped"])
def test_what_is_too_large_to_be_read_ends_a_run_like_what_cannot_be(world: KeptWorld, name: str) -> None:
    handle = started(world)
    there = world.account.objects.get(f"{PREFIX.removeprefix('s3://metadata/')}/aws-batch/{name}")
    write(world, name, (there.body if there else b"{}").ljust(MOST_BYTES + 1))
    told = poll(world, handle)
    assert told.phase is Phase.FAILED
    assert f"{name} is none of this connector's; see that nothing else writes there" in told.message


def test_so_does_what_is_there_before_a_start(world: KeptWorld) -> None:
    for name in ("plan.json", "wave-0.json"):
        write(world, name, b" " * (MOST_BYTES + 1))
    handle = started(world)
    assert handle.refused is None
    assert "wave-0.json is none of this connector's" in poll(world, handle).message
    folder = Folder(Storage(world.aws), PREFIX)
    assert world.run(folder.claim(Wave(number=0))) is None
    with pytest.raises(UnreadableError, match=r"wave-0\.json"):
        world.run(folder.wave(0))


@pytest.mark.parametrize("job", ["x" * 100, "a b", "job-0,job-1", "job-0#0", "job-0:0", "é", "a\n"])
def test_what_is_no_id_of_a_job_is_not_asked_for_with_those_of_others(world: KeptWorld, job: str) -> None:
    handle = started(world)
    write(world, "wave-0.json", json.dumps({"number": 0, "job": job}).encode())
    told = poll(world, handle)
    assert told.phase is Phase.FAILED
    assert "wave-0.json is none of this connector's" in told.message
    assert not world.calls("describe_jobs")
