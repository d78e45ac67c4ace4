"""What arrives in S3 becomes jobs whose output is in S3: none lost, none doubled, and what fails told of with a reason.

On the deployed platform: real jobs, real events, a real function and a real state machine.
"""

import json
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.batch_queues import ingest_queue_name
from aerodrome_stacks.ingest_stack import chain_name, dead_letters_name
from ingest_load import Ingest, table, until
from tests.local.account import Account

PLACE = "fraud-detection/development"
# Far beyond what any of it takes: on a busy machine a job takes seconds to start.
PATIENCE = 300.0


@pytest.fixture(scope="module")
def ingest(dev: Account) -> Ingest:
    """The ingest of a project in its only domain of dev."""
    return Ingest(
        client=dev.client,
        input=dev.bucket("BatchInput"),
        output=dev.bucket("BatchOutput"),
        place=PLACE,
        queue=ingest_queue_name(dev.environment, "development"),
        dead_letters=dead_letters_name(dev.environment),
    )


@pytest.fixture
def twice(embedded_aws: EmbeddedAws) -> Iterator[Callable[[int], None]]:
    """Has every so many events delivered twice, as at-least-once delivery may."""
    yield lambda every: embedded_aws.act("events", duplicateEvery=every)
    embedded_aws.act("events", duplicateEvery=0)


def put(ingest: Ingest, name: str, body: bytes) -> str:
    return ingest.put({name: body})[name]


def ended_jobs(ingest: Ingest, name: str, key: str) -> list[dict[str, Any]]:
    """The jobs of a name that work for keys that begin so, once all have ended."""

    def look() -> list[dict[str, Any]]:
        ids = [job["jobId"] for job in ingest.jobs(name)]
        return [job for job in ingest.described(ids) if job["parameters"]["key"].startswith(f"{PLACE}/{key}")]

    def all_ended(jobs: list[dict[str, Any]]) -> bool:
        return bool(jobs) and all(job["status"] in {"SUCCEEDED", "FAILED"} for job in jobs)

    return until(look, all_ended, PATIENCE)


def letters_of(ingest: Ingest, key: str) -> list[dict[str, Any]]:
    """What the dead-letter queue says of one object, once it says something."""
    found: list[dict[str, Any]] = []
    named = json.dumps(f"{PLACE}/{key}", ensure_ascii=False)[1:-1]

    def look() -> list[dict[str, Any]]:
        found.extend(ingest.letters())
        return [letter for letter in found if named in json.dumps(letter, ensure_ascii=False)]

    return until(look, bool, PATIENCE)


def output(ingest: Ingest, key: str) -> tuple[dict[str, Any], dict[str, str]]:
    """An output and its metadata."""
    found = ingest.client("s3").get_object(Bucket=ingest.output, Key=key)
    return json.load(found["Body"]), found["Metadata"]


def reclaim_hosts(dev: Account, ingest: Ingest, count: int) -> set[str]:
    """Take the host of so many running jobs away, of each once, as EC2 does with spot instances."""
    batch = ingest.client("batch")
    taken: set[str] = set()

    def take_more() -> set[str]:
        for job in batch.list_jobs(jobQueue=ingest.queue, jobStatus="RUNNING")["jobSummaryList"]:
            if len(taken) < count and job["jobId"] not in taken and reclaim_host(dev, job["jobId"]):
                taken.add(job["jobId"])
        return taken

    return until(take_more, lambda found: len(found) >= count, PATIENCE)


def reclaim_host(dev: Account, job_id: str) -> bool:
    """Take the host of a job away. False: the job had ended before."""
    try:
        dev.reclaim_host(job_id)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True


