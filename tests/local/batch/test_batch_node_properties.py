"""What node properties of multi-node jobs may say, and how nodes are listed."""

from typing import Any

import pytest

from aerodrome_local.batch_service.errors import ClientException
from aerodrome_local.batch_service.shapes import from_cloudformation

Batch = Any  # conftest's class, which a test module cannot import
Json = dict[str, Any]


def container(memory: str = "2048") -> Json:
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": memory}]
    return {"image": "busybox", "command": ["true"], "resourceRequirements": requirements}


def test_nodes_are_listed_by_their_job_and_not_by_their_queue(batch: Batch) -> None:
    batch.simple_queue()
    batch.multinode({"0:": container()}, main=2)
    job_id = batch.submit("multi")
    batch.ended(job_id)
    nodes = batch.call("ListJobs", multiNodeJobId=job_id, jobStatus="SUCCEEDED")["jobSummaryList"]
    nodes += batch.call("ListJobs", multiNodeJobId=job_id, jobStatus="FAILED")["jobSummaryList"]
    properties = {node["jobId"]: node["nodeProperties"] for node in nodes}
    assert properties == {
        f"{job_id}#{index}": {"numNodes": 3, "nodeIndex": index, "isMainNode": index == 2} for index in range(3)
    }
    (listed,) = batch.call("ListJobs", jobQueue="queue", jobStatus="SUCCEEDED")["jobSummaryList"]
    assert (listed["jobId"], listed["nodeProperties"]) == (job_id, {"numNodes": 3})


def test_a_template_may_have_them() -> None:
    properties = {
        "JobDefinitionName": "multi",
        "Type": "multinode",
        "NodeProperties": {
            "NumNodes": "2",
            "MainNode": 0,
            "NodeRangeProperties": [{"TargetNodes": "0:", "Container": {"Image": "busybox", "Command": ["true"]}}],
        },
    }
    assert from_cloudformation("AWS::Batch::JobDefinition", "RegisterJobDefinition", properties) == {
        "jobDefinitionName": "multi",
        "type": "multinode",
        "nodeProperties": {
            "numNodes": 2,
            "mainNode": 0,
            "nodeRangeProperties": [{"targetNodes": "0:", "container": {"image": "busybox", "command": ["true"]}}],
        },
    }


@pytest.mark.parametrize(
    ("ranges", "members", "message"),
    [
        ({"0:1": container()}, {}, "must account for all nodes; none has node 2"),
        ({"0:3": container()}, {}, "'0:3': must be within the nodes, 0 to 2"),
        ({"all": container()}, {}, "'all': a range of node indexes is needed"),
        ({"0:": container()}, {"main": 3}, "mainNode=3: must be a node's index, from 0 to 2"),
        ({"0:": container()}, {"nodes": 0}, "numNodes=0: must be 1 or more"),
        ({"0:": container()}, {"platformCapabilities": ["FARGATE"]}, "not applicable for Fargate"),
        ({"0:": container(memory="")}, {}, "MEMORY must be a whole number"),
        ({"0:": container()}, {"containerProperties": container()}, "must not be provided for type multi"),
    ],
)
def test_node_properties_that_aws_refuses_are_refused(batch: Batch, ranges: Json, members: Json, message: str) -> None:
    with pytest.raises(ClientException, match=message):
        batch.multinode(ranges, **members)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"arrayProperties": {"size": 2}}, "arrayProperties must not be provided"),
        ({"containerOverrides": {"command": ["true"]}}, "containerOverrides must not be provided"),
        ({"nodeOverrides": {"numNodes": 5}}, "must have no upper boundary"),
        (
            {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0:0"}]}},
            "NodeOverride targets should match job definition. Non matching targets - 0:0",
        ),
    ],
)
def test_submissions_of_multinode_jobs_that_aws_refuses_are_refused(batch: Batch, request_: Json, message: str) -> None:
    batch.simple_queue()
    batch.multinode({"0:2": container()})
    with pytest.raises(ClientException, match=message):
        batch.submit("multi", **request_)
