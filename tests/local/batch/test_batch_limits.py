"""What is too large, too long or too much, and how many jobs a listing gives."""

from typing import Any

import pytest

from aerodrome_local.batch_service.errors import ClientException

Batch = Any  # conftest's class, which a test module cannot import
MakeBatch = Any

FARGATE_ROLE = "arn:aws:iam::111122223333:role/execution"


def fargate(**container: Any) -> dict[str, Any]:  # noqa: ANN401 - as AWS
    requirements = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    return {"resourceRequirements": requirements, "executionRoleArn": FARGATE_ROLE, **container}


def test_a_submission_and_a_definition_have_a_size_they_must_not_reach(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "true")
    with pytest.raises(ClientException, match="Job size must be less than 30 KiB, got 31 KiB"):
        batch.submit("definition", parameters={"many": "x" * (30 * 1024)})
    with pytest.raises(ClientException, match="Job definition size must be less than 24 KiB, got 25 KiB"):
        batch.definition("definition", "x" * (24 * 1024))
    assert batch.submit("definition", parameters={"many": "x" * (29 * 1024)})


LONG = "x" * 8200
TOO_LONG = "Container Overrides length must be at most 8192"


@pytest.mark.parametrize(
    ("defined", "request_", "starts"),
    [
        (["true"], {"containerOverrides": {"environment": [{"name": "LONG", "value": LONG}]}}, False),
        (["true"], {"containerOverrides": {"environment": [{"name": "LONG", "value": LONG[:7800]}]}}, True),
        # Short of 8,192 by itself, and beyond it with Batch's own variables.
        (["true"], {"containerOverrides": {"environment": [{"name": "LONG", "value": LONG[:8000]}]}}, False),
        (["true"], {"containerOverrides": {"command": ["true", LONG]}}, False),
        (["true", LONG], {"containerOverrides": {"command": ["true"]}}, True),
        (["true", "Ref::word"], {"parameters": {"word": LONG}}, False),
        (["true"], {"parameters": {"word": LONG}}, True),
        (["true", LONG, "Ref::word"], {}, False),
        (["true", LONG[:7800], "Ref::word"], {}, True),
        (["true", LONG], {}, True),
    ],
    ids=[
        "environment",
        "short environment",
        "environment that leaves no room for Batch's own",
        "command",
        "short command instead",
        "parameter",
        "parameter that is not used",
        "parameter in a long command",
        "parameter in a shorter command",
        "as defined",
    ],
)
def test_overrides_that_are_too_long_fail_the_job_when_it_is_to_start(
    batch: Batch,
    defined: list[str],
    request_: dict[str, Any],
    starts: bool,  # noqa: FBT001 - a case
) -> None:
    batch.simple_queue()
    batch.definition("definition", *defined, parameters={"word": "default"})
    job = batch.ended(batch.submit("definition", **request_))
    if starts:
        assert job["status"] == "SUCCEEDED"
    else:
        assert (job["status"], job["attempts"]) == ("FAILED", [])
        assert job["statusReason"] == TOO_LONG


@pytest.mark.parametrize(
    ("submitted", "letters"), [({}, 7_890), ({"arrayProperties": {"size": 10}}, 7_790)], ids=["job", "array"]
)
def test_the_longest_overrides_that_start(batch: Batch, submitted: dict[str, Any], letters: int) -> None:
    """8,192 less the JSON around one variable, 86, and Batch's own: 216, or 316 with place and size of an array."""
    batch.simple_queue()
    batch.definition("definition", "true")
    for more, status in ((0, "SUCCEEDED"), (1, "FAILED")):
        environment = [{"name": "LONG", "value": "x" * (letters + more)}]
        job_id = batch.submit("definition", containerOverrides={"environment": environment}, **submitted)
        assert batch.ended(job_id)["status"] == status


def test_what_fargate_is_told_is_shown_as_it_was_told(batch: Batch) -> None:
    batch.queue("queue", batch.environment("environment", 4, "FARGATE"))
    given = fargate(
        ephemeralStorage={"sizeInGiB": 100},
        fargatePlatformConfiguration={"platformVersion": "1.4.0"},
        runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        networkConfiguration={"assignPublicIp": "DISABLED"},
    )
    batch.definition("definition", "true", platformCapabilities=["FARGATE"], container=given)
    job = batch.ended(batch.submit("definition"))
    assert job["status"] == "SUCCEEDED"
    assert {name: job["container"][name] for name in given} == given
    assert job["platformCapabilities"] == ["FARGATE"]


