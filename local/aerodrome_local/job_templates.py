"""What jobs of AWS Batch need, as resources of a template: for tests and measures on the embedded AWS."""

from aerodrome_local.testing import Template


def network() -> Template:
    """``Vpc`` with a ``Subnet``, where compute environments are."""
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.78.0.0/16"}},
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.78.1.0/24"}},
    }


def compute_environment(kind: str = "EC2", vcpus: int = 16, **resources: object) -> Template:
    """A compute environment in ``Subnet``.

    Args:
        kind: ``EC2``, ``SPOT``, ``FARGATE`` or ``FARGATE_SPOT``.
        vcpus: What may run at once.
        resources: Members of its ``ComputeResources``. Default: those of c6i instances, unless it is Fargate.
    """
    instances = {
        "InstanceRole": "ecsInstanceRole",
        "InstanceTypes": ["c6i"],
        "AllocationStrategy": "BEST_FIT_PROGRESSIVE",
    }
    given = {
        "Type": kind,
        "MaxvCpus": vcpus,
        "Subnets": [{"Ref": "Subnet"}],
        **({} if kind.startswith("FARGATE") else instances),
        **resources,
    }
    return {"Type": "AWS::Batch::ComputeEnvironment", "Properties": {"Type": "MANAGED", "ComputeResources": given}}


def job_queue(environment: str, **properties: object) -> Template:
    """A queue on a compute environment, by the logical ID of that."""
    order = [{"Order": 0, "ComputeEnvironment": {"Ref": environment}}]
    return {
        "Type": "AWS::Batch::JobQueue",
        "Properties": {"Priority": 1, "ComputeEnvironmentOrder": order, **properties},
    }


def queue_resources(vcpus: int = 16, **properties: object) -> Template:
    """``Queue`` on ``Environment``, which is of On-Demand Instances, with its network.

    Args:
        vcpus: What may run at once.
        properties: More properties of the queue.
    """
    return {
        **network(),
        "Environment": compute_environment(vcpus=vcpus),
        "Queue": job_queue("Environment", **properties),
    }


def job_definition(*command: str, **properties: object) -> Template:
    """A definition of jobs that run a command with one vCPU and 512 MiB.

    Args:
        command: The command.
        properties: More properties of the definition.
    """
    requirements = [{"Type": "VCPU", "Value": "1"}, {"Type": "MEMORY", "Value": "512"}]
    container = {"Image": "busybox", "Command": list(command), "ResourceRequirements": requirements}
    return {
        "Type": "AWS::Batch::JobDefinition",
        "Properties": {"Type": "container", "ContainerProperties": container, **properties},
    }
