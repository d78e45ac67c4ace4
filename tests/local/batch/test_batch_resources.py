"""Compute environments, queues, definitions and policies: what is accepted, what is refused, and how it is found."""

from typing import Any

import pytest

from aerodrome_local.batch_service.errors import ClientException, ServerException

Batch = Any  # conftest's class, which a test module cannot import

RESOURCES = {
    "type": "EC2",
    "maxvCpus": 4,
    "subnets": ["subnet-1"],
    "securityGroupIds": ["sg-1"],
    "instanceRole": "ecsInstanceRole",
}
FARGATE = {"type": "FARGATE", "maxvCpus": 4, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]}
CONTAINER = {
    "image": "busybox",
    "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
}


def fargate_container(vcpus: str, memory: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as AWS
    requirements = [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]
    return {"image": "busybox", "executionRoleArn": "role", "resourceRequirements": requirements, **more}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "SPOTS"}, r"'computeResources.type'.*\[EC2, SPOT, FARGATE, FARGATE_SPOT, ECS_MANAGED_INSTANCES\]"),
        ({"maxvCpus": None}, "Value null at 'computeResources.maxvCpus'"),
        ({"maxvCpus": "4"}, "'computeResources.maxvCpus' .* must be a value of type integer"),
        ({"maxVcpus": 4}, "Unknown member 'computeResources.maxVcpus'"),
        ({"subnets": []}, "subnets must not be empty"),
        ({"minvCpus": 5}, "minvCpus=5 must be from 0 to maxvCpus=4"),
        ({"desiredvCpus": 5}, "desiredvCpus=5 must be from minvCpus=0"),
        ({"instanceRole": None}, "instanceRole must be provided"),
        ({"bidPercentage": 50}, "bidPercentage is for type SPOT only"),
        ({"allocationStrategy": "SPOT_CAPACITY_OPTIMIZED"}, "is for type SPOT only"),
        ({"type": "SPOT"}, "spotIamFleetRole must be provided for SPOT with BEST_FIT"),
        ({"type": "FARGATE"}, "instanceRole not applicable for Fargate"),
        ({"launchTemplate": {"version": "1"}}, "exactly one of launchTemplateId and launchTemplateName"),
        ({"instanceTypes": ["m7i", "g4dn.xlarge", "c7gn"]}, "ARM64 and X86_64 instances can't be mixed"),
    ],
)
def test_compute_resources_that_aws_refuses_are_refused(batch: Batch, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientException, match=message):
        batch.call(
            "CreateComputeEnvironment",
            computeEnvironmentName="environment",
            type="MANAGED",
            computeResources={**RESOURCES, **changes},
        )
    assert batch.call("DescribeComputeEnvironments")["computeEnvironments"] == []


@pytest.mark.parametrize(
    ("request_members", "message"),
    [
        ({"type": "MANAGED"}, "computeResources must be provided"),
        ({"type": "UNMANAGED", "computeResources": RESOURCES}, "must not be provided for an UNMANAGED"),
        ({"type": "MANAGED", "computeEnvironmentName": "no spaces"}, "computeEnvironmentName 'no spaces'"),
        (
            {"type": "MANAGED", "eksConfiguration": {"eksClusterArn": "a", "kubernetesNamespace": "b"}},
            "runs container jobs only",
        ),
    ],
)
def test_compute_environments_that_aws_refuses_are_refused(
    batch: Batch, request_members: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientException, match=message):
        batch.call("CreateComputeEnvironment", **{"computeEnvironmentName": "environment", **request_members})


def test_a_compute_environment_on_a_network_that_does_not_exist_is_invalid(batch: Batch) -> None:
    batch.backend.network_problem = "CLIENT_ERROR - The subnet ID 'subnet-1' does not exist"
    batch.call(
        "CreateComputeEnvironment", computeEnvironmentName="environment", type="MANAGED", computeResources=RESOURCES
    )
    batch.eventually(lambda: batch.environment_detail("environment")["status"] == "INVALID")
    assert batch.environment_detail("environment")["statusReason"] == batch.backend.network_problem
    with pytest.raises(ClientException, match="must be created and valid before attaching"):
        batch.queue("queue", "environment")


