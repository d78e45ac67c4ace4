"""The function that makes array jobs of manifests."""

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from aerodrome_constructs.ingest.manifest_handler import handler
from aerodrome_constructs.ingest.manifest_handler.handler import (
    LONGEST_LINE,
    MOST_LINES,
    PAUSE_SECONDS,
    ManifestError,
    Part,
    Route,
    lines_of,
    parts,
    route_of,
    submit,
)

MANIFEST = {"bucket": "arrived", "key": "fraud/development/manifests/m.jsonl", "version": "v1", "size": "9"}
EVENT: dict[str, Any] = {
    "bucket": {"name": "arrived"},
    "object": {"key": MANIFEST["key"], "version-id": "v1", "size": 9},
}
ROUTE = Route(queue="ingest-development", definition="fraud-development-ingest", tags={"whose": "fraud"})


def manifest(lines: int) -> list[bytes]:
    return [json.dumps({"key": f"k{number}"}).encode() + b"\n" for number in range(lines)]


@given(
    objects=st.lists(st.fixed_dictionaries({"key": st.text(min_size=1)}), min_size=1),
    most=st.integers(1, 7),
    chunk=st.integers(1, 40),
    newline=st.booleans(),
)
def test_parts_hold_every_line_once_and_in_order(
    objects: list[dict[str, str]], most: int, chunk: int, *, newline: bool
) -> None:
    text = b"\n".join(json.dumps(one).encode() for one in objects) + (b"\n" if newline else b"")
    chunks = [text[start : start + chunk] for start in range(0, len(text), chunk)]
    found = list(parts(lines_of(chunks), most))
    assert [part.first for part in found] == [0, *[part.last + 1 for part in found[:-1]]]
    assert found[-1].last == len(text) - 1
    named = []
    for part in found:
        held = [line for line in text[part.first : part.last + 1].split(b"\n") if line]
        assert len(held) == part.lines <= most
        named += [json.loads(line) for line in held]
    assert named == objects


