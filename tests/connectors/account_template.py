"""What an account needs for jobs: a queue on spot instances, one on on-demand ones, and a bucket."""

from typing import Any


def resources(*, spot: str, on_demand: str, bucket: str, vcpus: int) -> dict[str, Any]:
    """The resources of a CloudFormation template.

    Args:
        spot: The name of the queue on spot instances.
        on_demand: The name of the queue on on-demand instances.
        bucket: The bucket's name.
        vcpus: What may run at once on either.
    """
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.79.0.0/16"}},
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.79.1.0/24"}},
        "SpotInstances": _environment("SPOT", vcpus),
        "Instances": _environment("EC2", vcpus),
        "Spot": _queue(spot, "SpotInstances"),
        "OnDemand": _queue(on_demand, "Instances"),
        "Data": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}},
    }


def _environment(kind: str, vcpus: int) -> dict[str, Any]:
    return {
        "Type": "AWS::Batch::ComputeEnvironment",
        "Properties": {
            "Type": "MANAGED",
            "ComputeResources": {
                "Type": kind,
                "MaxvCpus": vcpus,
                "Subnets": [{"Ref": "Subnet"}],
                "InstanceRole": "ecsInstanceRole",
                "InstanceTypes": ["c6i"],
                "AllocationStrategy": "BEST_FIT_PROGRESSIVE",
            },
        },
    }


def _queue(name: str, environment: str) -> dict[str, Any]:
    order = [{"Order": 1, "ComputeEnvironment": {"Ref": environment}}]
    return {
        "Type": "AWS::Batch::JobQueue",
        "Properties": {"JobQueueName": name, "Priority": 1, "ComputeEnvironmentOrder": order},
    }