def test_a_compute_environment_is_deleted_when_it_is_disabled_and_no_queue_uses_it(batch: Batch) -> None:
    batch.simple_queue()
    with pytest.raises(ClientException, match="found existing JobQueue relationship"):
        batch.call("DeleteComputeEnvironment", computeEnvironment="environment")
    with pytest.raises(ClientException, match="state must be DISABLED"):
        batch.call("DeleteJobQueue", jobQueue="queue")
    batch.call("UpdateJobQueue", jobQueue="queue", state="DISABLED")
    batch.call("DeleteJobQueue", jobQueue="queue")
    with pytest.raises(ClientException, match="state must be DISABLED"):
        batch.call("DeleteComputeEnvironment", computeEnvironment="environment")
    batch.call("UpdateComputeEnvironment", computeEnvironment="environment", state="DISABLED")
    batch.call("DeleteComputeEnvironment", computeEnvironment="environment")
    assert batch.call("DescribeJobQueues")["jobQueues"] == []
    assert batch.call("DescribeComputeEnvironments")["computeEnvironments"] == []


def delete_environment_under_a_job(batch: Batch, kind: str, definition: str) -> str:
    """Delete a compute environment on which a job runs, with another in the queue, and return the job's ID."""
    batch.queue("queue", batch.environment("old", 1, kind))
    job_id: str = batch.submit(definition)
    batch.until(job_id, "RUNNING")
    order = [{"order": 1, "computeEnvironment": batch.environment("new", 1, kind)}]
    batch.call("UpdateJobQueue", jobQueue="queue", computeEnvironmentOrder=order)
    batch.call("UpdateComputeEnvironment", computeEnvironment="old", state="DISABLED")
    batch.eventually(lambda: batch.environment_detail("old")["status"] == "VALID")
    batch.call("DeleteComputeEnvironment", computeEnvironment="old")
    return job_id


def test_a_deleted_compute_environments_instances_go_and_their_jobs_are_tried_again(batch: Batch) -> None:
    rules = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    retry = {"attempts": 2, "evaluateOnExit": rules}
    batch.definition("definition", "sh", "-c", "test $AWS_BATCH_CE_NAME = new || sleep 60", retryStrategy=retry)
    job = batch.ended(delete_environment_under_a_job(batch, "EC2", "definition"))
    assert job["status"] == "SUCCEEDED"
    assert [attempt["statusReason"][:19] for attempt in job["attempts"]] == [
        "Host EC2 (instance ",
        "Essential container",
    ]


def test_a_fargate_compute_environment_with_jobs_is_not_deleted_but_invalid(batch: Batch) -> None:
    container = fargate_container("1", "2048")
    batch.definition("definition", "sleep", "60", platformCapabilities=["FARGATE"], container=container)
    job_id = delete_environment_under_a_job(batch, "FARGATE", "definition")
    assert batch.environment_detail("old")["status"] == "INVALID"
    assert batch.status(job_id) == "RUNNING"
    batch.call("TerminateJob", jobId=job_id, reason="make way")
    batch.ended(job_id)
    batch.call("DeleteComputeEnvironment", computeEnvironment="old")
    assert [one["computeEnvironmentName"] for one in environments(batch)] == ["new"]