def test_every_object_has_one_output_although_hosts_go_and_events_come_twice(
    dev: Account, ingest: Ingest, twice: Callable[[int], None]
) -> None:
    count, reclaimed, repeated = 200, 20, 10
    twice(count // repeated)
    versions = ingest.put({f"inbox/many/{number:03}.csv": table(number) for number in range(count)})
    taken = reclaim_hosts(dev, ingest, reclaimed)
    until(lambda: ingest.outputs("profiles/inbox/many"), lambda found: len(found) >= count, PATIENCE)
    jobs = ended_jobs(ingest, "ingest-object-fraud-detection", "inbox/many/")

    outputs = ingest.outputs("profiles/inbox/many")
    assert sorted(outputs) == sorted(f"{PLACE}/profiles/{name}/{versions[name]}.json" for name in versions)
    assert len(jobs) == count + repeated
    assert {job["status"] for job in jobs} == {"SUCCEEDED"}
    again = [job for job in jobs if len(job["attempts"]) > 1]
    assert {job["jobId"] for job in again} == taken
    assert {job["attempts"][0]["statusReason"].partition(" (")[0] for job in again} == {"Host EC2"}
    ids = {job["jobId"] for job in jobs}
    for name, version in list(versions.items())[::20]:
        profile, metadata = output(ingest, f"{PLACE}/profiles/{name}/{version}.json")
        number = int(name[-7:-4])
        assert profile["input"] == {"bucket": ingest.input, "key": f"{PLACE}/{name}", "version": version}
        assert profile["columns"]["id"] == {
            "type": "number",
            "nulls": 0,
            "min": number,
            "max": number + 1,
            "mean": number + 0.5,
        }
        assert metadata["input-version"] == version
        assert metadata["job-id"] in ids


def test_each_version_of_an_object_has_its_own_output(ingest: Ingest) -> None:
    name = "inbox/versions/a b+ü%20&'.csv"
    versions = [put(ingest, name, table(number)) for number in (1, 2)]
    expected = [f"{PLACE}/profiles/{name}/{version}.json" for version in versions]
    until(lambda: sorted(ingest.outputs("profiles/inbox/versions")), lambda found: found == sorted(expected), PATIENCE)
    lowest = [output(ingest, key)[0]["columns"]["id"]["min"] for key in expected]
    assert lowest == [1, 2], "each job read the version that its event told of"
    (first, _) = ended_jobs(ingest, "ingest-object-fraud-detection", "inbox/versions/")
    assert first["parameters"]["size"] == str(len(table(1)))


def test_a_manifest_becomes_an_array_job(ingest: Ingest) -> None:
    versions = ingest.put({f"stock/{number:03}.csv": table(number) for number in range(100)})
    # A later version must not be taken for the one that the manifest names.
    put(ingest, "stock/007.csv", table(7_000))
    lines = [json.dumps({"key": f"{PLACE}/{name}", "version": version}) for name, version in versions.items()]
    put(ingest, "manifests/hundred.jsonl", "\n".join(lines).encode())
    expected = sorted(f"{PLACE}/profiles/{name}/{version}.json" for name, version in versions.items())
    until(lambda: sorted(ingest.outputs("profiles/stock")), lambda found: len(found) >= len(expected), PATIENCE)
    assert sorted(ingest.outputs("profiles/stock")) == expected
    (job,) = ended_jobs(ingest, "manifest-", "manifests/hundred.jsonl")
    assert job["status"] == "SUCCEEDED"
    assert job["arrayProperties"]["size"] == 100
    assert job["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 100


def test_a_manifest_that_comes_again_is_not_submitted_again(dev: Account, ingest: Ingest) -> None:
    stocked = put(ingest, "stock/lone.csv", table(1))
    version = put(ingest, "manifests/again.jsonl", json.dumps({"key": f"{PLACE}/stock/lone.csv"}).encode())
    (job,) = ended_jobs(ingest, "manifest-", "manifests/again.jsonl")
    assert "arrayProperties" not in job, "one line is a plain job"
    arrived = {"key": f"{PLACE}/manifests/again.jsonl", "version-id": version, "size": 1}
    event = {"bucket": {"name": ingest.input}, "object": arrived}
    function = dev.resource("ingest", "AWS::Lambda::Function", "ManifestsFunction")
    answer = dev.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert [one["jobId"] for one in ended_jobs(ingest, "manifest-", "manifests/again.jsonl")] == [job["jobId"]]
    assert ingest.outputs("profiles/stock/lone.csv") == [f"{PLACE}/profiles/stock/lone.csv/{stocked}.json"]


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("empty", b"", "it is empty; write a line for each object"),
        ("wrong", b'{"key": "a"}\n{"kye": "b"}\n', 'line 2 names no object: \'{"kye": "b"}\''),
    ],
)
def test_a_wrong_manifest_makes_no_job_and_says_why(ingest: Ingest, name: str, body: bytes, reason: str) -> None:
    put(ingest, f"manifests/{name}.jsonl", body)
    (letter,) = letters_of(ingest, f"manifests/{name}.jsonl")
    assert letter["body"]["problem"] == "a manifest made no jobs"
    assert letter["body"]["reason"].startswith(reason)
    own = [job["jobId"] for job in ingest.jobs("manifest-")]
    assert not [job for job in ingest.described(own) if job["parameters"]["key"].endswith(f"/{name}.jsonl")]