def test_an_array_has_no_more_children_than_batch_takes() -> None:
    assert [part.lines for part in parts(manifest(2 * MOST_LINES + 1))] == [MOST_LINES, MOST_LINES, 1]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it is empty; write a line for each object"),
        ([b'{"key": "a"}\n', b"\n"], "line 2 is no JSON"),
        ([b"a.csv\n"], r"line 1 is no JSON \(.*\): 'a.csv'; expected"),
        ([b'["a"]\n'], "line 1 names no object"),
        ([b'{"version": "1"}\n'], "line 1 names no object"),
        ([b'{"key": "a", "bucket": "b"}\n'], "line 1 names no object"),
        ([b'{"key": ""}\n'], "line 1 has a value that is no text"),
        ([b'{"key": "a", "version": 3}\n'], "line 1 has a value that is no text"),
        ([b'{"key": "%s"}' % (b"a" * LONGEST_LINE)], "line 1 has 8203 bytes; at most 8192"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_expected(lines: list[bytes], reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        list(parts(lines))


def test_what_has_no_lines_is_not_read_to_its_end() -> None:
    def endless() -> Iterator[bytes]:
        yield b"x" * 5_000
        yield b"x" * 5_000
        raise AssertionError("read on")

    with pytest.raises(ManifestError, match="has no end within 8192 bytes"):
        list(lines_of(endless()))


def test_the_key_says_where_the_jobs_go() -> None:
    route = route_of(
        "fraud-detection/staging/manifests/2026/m.jsonl",
        "{project}/{domain}/manifests/",
        queue="ingest-{domain}",
        definition="{project}-{domain}-ingest",
        tags={"whose": "{project}", "which": "a manifest"},
    )
    assert route == Route(
        queue="ingest-staging",
        definition="fraud-detection-staging-ingest",
        tags={"whose": "fraud-detection", "which": "a manifest"},
    )


@pytest.mark.parametrize("key", ["a/b/inbox/m", "a/b/c/manifests/m", "manifests/m", "/b/manifests/m"])
def test_a_key_elsewhere_goes_nowhere(key: str) -> None:
    with pytest.raises(ManifestError, match="its key does not begin with"):
        route_of(key, "{project}/{domain}/manifests/", queue="q", definition="d", tags={})


class Batch:
    """AWS Batch, as its own model describes it, with jobs of some names."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.submitted: list[dict[str, Any]] = []
        self.client = boto3.client("batch", region_name="eu-west-1")
        events: Any = self.client.meta.events
        events.register("before-call.batch.SubmitJob", self._submit)
        events.register("before-call.batch.ListJobs", self._list)

    def _submit(self, params: dict[str, Any], **_: object) -> tuple[Any, dict[str, Any]]:
        self.submitted.append(json.loads(params["body"]))
        return _answer({"jobName": "n", "jobId": "i"})

    def _list(self, params: dict[str, Any], **_: object) -> tuple[Any, dict[str, Any]]:
        asked = json.loads(params["body"])
        assert asked["jobQueue"] == ROUTE.queue
        ((prefix,),) = [one["values"] for one in asked["filters"] if one["name"] == "JOB_NAME"]
        found = [name for name in self.names if name.startswith(prefix.removesuffix("*"))]
        return _answer({"jobSummaryList": [{"jobId": "i", "jobName": name} for name in found]})


def _answer(body: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    class Response:
        status_code = 200

    return Response(), {**body, "ResponseMetadata": {}}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def test_parts_become_arrays_and_a_last_line_a_plain_job() -> None:
    batch = Batch()
    found = [Part(0, 99, 10), Part(100, 109, 1)]
    pauses: list[float] = []
    assert submit(batch.client, MANIFEST, ROUTE, found, pauses.append) == 2
    array, plain = batch.submitted
    assert array["arrayProperties"] == {"size": 10}
    assert "arrayProperties" not in plain
    assert [one["parameters"] for one in batch.submitted] == [
        {**MANIFEST, "lines": "0-99"},
        {**MANIFEST, "lines": "100-109"},
    ]
    assert {(one["jobQueue"], one["jobDefinition"]) for one in batch.submitted} == {(ROUTE.queue, ROUTE.definition)}
    assert [one["tags"] for one in batch.submitted] == [{"whose": "fraud"}] * 2
    assert all(len(one["jobName"]) <= 128 for one in batch.submitted)
    assert pauses == [PAUSE_SECONDS]


def test_what_was_submitted_before_is_left_out() -> None:
    found = [Part(0, 99, 10), Part(100, 199, 10), Part(200, 299, 10)]
    first = Batch()
    submit(first.client, MANIFEST, ROUTE, found, lambda _: None)
    names = [one["jobName"] for one in first.submitted]
    again = Batch(names[0], names[2])
    assert submit(again.client, MANIFEST, ROUTE, found, lambda _: None) == 1
    assert [one["jobName"] for one in again.submitted] == [names[1]]


def test_another_version_of_a_manifest_is_another_one() -> None:
    first, second = Batch(), Batch()
    submit(first.client, MANIFEST, ROUTE, [Part(0, 9, 1)], lambda _: None)
    second.names = [one["jobName"] for one in first.submitted]
    assert submit(second.client, {**MANIFEST, "version": "v2"}, ROUTE, [Part(0, 9, 1)], lambda _: None) == 1


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the function calls: S3 and SQS by their models, and AWS Batch."""
    for name, value in {
        "MANIFEST_PREFIX": "{project}/{domain}/manifests/",
        "JOB_QUEUE": "ingest-{domain}",
        "JOB_DEFINITION": "{project}-{domain}-ingest",
        "JOB_TAGS": '{"whose": "{project}"}',
        "DEAD_LETTER_QUEUE_URL": "https://sqs/dead",
    }.items():
        monkeypatch.setenv(name, value)
    batch = Batch()
    clients = {name: boto3.client(name, region_name="eu-west-1") for name in ("s3", "sqs")}
    monkeypatch.setattr(boto3, "client", lambda name, **_: batch.client if name == "batch" else clients[name])
    return {"batch": batch, **clients}


def test_it_reads_the_version_that_arrived_and_submits(services: dict[str, Any]) -> None:
    body = b"".join(manifest(3))
    with Stubber(services["s3"]) as s3:
        place = {"Bucket": "arrived", "Key": MANIFEST["key"], "VersionId": "v1"}
        s3.add_response("get_object", {"Body": StreamingBody(io.BytesIO(body), len(body))}, place)
        handler.handle(EVENT, None)
    (job,) = services["batch"].submitted
    assert job["arrayProperties"] == {"size": 3}
    assert job["parameters"]["lines"] == f"0-{len(body) - 1}"
    assert (job["jobQueue"], job["jobDefinition"]) == ("ingest-development", "fraud-development-ingest")
    assert job["tags"] == {"whose": "fraud"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "it is empty; write a line for each object"), (None, "that version of it is not there any more")],
)
def test_a_manifest_that_makes_no_jobs_is_told_of(services: dict[str, Any], body: bytes | None, reason: str) -> None:
    with Stubber(services["s3"]) as s3, Stubber(services["sqs"]) as sqs:
        if body is None:
            s3.add_client_error("get_object", "NoSuchVersion")
        else:
            s3.add_response("get_object", {"Body": StreamingBody(io.BytesIO(body), len(body))})
        told = json.dumps({"problem": "a manifest made no jobs", "reason": reason, "parameters": MANIFEST})
        sqs.add_response("send_message", {}, {"QueueUrl": "https://sqs/dead", "MessageBody": told})
        handler.handle(EVENT, None)
        sqs.assert_no_pending_responses()
    assert services["batch"].submitted == []


def test_a_folder_is_no_manifest(services: dict[str, Any]) -> None:
    with Stubber(services["s3"]):  # nothing is read
        handler.handle({**EVENT, "object": {**EVENT["object"], "key": "fraud/development/manifests/"}}, None)
    assert services["batch"].submitted == []


def test_an_error_of_s3_is_left_to_lambda_to_try_again(services: dict[str, Any]) -> None:
    with Stubber(services["s3"]) as s3:
        s3.add_client_error("get_object", "AccessDenied")
        with pytest.raises(ClientError, match="AccessDenied"):
            handler.handle(EVENT, None)