def environments(batch: Batch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = batch.call("DescribeComputeEnvironments")["computeEnvironments"]
    return found


def test_a_deleted_queues_jobs_end(batch: Batch) -> None:
    batch.simple_queue(vcpus=1)
    batch.definition("definition", "sleep", "60")
    running, waiting = batch.submit("definition"), batch.submit("definition")
    batch.until(running, "RUNNING")
    batch.call("UpdateJobQueue", jobQueue="queue", state="DISABLED")
    with pytest.raises(ClientException, match="is DISABLED; a job queue must be ENABLED to take jobs"):
        batch.submit("definition")
    batch.call("DeleteJobQueue", jobQueue="queue")
    for job_id in (running, waiting):
        assert batch.ended(job_id)["statusReason"] == "JobQueue deleted"


def test_what_a_queue_may_be_attached_to(batch: Batch) -> None:
    ec2, fargate = batch.environment("ec2", 4), batch.environment("fargate", 4, "FARGATE")
    with pytest.raises(ClientException, match="can't be mixed"):
        batch.queue("queue", ec2, fargate)
    arm = batch.environment("arm", 4, instanceTypes=["c7g", "m8g"])
    x86 = batch.environment("x86", 4, instanceTypes=["c7a", "g5", "optimal"])
    with pytest.raises(ClientException, match="must share one architecture"):
        batch.queue("queue", x86, arm)
    with pytest.raises(ClientException, match="has 4 entries; a queue has 1 to 3"):
        batch.queue("queue", ec2, ec2, ec2, ec2)
    with pytest.raises(ClientException, match="compute-environment/nobody does not exist"):
        batch.queue("queue", "nobody")
    action = {"reason": "any", "state": "RUNNABLE", "maxTimeSeconds": 599, "action": "CANCEL"}
    with pytest.raises(ClientException, match="maxTimeSeconds=599 must be from 600 to 86400"):
        batch.queue("queue", ec2, jobStateTimeLimitActions=[action])
    batch.queue("queue", fargate)
    assert batch.call("DescribeJobQueues", jobQueues=["queue"])["jobQueues"][0]["jobQueueType"] == "ECS_FARGATE"
    with pytest.raises(ClientException, match="Object already exists"):
        batch.queue("queue", fargate)


def test_fargate_takes_only_jobs_that_are_made_for_it(batch: Batch) -> None:
    batch.queue("queue", batch.environment("environment", 4))
    batch.queue("fargate-queue", batch.environment("fargate", 4, "FARGATE_SPOT"))
    batch.definition("ec2-job", "true")
    container = fargate_container("0.25", "512")
    batch.definition("fargate-job", "true", platformCapabilities=["FARGATE"], container=container)
    with pytest.raises(ClientException, match="can not run Jobs with capability EC2"):
        batch.submit("ec2-job", queue="fargate-queue")
    with pytest.raises(ClientException, match="can not run Jobs with capability FARGATE"):
        batch.submit("fargate-job")
    job = batch.ended(batch.submit("fargate-job", queue="fargate-queue"))
    assert job["status"] == "SUCCEEDED"
    assert "containerInstanceArn" not in job["container"], "Fargate has no instances"
    assert "AWSBatch-fargate-" in job["container"]["taskArn"]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (fargate_container("0.25", "4096"), "MEMORY with VCPU=0.25 is one of 512, 1024, 2048"),
        (fargate_container("3", "4096"), "VCPU is one of 0.25, 0.5, 1, 2, 4, 8, 16"),
        (fargate_container("1", "2048", executionRoleArn=""), "EXECUTION_ROLE_ARN is required"),
        (fargate_container("1", "2048", privileged=True), "privileged not applicable for Fargate"),
    ],
)
def test_fargate_containers_that_aws_refuses_are_refused(batch: Batch, container: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientException, match=message):
        batch.definition("definition", "true", platformCapabilities=["FARGATE"], container=container)


@pytest.mark.parametrize(
    ("request_members", "message"),
    [
        ({"containerProperties": {**CONTAINER, "image": ""}}, "Container.image"),
        ({"containerProperties": {"image": "busybox"}}, "an entry of type VCPU"),
        ({"containerProperties": {**CONTAINER, "networkConfiguration": {}}}, "networkConfiguration not applicable"),
        ({"containerProperties": {**CONTAINER, "environment": [{"name": "AWS_BATCH_X"}]}}, "are reserved"),
        ({"retryStrategy": {"attempts": 11}}, "attempts=11: must be from 1 to 10"),
        ({"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT"}]}}, "needs at least one of"),
        ({"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onExitCode": "*1", "action": "EXIT"}]}}, r"'\*1'"),
        ({"timeout": {"attemptDurationSeconds": 59}}, "attemptDurationSeconds=59: must be at least 60"),
        ({"type": "multinode"}, "nodeProperties must not be empty"),
        ({"eksProperties": {"podProperties": {}}}, "jobs of one container, not jobs on EKS"),
        ({"jobDefinitionName": "no spaces"}, "should match valid pattern"),
        ({"schedulingPriority": 10_000}, "must be from 0 to 9999"),
        ({"tags": {f"tag{number}": "" for number in range(51)}}, "51 tags given"),
    ],
)
def test_definitions_that_aws_refuses_are_refused(batch: Batch, request_members: dict[str, Any], message: str) -> None:
    given = {"jobDefinitionName": "definition", "type": "container", "containerProperties": CONTAINER}
    with pytest.raises(ClientException, match=message):
        batch.call("RegisterJobDefinition", **{**given, **request_members})


