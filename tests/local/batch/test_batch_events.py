"""The events of Batch: what each tells, and listings as long as an account's."""

from typing import Any

from botocore.model import StructureShape

from aerodrome_local.batch_service.shapes import service_model

Batch = Any  # conftest's class, which a test module cannot import


def events(batch: Batch, job_id: str) -> list[dict[str, Any]]:
    """The state changes of a job, in order, once the service has stopped."""
    found: list[dict[str, Any]] = [
        detail
        for detail_type, detail, _ in batch.backend.events
        if detail_type == "Batch Job State Change" and detail["jobId"] == job_id
    ]
    return found


def test_each_event_tells_of_the_job_as_it_was_then(batch: Batch) -> None:
    batch.call("CreateSchedulingPolicy", name="policy")
    (policy,) = batch.call("ListSchedulingPolicies")["schedulingPolicies"]
    environment = batch.environment("environment", 8)
    queue = batch.queue("queue", environment, schedulingPolicyArn=policy["arn"])
    container = {
        "jobRoleArn": "arn:aws:iam::111122223333:role/job",
        "environment": [{"name": "A", "value": "1"}],
    }
    definition = batch.definition(
        "definition",
        "sh",
        "-c",
        "exit $((2 - AWS_BATCH_JOB_ATTEMPT))",
        container=container,
        retryStrategy={"attempts": 2},
        tags={"of": "definition"},
        schedulingPriority=1,
    )
    job_id = batch.submit(definition, shareIdentifier="research", tags={"aerodrome:project": "p"}, propagateTags=True)
    assert batch.ended(job_id)["status"] == "SUCCEEDED"
    batch.service.stop()
    story = events(batch, job_id)
    retried = ["RUNNABLE", "STARTING", "RUNNING"]
    assert [event["status"] for event in story] == [*retried, *retried, "SUCCEEDED"]
    shape = service_model().shape_for("JobDetail")
    assert isinstance(shape, StructureShape)
    assert all(event.keys() <= shape.members.keys() for event in story)
    for event in story:
        assert (event["jobId"], event["jobName"], event["jobQueue"]) == (job_id, "job", queue)
        assert (event["jobDefinition"], event["shareIdentifier"]) == (definition, "research")
        assert event["tags"] == {"aerodrome:project": "p", "resourceArn": event["jobArn"]}
        assert event["container"]["jobRoleArn"] == container["jobRoleArn"]
        assert event["container"]["environment"] == container["environment"]
        assert {"type": "VCPU", "value": "1"} in event["container"]["resourceRequirements"]
        assert event["retryStrategy"]["attempts"] == 2
        assert event["createdAt"] == story[0]["createdAt"]
    assert [len(event["attempts"]) for event in story] == [0, 0, 0, 1, 1, 1, 2]
    failed, succeeded = story[-1]["attempts"]
    assert (failed["container"]["exitCode"], succeeded["container"]["exitCode"]) == (1, 0)
    assert failed["statusReason"] == "Essential container in task exited"
    assert failed["startedAt"] <= failed["stoppedAt"] <= succeeded["startedAt"] <= story[-1]["stoppedAt"]
    assert failed["container"]["logStreamName"] != succeeded["container"]["logStreamName"]
    assert story[2]["container"]["logStreamName"] == failed["container"]["logStreamName"]
    assert "startedAt" not in story[0]
    assert "stoppedAt" not in story[-2]


def test_an_arrays_parent_and_each_child_have_events_of_their_own(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "sh", "-c", "exit $AWS_BATCH_JOB_ARRAY_INDEX")
    parent_id = batch.submit("definition", arrayProperties={"size": 2})
    batch.ended(parent_id)
    batch.service.stop()
    parent = events(batch, parent_id)
    assert [event["status"] for event in parent] == ["PENDING", "FAILED"]
    summary = {status: count for status, count in parent[-1]["arrayProperties"]["statusSummary"].items() if count}
    assert (parent[-1]["arrayProperties"]["size"], summary) == (2, {"SUCCEEDED": 1, "FAILED": 1})
    for index, last in enumerate(("SUCCEEDED", "FAILED")):
        child = events(batch, f"{parent_id}:{index}")
        assert [event["status"] for event in child] == ["RUNNABLE", "STARTING", "RUNNING", last]
        assert {event["arrayProperties"]["index"] for event in child} == {index}


def test_a_job_that_blocks_its_queue_is_told_of_once_for_each_reason(batch: Batch) -> None:
    queue = batch.queue("queue", batch.environment("environment", 2))
    definition = batch.definition("large", "true", vcpus="4")
    first, second = batch.submit(definition), batch.submit(definition)
    reason = batch.reason(first)
    batch.call("CancelJob", jobId=first, reason="too large")
    assert batch.reason(second) == reason
    batch.service.stop()
    blocked = [event for event in batch.backend.events if event[0] == "Batch Job Queue Blocked"]
    assert [detail["jobId"] for _, detail, _ in blocked] == [first, second]
    for _, detail, resources in blocked:
        assert resources == [detail["jobArn"], queue]
        assert (detail["status"], detail["statusReason"]) == ("RUNNABLE", reason)
        assert reason.startswith("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE")


def test_a_definition_with_600_revisions_is_listed_page_by_page(batch: Batch) -> None:
    for _ in range(600):
        newest = batch.definition("revised", "true")
    batch.call("DeregisterJobDefinition", jobDefinition="revised:7")
    found: list[int] = []
    request: dict[str, Any] = {"jobDefinitionName": "revised", "status": "ACTIVE"}
    pages = 0
    while True:
        answer = batch.call("DescribeJobDefinitions", **request)
        pages += 1
        found += [each["revision"] for each in answer["jobDefinitions"]]
        if "nextToken" not in answer:
            break
        request["nextToken"] = answer["nextToken"]
    assert newest.endswith(":600")
    assert found == [revision for revision in range(600, 0, -1) if revision != 7]
    assert pages == 6


def test_a_listing_holds_1000_jobs_and_a_filtered_one_100(batch: Batch) -> None:
    batch.simple_queue()
    definition = batch.definition("definition", "true")
    for _ in range(120):
        batch.submit(definition)
    batch.eventually(
        lambda: len(batch.call("ListJobs", jobQueue="queue", jobStatus="SUCCEEDED")["jobSummaryList"]) == 120
    )
    filtered = batch.call("ListJobs", jobQueue="queue", filters=[{"name": "JOB_NAME", "values": ["JOB"]}])
    assert len(filtered["jobSummaryList"]) == 100
    assert "nextToken" in filtered