def test_a_chain_of_three_jobs_waits_for_each(dev: Account, ingest: Ingest) -> None:
    version = put(ingest, "chain/orders.csv", table(5))
    published = f"{PLACE}/published/chain/orders.csv/{version}.json"
    until(lambda: ingest.outputs("published/chain"), lambda found: published in found, PATIENCE)
    document, _ = output(ingest, published)
    assert document["rows"] == 2
    records = ingest.client("s3").get_object(Bucket=ingest.output, Key=document["records"])["Body"].read()
    assert [json.loads(line) for line in records.splitlines()] == [
        {"id": 5, "amount": 12.5, "country": "DE"},
        {"id": 6, "amount": None, "country": "FR"},
    ]
    jobs = ended_jobs(ingest, "chain-", "chain/orders.csv")
    by_step = {job["parameters"]["step"]: job for job in jobs}
    profile, convert, publish = (by_step[step] for step in ("profile", "convert", "publish"))
    assert profile["stoppedAt"] <= convert["createdAt"]
    assert convert["stoppedAt"] <= publish["createdAt"]
    # What it published is there a moment before it is told of its end.
    mine = f"{PLACE}/chain/orders.csv"
    until(lambda: executions(dev), lambda found: ("SUCCEEDED", mine) in found, PATIENCE)
    assert [status for status, key in executions(dev) if key == mine] == ["SUCCEEDED"]


def test_a_chain_that_comes_twice_publishes_once(dev: Account, ingest: Ingest, twice: Callable[[int], None]) -> None:
    twice(1)
    version = put(ingest, "chain/twice.csv", table(8))

    def ended() -> list[str]:
        return [status for status, key in executions(dev) if key.endswith("chain/twice.csv") and status != "RUNNING"]

    assert until(ended, lambda found: len(found) == 2, PATIENCE) == ["SUCCEEDED", "SUCCEEDED"]
    for folder, suffix in (("profiles", "json"), ("records", "jsonl"), ("published", "json")):
        place = f"{PLACE}/{folder}/chain/twice.csv/{version}.{suffix}"
        assert ingest.outputs(f"{folder}/chain/twice.csv") == [place]


def executions(dev: Account) -> list[tuple[str, str]]:
    """The status of each execution of the chain, and the key that it is of."""
    states = dev.client("stepfunctions")
    arn = f"arn:aws:states:{dev.environment.region}:{dev.id}:stateMachine:{chain_name(dev.environment)}"
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=arn)
    found = [one["executionArn"] for page in pages for one in page["executions"]]
    details = [states.describe_execution(executionArn=arn) for arn in found]
    return [(detail["status"], json.loads(detail["input"])["object"]["key"]) for detail in details]


def test_a_poisoned_object_is_tried_once_and_told_of_with_the_reason(ingest: Ingest) -> None:
    version = put(ingest, "inbox/poison/ragged.csv", b"id,amount\n1,2\n3\n")
    (letter,) = letters_of(ingest, "inbox/poison/ragged.csv")
    (job,) = ended_jobs(ingest, "ingest-object-fraud-detection", "inbox/poison/")
    body, failed = letter["body"], letter["body"]["job"]
    assert body["problem"] == "a job failed"
    assert body["meaning"].startswith("the object is not what the job takes")
    assert (failed["parameters"]["key"], failed["parameters"]["version"]) == (
        f"{PLACE}/inbox/poison/ragged.csv",
        version,
    )
    assert failed["jobId"] == job["jobId"]
    (attempt,) = failed["attempts"]
    assert attempt["container"]["exitCode"] == 65
    stream = attempt["container"]["logStreamName"]
    group = failed["container"]["logConfiguration"]["options"]["awslogs-group"]
    events = ingest.client("logs").get_log_events(logGroupName=group, logStreamName=stream)["events"]
    assert [event["message"] for event in events] == [
        f"{PLACE}/inbox/poison/ragged.csv is refused: line 3 has 1 fields; the header has 2"
    ]
    assert ingest.outputs("profiles/inbox/poison") == []


# The bucket's policy refuses such a key on AWS, and is not evaluated here: these show what holds without it.
EVIL = 'evil","version":"1","size":"1"},"ContainerOverrides":{"Command":["env"]},"Z":{"a":"'


def test_a_key_that_is_json_orders_no_command(ingest: Ingest) -> None:
    put(ingest, f"inbox/{EVIL}", table(1))
    (letter,) = letters_of(ingest, f"inbox/{EVIL}")
    assert letter["body"]["detail"]["object"]["key"] == f"{PLACE}/inbox/{EVIL}"
    assert letter["ERROR_CODE"] == "INVALID_JSON"
    jobs = list(ingest.described([job["jobId"] for job in ingest.jobs("ingest-object-")]))
    assert jobs
    assert [job for job in jobs if "evil" in job["parameters"]["key"] or job["container"]["command"] == ["env"]] == []


def test_a_manifests_key_that_is_json_is_a_key(ingest: Ingest) -> None:
    put(ingest, f"manifests/{EVIL}", b"no manifest")
    (letter,) = letters_of(ingest, f"manifests/{EVIL}")
    assert letter["body"]["problem"] == "a manifest made no jobs"
    assert letter["body"]["parameters"]["key"] == f"{PLACE}/manifests/{EVIL}"