def test_a_definition_has_revisions_and_the_latest_active_one_runs(batch: Batch) -> None:
    batch.simple_queue()
    arns = [batch.definition("definition", "echo", str(number)) for number in (1, 2, 3)]
    assert [arn.rpartition(":")[2] for arn in arns] == ["1", "2", "3"]
    assert batch.ended(batch.submit("definition"))["jobDefinition"] == arns[2]
    batch.call("DeregisterJobDefinition", jobDefinition="definition:3")
    assert batch.ended(batch.submit("definition"))["jobDefinition"] == arns[1]
    assert batch.ended(batch.submit("definition:1"))["jobDefinition"] == arns[0]
    with pytest.raises(ClientException, match="is INACTIVE"):
        batch.submit(arns[2])
    active = batch.call("DescribeJobDefinitions", jobDefinitionName="definition", status="ACTIVE")["jobDefinitions"]
    assert [definition["revision"] for definition in active] == [2, 1]
    assert batch.definition("definition", "true").endswith(":4"), "a number is never given twice"


def test_what_a_submission_may_say(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("definition", "true")
    for request, message in (
        ({"name": "no spaces"}, "Job name should match valid pattern"),
        ({"queue": "nobody"}, "job-queue/nobody does not exist"),
        ({"definition": "nobody"}, "job-definition/nobody does not exist or has no ACTIVE revision"),
        ({"arrayProperties": {"size": 10_001}}, "must be from 2 to 10000"),
        ({"shareIdentifier": "A"}, "fair share scheduling policy"),
        ({"eksPropertiesOverride": {"podProperties": {}}}, "jobs of one container, not jobs on EKS"),
        ({"containerOverrides": {"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "x"}]}}, "are reserved"),
    ):
        with pytest.raises(ClientException, match=message):
            batch.submit(**{"definition": "definition", **request})
    assert batch.call("ListJobs", jobQueue="queue", filters=[{"name": "JOB_NAME", "values": ["*"]}]) == {
        "jobSummaryList": []
    }


def test_jobs_are_found_by_status_and_by_filter(batch: Batch) -> None:
    batch.simple_queue()
    batch.definition("train", "true")
    batch.definition("score", "false")
    first = batch.submit("train", name="train-1")
    second = batch.submit("score", name="score-1")
    batch.ended(first)
    batch.ended(second)

    def found(**request: Any) -> list[str]:  # noqa: ANN401 - as AWS
        return [job["jobId"] for job in batch.call("ListJobs", jobQueue="queue", **request)["jobSummaryList"]]

    assert found() == [], "RUNNING jobs unless another status is asked for"
    assert found(jobStatus="FAILED") == [second]
    assert found(filters=[{"name": "JOB_NAME", "values": ["TRAIN*"]}]) == [first]
    for value, expected in {"score": [second], "Score": [], "sc*": [second], "score:1": []}.items():
        assert found(filters=[{"name": "JOB_DEFINITION", "values": [value]}]) == expected, value
    assert found(filters=[{"name": "AFTER_CREATED_AT", "values": ["0"]}]) == [second, first], "newest first"
    assert found(filters=[{"name": "BEFORE_CREATED_AT", "values": ["0"]}]) == []
    with pytest.raises(ClientException, match="exactly one of jobQueue, arrayJobId and multiNodeJobId"):
        batch.call("ListJobs")
    page = batch.call("ListJobs", jobQueue="queue", filters=[{"name": "JOB_NAME", "values": ["*"]}], maxResults=1)
    assert [job["jobId"] for job in page["jobSummaryList"]] == [second]
    rest = found(filters=[{"name": "JOB_NAME", "values": ["*"]}], nextToken=page["nextToken"])
    assert rest == [first]
    with pytest.raises(ClientException, match="nextToken 'rubbish!' is not valid"):
        found(nextToken="rubbish!")


def test_policies_are_made_changed_and_deleted(batch: Batch) -> None:
    arn = batch.call("CreateSchedulingPolicy", name="policy", fairsharePolicy={"computeReservation": 10})["arn"]
    with pytest.raises(ClientException, match="computeReservation=100: must be from 0 to 99"):
        batch.call("UpdateSchedulingPolicy", arn=arn, fairsharePolicy={"computeReservation": 100})
    batch.call("UpdateSchedulingPolicy", arn=arn, fairsharePolicy={"shareDecaySeconds": 60})
    (policy,) = batch.call("DescribeSchedulingPolicies", arns=[arn])["schedulingPolicies"]
    assert policy["fairsharePolicy"] == {"shareDecaySeconds": 60}
    assert batch.call("ListSchedulingPolicies") == {"schedulingPolicies": [{"arn": arn}]}
    batch.queue("queue", batch.environment("environment", 1), schedulingPolicyArn=arn)
    with pytest.raises(ClientException, match="must have a shareIdentifier"):
        batch.submit(batch.definition("definition", "true"))
    with pytest.raises(ClientException, match="schedulingPriorityOverride is required"):
        batch.submit("definition", shareIdentifier="A")
    with pytest.raises(ClientException, match="used by job queue queue"):
        batch.call("DeleteSchedulingPolicy", arn=arn)
    batch.call("UpdateJobQueue", jobQueue="queue", state="DISABLED")
    batch.call("DeleteJobQueue", jobQueue="queue")
    batch.call("DeleteSchedulingPolicy", arn=arn)
    assert batch.call("ListSchedulingPolicies") == {"schedulingPolicies": []}


def test_tags_are_kept_on_every_kind_of_resource(batch: Batch) -> None:
    queue = batch.simple_queue()
    definition = batch.definition("definition", "true", tags={"team": "a"})
    job = batch.ended(batch.submit("definition", tags={"team": "b"}))
    assert batch.call("ListTagsForResource", resourceArn=definition) == {"tags": {"team": "a"}}
    for arn in (queue, definition, job["jobArn"]):
        batch.call("TagResource", resourceArn=arn, tags={"team": "c", "cost": "1"})
        batch.call("UntagResource", resourceArn=arn, tagKeys=["cost"])
        assert batch.call("ListTagsForResource", resourceArn=arn) == {"tags": {"team": "c"}}
    assert batch.job(job["jobId"])["tags"] == {"team": "c"}
    with pytest.raises(ClientException, match="does not exist"):
        batch.call("TagResource", resourceArn=f"{queue}-2", tags={"team": "c"})


def test_what_was_given_and_answered_is_no_way_into_the_records(batch: Batch) -> None:
    tags = {"team": "a"}
    arn = batch.definition("definition", "true", tags=tags)
    tags["team"] = "b"
    batch.call("ListTagsForResource", resourceArn=arn)["tags"]["team"] = "c"
    assert batch.call("ListTagsForResource", resourceArn=arn) == {"tags": {"team": "a"}}


def test_accounts_and_regions_do_not_see_each_other(batch: Batch) -> None:
    batch.simple_queue()
    job_id = batch.submit(batch.definition("definition", "true"))
    for account, region in (("444455556666", "us-east-1"), ("111122223333", "eu-west-1")):
        other = batch.scope(account, region)
        assert batch.service.call("DescribeJobQueues", {}, other) == {"jobQueues": []}
        assert batch.service.call("DescribeJobs", {"jobs": [job_id]}, other) == {"jobs": []}


def test_an_operation_that_is_not_there_says_so(batch: Batch) -> None:
    with pytest.raises(ServerException, match="CreateConsumableResource is not implemented by the embedded Batch"):
        batch.call("CreateConsumableResource", consumableResourceName="licence")
