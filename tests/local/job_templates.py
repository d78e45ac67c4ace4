"""Templates with what a job needs, and waiting, for tests of what submits jobs."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

Template = dict[str, Any]

WAIT_SECONDS = 30.0

_T = TypeVar("_T")


def eventually(condition: Callable[[], _T], what: str) -> _T:
    """Wait until a condition gives something true, and return that."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:g} s: {what}"
        time.sleep(0.02)
    return found


def job_queue(vcpus: int = 16, **properties: object) -> Template:
    """``Queue`` on ``Environment``, with its network."""
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.78.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.78.1.0/24"},
        },
        "Environment": {
            "Type": "AWS::Batch::ComputeEnvironment",
            "Properties": {
                "Type": "MANAGED",
                "ComputeResources": {
                    "Type": "EC2",
                    "MaxvCpus": vcpus,
                    "Subnets": [{"Ref": "Subnet"}],
                    "InstanceRole": "ecsInstanceRole",
                    "InstanceTypes": ["c6i"],
                    "AllocationStrategy": "BEST_FIT_PROGRESSIVE",
                },
            },
        },
        "Queue": {
            "Type": "AWS::Batch::JobQueue",
            "Properties": {
                "Priority": 1,
                "ComputeEnvironmentOrder": [{"Order": 0, "ComputeEnvironment": {"Ref": "Environment"}}],
                **properties,
            },
        },
    }


def job_definition(*command: str, **properties: object) -> Template:
    """A job definition of one vCPU."""
    requirements = [{"Type": "VCPU", "Value": "1"}, {"Type": "MEMORY", "Value": "512"}]
    container = {"Image": "busybox", "Command": list(command), "ResourceRequirements": requirements}
    return {
        "Type": "AWS::Batch::JobDefinition",
        "Properties": {"Type": "container", "ContainerProperties": container, **properties},
    }