def test_a_chains_key_that_is_json_is_a_key(ingest: Ingest) -> None:
    version = put(ingest, f"chain/{EVIL}", table(3))
    published = f"{PLACE}/published/chain/{EVIL}/{version}.json"
    until(lambda: ingest.outputs("published/chain"), lambda found: published in found, PATIENCE)
    jobs = ended_jobs(ingest, "chain-", f"chain/{EVIL}")
    assert {job["status"] for job in jobs} == {"SUCCEEDED"}
    assert {job["parameters"]["key"] for job in jobs} == {f"{PLACE}/chain/{EVIL}"}


def test_jobs_of_manifests_and_chains_say_whose_they_are(ingest: Ingest) -> None:
    line = json.dumps({"key": f"{PLACE}/stock/tagged.csv"}).encode()
    put(ingest, "stock/tagged.csv", table(1))
    put(ingest, "manifests/tagged.jsonl", line)
    put(ingest, "chain/tagged.csv", table(1))
    jobs = [
        *ended_jobs(ingest, "manifest-", "manifests/tagged.jsonl"),
        *ended_jobs(ingest, "chain-", "chain/tagged.csv"),
    ]
    own = {"aerodrome:project": "fraud-detection", "aerodrome:domain": "development"}
    assert [job["tags"] for job in jobs] == [own] * len(jobs)


def test_a_chain_without_an_object_is_told_of(dev: Account, ingest: Ingest) -> None:
    arn = f"arn:aws:states:{dev.environment.region}:{dev.id}:stateMachine:{chain_name(dev.environment)}"
    given = {"object": {"key": f"{PLACE}/chain/half"}}
    dev.client("stepfunctions").start_execution(stateMachineArn=arn, input=json.dumps(given))
    (letter,) = letters_of(ingest, "chain/half")
    assert letter["body"]["reason"] == "the input is no detail of an event of S3"
    assert letter["body"]["input"] == given


def test_a_poisoned_line_of_a_manifest_is_told_of_alone(ingest: Ingest) -> None:
    good = put(ingest, "stock/good.csv", table(1))
    lines = [{"key": f"{PLACE}/stock/good.csv"}, {"key": f"{PLACE}/stock/not-there.csv"}]
    put(ingest, "manifests/half.jsonl", "\n".join(map(json.dumps, lines)).encode())
    (letter,) = letters_of(ingest, "manifests/half.jsonl")
    assert letter["body"]["meaning"].startswith("there is no such version")
    (parent,) = ended_jobs(ingest, "manifest-", "manifests/half.jsonl")
    assert parent["status"] == "FAILED"
    assert letter["body"]["job"]["jobId"] == f"{parent['jobId']}:1"
    assert ingest.outputs("profiles/stock/good.csv") == [f"{PLACE}/profiles/stock/good.csv/{good}.json"]


def test_a_chain_that_breaks_off_is_told_of_once(dev: Account, ingest: Ingest) -> None:
    put(ingest, "chain/broken.csv", b"\xff\xfe\x00")
    (letter,) = letters_of(ingest, "chain/broken.csv")
    assert letter["body"]["problem"] == "a chain of jobs broke off"
    assert letter["body"]["attempts"][0]["Container"]["ExitCode"] == 65
    until(lambda: executions(dev), lambda found: ("FAILED", f"{PLACE}/chain/broken.csv") in found, PATIENCE)
    assert len(ended_jobs(ingest, "chain-", "chain/broken.csv")) == 1, "the steps after it were not begun"
    assert ingest.letters() == []


def test_an_event_that_finds_no_job_definition_is_kept_with_the_error(dev: Account, ingest: Ingest) -> None:
    batch = ingest.client("batch")
    name = "aerodrome-dev-demand-forecast-development-ingest-object"
    (definition,) = batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
    batch.deregister_job_definition(jobDefinition=definition["jobDefinitionArn"])
    try:
        other = Ingest(
            client=ingest.client,
            input=ingest.input,
            output=ingest.output,
            place="demand-forecast/development",
            queue=ingest.queue,
            dead_letters=ingest.dead_letters,
        )
        put(other, "inbox/early.csv", table(1))
        (letter,) = until(other.letters, bool, PATIENCE)
    finally:
        kept = ("parameters", "retryStrategy", "containerProperties", "timeout", "platformCapabilities", "tags")
        batch.register_job_definition(
            jobDefinitionName=name,
            type="container",
            propagateTags=True,
            **{key: definition[key] for key in kept if key in definition},
        )
    assert letter["body"]["detail"]["object"]["key"] == "demand-forecast/development/inbox/early.csv"
    assert letter["RULE_ARN"].startswith(f"arn:aws:events:{dev.environment.region}:{dev.id}:rule/aerodrome-dev-ingest-")
    assert letter["TARGET_ARN"].endswith("job-queue/aerodrome-dev-ingest-development")
    assert letter["ERROR_CODE"]
    assert name in letter["ERROR_MESSAGE"]
