"""Objects, and writes that succeed for one writer only."""

from typing import Any

import pytest

from flytekit_aws_batch.core.aws import CallError
from flytekit_aws_batch.core.call_errors import TooLargeError
from flytekit_aws_batch.core.storage import MOST_BYTES, Storage, split
from tests.connectors.core.fake_account import KeptWorld

URL = "s3://data/runs/1/wave-0.json"


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld()


@pytest.fixture
def storage(world: KeptWorld) -> Storage:
    return Storage(world.aws)


def test_one_of_two_creates_an_object(world: KeptWorld, storage: Storage) -> None:
    assert world.run(storage.claim(URL, b"mine"))
    assert world.run(storage.claim(URL, b"theirs")) is None
    assert world.run(storage.read(URL)) == b"mine"


def test_a_create_whose_answer_was_lost_is_known_again(world: KeptWorld, storage: Storage) -> None:
    world.fates["put_object"] = ["lost"]
    etag = world.run(storage.claim(URL, b"mine"))
    assert world.calls("put_object") == 2
    stored = world.run(storage.state(URL))
    assert stored is not None
    assert etag == stored.etag


def test_one_of_two_replaces_an_object(world: KeptWorld, storage: Storage) -> None:
    etag = world.run(storage.claim(URL, b"0"))
    assert etag
    assert world.run(storage.replace(URL, b"1", etag))
    assert world.run(storage.replace(URL, b"2", etag)) is None
    assert world.run(storage.replace("s3://data/none", b"2", etag)) is None
    assert world.run(storage.read(URL)) == b"1"


def test_an_age_is_by_the_clock_of_s3(world: KeptWorld, storage: Storage) -> None:
    world.run(storage.write(URL, b"0"))
    world.clock.time += 75
    stored = world.run(storage.state(URL))
    assert stored is not None
    assert stored.age_seconds == pytest.approx(75, abs=1)


def test_what_is_not_there_is_none_and_what_is_forbidden_is_said(world: KeptWorld, storage: Storage) -> None:
    assert world.run(storage.read(URL)) is None
    assert not world.run(storage.exists(URL))
    world.fates["get_object"] = ["AccessDenied"]
    with pytest.raises(CallError, match="AccessDenied"):
        world.run(storage.read(URL))


def test_what_is_too_large_is_not_read_unless_somebody_means_to(world: KeptWorld, storage: Storage) -> None:
    world.run(storage.write(URL, b"x" * (MOST_BYTES + 1)))
    words = rf"^GetObject: TooLarge: {URL} has 10,485,761 bytes, and 10,485,760 are read at most$"
    with pytest.raises(TooLargeError, match=words) as raised:
        world.run(storage.read(URL))
    assert not raised.value.passes
    assert world.run(storage.read(URL, most_bytes=MOST_BYTES + 1)) is not None
    assert world.run(storage.claim(URL, b"mine")) is None
    world.run(storage.write(URL, b"x" * MOST_BYTES))
    assert world.run(storage.read(URL)) is not None


def test_all_pages_of_a_list_are_read(world: KeptWorld, storage: Storage) -> None:
    pages: dict[str, dict[str, Any]] = {
        "": {"Contents": [{"Key": "a/1"}], "IsTruncated": True, "NextContinuationToken": "t"},
        "t": {"Contents": [{"Key": "a/2"}], "CommonPrefixes": [{"Prefix": "a/b/"}]},
    }
    world.answers["list_objects_v2"] = lambda ContinuationToken="", **_: pages[ContinuationToken]  # noqa: N803 - as boto names it

    async def read() -> tuple[list[str], list[str]]:
        return [url async for url in storage.list("s3://data/a/")], [
            url async for url in storage.folders("s3://data/a/")
        ]

    assert world.run(read()) == (["s3://data/a/1", "s3://data/a/2"], ["s3://data/a/b/"])


@pytest.mark.parametrize("url", ["data/key", "s3://", "s3://data", "s3:///key"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="give s3://BUCKET/KEY"):
        split(url)