def test_shared_memory_is_shown_as_it_was_told(batch: Batch) -> None:
    batch.simple_queue()
    given = {"sharedMemorySize": 4096, "initProcessEnabled": True}
    batch.definition("definition", "true", container={"linuxParameters": given})
    assert batch.ended(batch.submit("definition"))["container"]["linuxParameters"] == given


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"ephemeralStorage": {"sizeInGiB": 20}}, "ephemeralStorage.sizeInGiB=20: must be from 21 to 200"),
        ({"ephemeralStorage": {"sizeInGiB": 201}}, "ephemeralStorage.sizeInGiB=201: must be from 21 to 200"),
        ({"linuxParameters": {"sharedMemorySize": 64}}, "linuxParameters.sharedMemorySize not applicable for Fargate"),
    ],
)
def test_what_fargate_does_not_have_is_refused(batch: Batch, container: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientException, match=message):
        batch.definition("definition", "true", platformCapabilities=["FARGATE"], container=fargate(**container))


def test_an_arrays_children_are_listed_page_by_page_and_ended_whatever_they_do(make_batch: MakeBatch) -> None:
    batch = make_batch(slots=16)
    batch.simple_queue(vcpus=10_000)
    batch.definition("definition", "sleep", "60")
    parent = batch.submit("definition", arrayProperties={"size": 2500})
    # Some are STARTING, with or without a process by now, some RUNNING, and most of them wait.
    batch.call("TerminateJob", jobId=parent, reason="enough")
    job = batch.ended(parent)
    assert (job["status"], job["statusReason"]) == ("FAILED", "enough")
    assert job["arrayProperties"]["statusSummary"]["FAILED"] == 2500
    pages = [batch.call("ListJobs", arrayJobId=parent, jobStatus="FAILED")]
    while token := pages[-1].get("nextToken"):
        pages.append(batch.call("ListJobs", arrayJobId=parent, jobStatus="FAILED", nextToken=token))
    sizes = [len(page["jobSummaryList"]) for page in pages]
    found = {each["jobId"] for page in pages for each in page["jobSummaryList"]}
    assert sizes == [1000, 1000, 500]
    assert found == {f"{parent}:{index}" for index in range(2500)}
    assert batch.call("ListJobs", arrayJobId=parent, jobStatus="RUNNING")["jobSummaryList"] == []


def test_a_listing_says_of_those_jobs_only_that_they_were_cancelled_or_terminated(batch: Batch) -> None:
    batch.simple_queue(vcpus=1)
    batch.definition("definition", "sleep", "60")
    first, second = batch.submit("definition", name="first"), batch.submit("definition", name="second")
    batch.until(first, "RUNNING")
    batch.call("CancelJob", jobId=second, reason="not needed")
    (waiting,) = batch.call("ListJobs", jobQueue="queue", jobStatus="FAILED")["jobSummaryList"]
    assert waiting["isCancelled"] is True
    assert "isTerminated" not in waiting
    (running,) = batch.call("ListJobs", jobQueue="queue")["jobSummaryList"]
    assert not {"isCancelled", "isTerminated"} & running.keys()
    batch.call("TerminateJob", jobId=first, reason="not needed")
    batch.ended(first)
    found = batch.call("ListJobs", jobQueue="queue", filters=[{"name": "JOB_NAME", "values": ["FIR*"]}])
    assert found["jobSummaryList"][0]["isTerminated"] is True


def test_jobs_of_a_name_are_listed_whatever_its_letters_and_the_newest_first(batch: Batch) -> None:
    batch.simple_queue(vcpus=1)
    batch.definition("definition", "true")
    for name in ("run-a", "other", "RUN-B"):
        batch.submit("definition", name=name)
    found = batch.call("ListJobs", jobQueue="queue", filters=[{"name": "JOB_NAME", "values": ["Run-*"]}])
    assert [each["jobName"] for each in found["jobSummaryList"]] == ["RUN-B", "run-a"]
