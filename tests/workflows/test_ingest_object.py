"""The job that objects start: what it makes of a file, what it refuses, and that it writes each output once."""

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from hypothesis import given
from hypothesis import strategies as st

from aerodrome_stacks.job_catalogue import INGEST_OBJECT
from aerodrome_workflows import ingest_object
from aerodrome_workflows.ingest_object import MISSING, REJECTED, RejectedError, profile, rows_of

OUTPUT = "s3://results/fraud/development"
ORDERS = b'\xef\xbb\xbfid,amount,note\r\n1,12.5,"a, b"\r\n2,,\r\n3,-1e3,c\xc3\xa9\r\n'


class S3:
    """As much of S3 as the job uses, in memory. Versions are numbered from 1."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], list[tuple[bytes, dict[str, str]]]] = {}
        self.before_put: Callable[[], None] = lambda: None

    def put(self, bucket: str, key: str, body: bytes) -> str:
        versions = self.objects.setdefault((bucket, key), [])
        versions.append((body, {}))
        return str(len(versions))

    def get_object(self, *, Bucket: str, Key: str, VersionId: str = "", Range: str = "") -> dict[str, Any]:  # noqa: N803 - boto3's names
        versions = self.objects.get((Bucket, Key), [])
        number = int(VersionId) if VersionId.isdigit() else 0 if VersionId else len(versions)
        if not 0 < number <= len(versions):
            raise error("NoSuchVersion" if VersionId else "NoSuchKey", "GetObject")
        body = versions[number - 1][0]
        if Range:
            first, last = map(int, Range.removeprefix("bytes=").split("-"))
            body = body[first : last + 1]
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "VersionId": str(number)}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if (Bucket, Key) not in self.objects:
            raise error("403", "HeadObject")
        return {}

    def put_object(
        self,
        *,
        Bucket: str,  # noqa: N803 - boto3's names
        Key: str,  # noqa: N803 - boto3's names
        Body: io.BytesIO,  # noqa: N803 - boto3's names
        IfNoneMatch: str,  # noqa: N803 - boto3's names
        Metadata: dict[str, str],  # noqa: N803 - boto3's names
    ) -> None:
        body = Body.read()
        self.before_put()
        assert IfNoneMatch == "*"
        if (Bucket, Key) in self.objects:
            raise error("PreconditionFailed", "PutObject")
        self.objects[Bucket, Key] = [(body, Metadata)]

    def json(self, key: str) -> Any:  # noqa: ANN401 - any JSON value
        ((body, _),) = self.objects["results", key]
        return json.loads(body)


def error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "told to"}}, operation)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> S3:
    found = S3()

    class Session:
        def create_client(self, service: str) -> S3:
            assert service == "s3"
            return found

    monkeypatch.setattr(botocore.session, "get_session", Session)
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "job-1")
    return found


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the script as AWS Batch would, and gives its exit status."""

    def run(key: str, version: str, *, step: str = "profile", lines: str = "none") -> int:
        given = {"step": step, "bucket": "arrived", "key": key, "version": version, "lines": lines, "output": OUTPUT}
        _, *arguments = INGEST_OBJECT.container.command[INGEST_OBJECT.container.command.index("-c") + 1 :]
        filled = [given[word.removeprefix("Ref::")] if word.startswith("Ref::") else word for word in arguments]
        monkeypatch.setattr(sys, "argv", ["-c", *filled])
        try:
            ingest_object.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return run


def test_a_profile_says_what_is_in_each_column() -> None:
    assert profile(io.BytesIO(ORDERS)) == {
        "rows": 3,
        "columns": {
            "id": {"type": "number", "nulls": 0, "min": 1, "max": 3, "mean": 2},
            "amount": {"type": "number", "nulls": 1, "min": -1000, "max": 12.5, "mean": -493.75},
            "note": {"type": "text", "nulls": 1, "min": "a, b", "max": "cé"},
        },
    }


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "1,5", "0x10"])
def test_what_json_has_no_number_for_is_text(value: str) -> None:
    found = profile(io.BytesIO(f'a\n1\n"{value}"\n'.encode()))
    assert found["columns"] == {"a": {"type": "text", "nulls": 0, "min": min("1", value), "max": max("1", value)}}
    assert "NaN" not in json.dumps(found)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9), min_size=1))
def test_a_column_of_numbers_has_their_least_greatest_and_mean(numbers: list[float]) -> None:
    found = profile(io.BytesIO("\n".join(["a", *map(repr, numbers)]).encode()))
    column = found["columns"]
    assert isinstance(column, dict)
    assert (column["a"]["min"], column["a"]["max"]) == (min(numbers), max(numbers))
    assert column["a"]["mean"] == pytest.approx(sum(numbers) / len(numbers), abs=1e-3)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the first line names no columns"),
        (b"a,a\n1,2\n", "the first line names no columns, or one twice"),
        (b"a,\n1,2\n", "the first line names no columns"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 fields; the header has 2"),
        (b"a\n\xff\n", "the file is not UTF-8 text"),
        (b'a,b\n"1"x,2\n', "line 2 is not CSV"),
    ],
)
def test_what_is_no_csv_is_refused_with_the_line(body: bytes, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        list(rows_of(io.BytesIO(body)))


def test_the_output_is_named_after_the_key_and_the_version_that_was_read(s3: S3, run: Callable[..., int]) -> None:
    key = "fraud/development/inbox/a.csv"
    versions = [s3.put("arrived", key, body) for body in (b"a\n1\n", b"a\n2\n")]
    assert [run(key, version) for version in versions] == [0, 0]
    for version, value in zip(versions, (1, 2), strict=True):
        place = f"fraud/development/profiles/inbox/a.csv/{version}.json"
        found = s3.json(place)
        assert found["input"] == {"bucket": "arrived", "key": key, "version": version}
        assert found["columns"]["a"]["max"] == value
        assert s3.objects["results", place][0][1] == {"job-id": "job-1", "input-version": version}


def test_a_second_run_leaves_the_output_as_it_is(
    s3: S3, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put("arrived", "k.csv", b"a\n1\n")
    assert run("k.csv", "1") == 0
    before = dict(s3.objects)
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "job-2")
    assert run("k.csv", "1") == 0
    assert s3.objects == before
    assert "is there already: nothing to do" in capsys.readouterr().out


def test_of_two_that_write_at_once_one_output_stays(
    s3: S3, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put("arrived", "k.csv", b"a\n1\n")
    place = "fraud/development/profiles/k.csv/1.json"

    def another_writes() -> None:
        s3.objects["results", place] = [(b'"the other"', {})]

    s3.before_put = another_writes
    assert run("k.csv", "1") == 0
    assert s3.json(place) == "the other"
    assert "was written meanwhile" in capsys.readouterr().out


def test_a_conflict_is_written_again(s3: S3, run: Callable[..., int]) -> None:
    s3.put("arrived", "k.csv", b"a\n1\n")
    conflicts = iter([error("ConditionalRequestConflict", "PutObject")])

    def conflict_once() -> None:
        for one in conflicts:
            raise one

    s3.before_put = conflict_once
    assert run("k.csv", "1") == 0
    assert s3.json("fraud/development/profiles/k.csv/1.json")["rows"] == 1, "the whole output, from its beginning"


def test_the_steps_build_on_each_other(s3: S3, run: Callable[..., int]) -> None:
    s3.put("arrived", "fraud/development/chain/o.csv", ORDERS)
    assert run("fraud/development/chain/o.csv", "1", step="convert") == MISSING, "there is no profile yet"
    for step in ("profile", "convert", "publish"):
        assert run("fraud/development/chain/o.csv", "1", step=step) == 0
    published = s3.json("fraud/development/published/chain/o.csv/1.json")
    ((records, _),) = s3.objects["results", published["records"]]
    assert [json.loads(line) for line in records.splitlines()] == [
        {"id": 1, "amount": 12.5, "note": "a, b"},
        {"id": 2, "amount": None, "note": None},
        {"id": 3, "amount": -1000, "note": "cé"},
    ]
    assert published["rows"] == 3
    assert s3.json(published["profile"])["rows"] == 3


def test_records_that_do_not_agree_with_the_profile_are_not_published(
    s3: S3, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put("arrived", "o.csv", ORDERS)
    assert [run("o.csv", "1", step=step) for step in ("profile", "convert")] == [0, 0]
    s3.objects["results", "fraud/development/records/o.csv/1.jsonl"] = [(b"{}\n", {})]
    assert run("o.csv", "1", step="publish") == REJECTED
    assert "has 1 records, and the profile 3 rows" in capsys.readouterr().err


@pytest.mark.parametrize(("index", "column"), [(None, "a"), ("0", "a"), ("1", "b")])
def test_a_job_of_a_manifest_takes_its_own_line(
    s3: S3, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, index: str | None, column: str
) -> None:
    for name in "ab":
        s3.put("arrived", f"{name}.csv", f"{name}\n1\n".encode())
        s3.put("arrived", f"{name}.csv", b"later\n1\n")
    head = b'{"key": "not-mine"}\n'
    part = b'{"key": "a.csv", "version": "1"}\n{"key": "b.csv", "version": "1"}\n'
    s3.put("arrived", "list", head + part + b'{"key": "behind"}')
    if index is not None:
        monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", index)
    assert run("list", "1", lines=f"{len(head)}-{len(head) + len(part) - 1}") == 0
    assert list(s3.json(f"fraud/development/profiles/{column}.csv/1.json")["columns"]) == [column]


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        (("there.csv", "2", "none"), MISSING, "nothing to read: there.csv (version 2)"),
        (("gone.csv", "1", "none"), MISSING, "nothing to read: gone.csv"),
        (("there.csv", "1", "none"), REJECTED, "there.csv is refused: line 2 has 2 fields"),
        (("there.csv", "1", "0-1"), REJECTED, "bytes 0-1 of there.csv have no line 1"),
        ((f"{'k' * 1000}.csv", "1", "none"), REJECTED, "the output's key would have"),
    ],
)
def test_what_no_further_attempt_mends_ends_with_a_status_of_its_own(
    s3: S3,
    run: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    given: tuple[str, str, str],
    status: int,
    message: str,
) -> None:
    monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", "1")
    s3.put("arrived", "there.csv", b"a\n1,2\n")
    s3.put("arrived", f"{'k' * 1000}.csv", b"a\n1\n")
    key, version, lines = given
    assert run(key, version, lines=lines) == status
    assert message in capsys.readouterr().err
    assert not [place for place in s3.objects if place[0] == "results"]


def test_a_version_that_begins_with_a_hyphen_is_a_version(s3: S3, run: Callable[..., int]) -> None:
    s3.put("arrived", "k.csv", b"a\n1\n")
    assert run("k.csv", "-x1") == MISSING


def test_a_folder_is_nothing_to_work_on(s3: S3, run: Callable[..., int]) -> None:
    s3.put("arrived", "fraud/development/inbox/", b"")
    assert run("fraud/development/inbox/", "1") == 0
    assert list(s3.objects) == [("arrived", "fraud/development/inbox/")]


def test_an_error_that_may_pass_is_no_refusal(s3: S3, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_down(**_: str) -> None:
        raise error("SlowDown", "GetObject")

    monkeypatch.setattr(s3, "get_object", slow_down)
    with pytest.raises(ClientError, match="SlowDown"):
        run("k.csv", "1")
