from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk import aws_ec2 as ec2

from aerodrome_constructs.batch import BatchCompute, BatchComputeProps, Ceilings, HostMetrics
from aerodrome_constructs.batch import compute as compute_module
from aerodrome_constructs.batch.families import HOSTS_SINCE
from aerodrome_constructs.instances import has_nvidia_gpus
from tests.constructs.surroundings import NODE_SUBNETS, vpc_in
from tests.templates import (
    TemplateJson,
    new_stack,
    only,
    properties,
    resources,
    statements,
    synthesized,
    text,
    with_id,
)

SPOT = ["Spot", "ArmSpot", "GpuSpot"]
ON_DEMAND = ["OnDemand", "ArmOnDemand", "GpuOnDemand"]
ON_INSTANCES = [*SPOT, *ON_DEMAND]
ON_FARGATE = ["Fargate", "FargateSpot"]
KINDS = [*ON_INSTANCES, *ON_FARGATE]
NAMESPACE = "Tests/Hosts"
EVERYTHING = {"arm": Ceilings(spot=48, on_demand=24), "gpu": Ceilings(spot=12, on_demand=4)}


def compute(**kinds: Ceilings) -> TemplateJson:
    stack = new_stack()
    vpc = vpc_in(stack)
    BatchCompute(
        stack,
        "Compute",
        BatchComputeProps(
            vpc=vpc,
            subnets=NODE_SUBNETS,
            metrics=HostMetrics(namespace=NAMESPACE, dimensions={"Environment": "test"}),
            x86=Ceilings(spot=64, on_demand=32),
            fargate=Ceilings(spot=16, on_demand=8),
            security_groups=[ec2.SecurityGroup(stack, "Clients", vpc=vpc)],
            mounts=["mount -t nfs4 files:/ /mnt/files"],
            disk_gib=200,
            **kinds,
        ),
    )
    return synthesized(stack)


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    return compute(**EVERYTHING)


def environment(template: TemplateJson, kind: str) -> Mapping[str, Any]:
    (found,) = [
        one
        for key, one in properties(template, "AWS::Batch::ComputeEnvironment").items()
        if key[:-8] == f"Compute{kind}"
    ]
    return found


def capacity(template: TemplateJson, kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = environment(template, kind)["ComputeResources"]
    return found


def launch(template: TemplateJson, kind: str) -> Mapping[str, Any]:
    """What the instances of a compute environment are started with."""
    name = capacity(template, kind)["LaunchTemplate"]["LaunchTemplateId"]["Ref"]
    found: Mapping[str, Any] = properties(template, "AWS::EC2::LaunchTemplate")[name]["LaunchTemplateData"]
    return found


def user_data(template: TemplateJson, kind: str) -> str:
    return text(launch(template, kind)["UserData"]["Fn::Base64"])


def test_there_is_a_compute_environment_of_each_kind(template: TemplateJson) -> None:
    found = [key[:-8].removeprefix("Compute") for key in resources(template, "AWS::Batch::ComputeEnvironment")]
    assert sorted(found) == sorted(KINDS)


def test_without_arm_and_gpus_there_is_neither() -> None:
    found = properties(compute(), "AWS::Batch::ComputeEnvironment").values()
    assert sorted(one["ComputeResources"]["Type"] for one in found) == ["EC2", "FARGATE", "FARGATE_SPOT", "SPOT"]


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_run_in_the_given_subnets_not_in_public_ones(template: TemplateJson, kind: str) -> None:
    subnets = [text(subnet) for subnet in capacity(template, kind)["Subnets"]]
    assert len(subnets) == 3
    assert all(subnet.startswith("${VpcNodes") for subnet in subnets)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_gets_in_to_a_job(template: TemplateJson, kind: str) -> None:
    own, given = (text(group) for group in capacity(template, kind)["SecurityGroupIds"])
    assert own.startswith("${ComputeSecurityGroup")
    assert given.startswith("${Clients")
    assert "SecurityGroupIngress" not in with_id(template, "AWS::EC2::SecurityGroup", "ComputeSecurityGroup")
    assert "AWS::EC2::SecurityGroupIngress" not in {one["Type"] for one in template["Resources"].values()}


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("Spot", 64),
        ("OnDemand", 32),
        ("ArmSpot", 48),
        ("ArmOnDemand", 24),
        ("GpuSpot", 12),
        ("GpuOnDemand", 4),
        ("FargateSpot", 16),
        ("Fargate", 8),
    ],
)
def test_capacity_has_a_ceiling(template: TemplateJson, kind: str, most: int) -> None:
    assert capacity(template, kind)["MaxvCpus"] == most


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_instances_shrink_to_none(template: TemplateJson, kind: str) -> None:
    assert capacity(template, kind)["MinvCpus"] == 0
    assert "DesiredvCpus" not in capacity(template, kind), "a number here would fight Batch's own scaling"


@pytest.mark.parametrize(
    ("kind", "type_", "strategy"),
    [
        *((kind, "SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED") for kind in SPOT),
        # BEST_FIT waits for its one cheapest type, and cannot be updated in place.
        *((kind, "EC2", "BEST_FIT_PROGRESSIVE") for kind in ON_DEMAND),
        ("Fargate", "FARGATE", None),
        ("FargateSpot", "FARGATE_SPOT", None),
    ],
)
def test_instances_are_chosen_for_price_and_for_being_left_alone(
    template: TemplateJson, kind: str, type_: str, strategy: str | None
) -> None:
    found = capacity(template, kind)
    assert (found["Type"], found.get("AllocationStrategy")) == (type_, strategy)


@pytest.mark.parametrize("kind", KINDS)
def test_a_compute_environment_can_be_replaced_while_a_queue_uses_it(template: TemplateJson, kind: str) -> None:
    # With a name of its own the new one could not be made before the old one is gone.
    assert "ComputeEnvironmentName" not in environment(template, kind)
    if kind in ON_INSTANCES:
        # Otherwise it would be changed in place, which ends its jobs after half an hour and not every change survives.
        assert environment(template, kind)["ReplaceComputeEnvironment"] is True


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_there_are_many_sizes_for_batch_to_choose_from(template: TemplateJson, kind: str) -> None:
    families = capacity(template, kind)["InstanceTypes"]
    assert len(families) >= (3 if kind.startswith("Gpu") else 9)
    assert "optimal" not in families, "three old families, chosen by AWS in 2017"
    assert not any("." in family for family in families), "a family, so that Batch picks the size"


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_a_compute_environment_is_of_one_architecture_and_starts_the_image_for_it(
    template: TemplateJson, kind: str
) -> None:
    families = capacity(template, kind)["InstanceTypes"]
    # Graviton's families have a g after their generation.
    assert {family[2:] == "g" for family in families} == {kind.startswith("Arm")}
    assert {has_nvidia_gpus(f"{family}.xlarge") for family in families} == {kind.startswith("Gpu")}
    (image,) = capacity(template, kind)["Ec2Configuration"]
    assert image == {"ImageType": "ECS_AL2023_NVIDIA" if kind.startswith("Gpu") else "ECS_AL2023"}


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_a_change_of_the_launch_template_reaches_the_instances(template: TemplateJson, kind: str) -> None:
    used = capacity(template, kind)["LaunchTemplate"]
    name = used["LaunchTemplateId"]["Ref"]
    assert name.startswith(f"Compute{kind}LaunchTemplate")
    assert text(used["Version"]) == f"${{{name}.LatestVersionNumber}}"


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_the_metadata_service_wants_a_token_and_answers_no_further_than_the_host(
    template: TemplateJson, kind: str
) -> None:
    assert launch(template, kind)["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_the_first_thing_a_host_does_is_to_keep_tasks_from_the_metadata_service(
    template: TemplateJson, kind: str
) -> None:
    # Jobs are in the host's network, no hop away, and the host's role could ask ECS for the credentials of all of them.
    first, second, *_ = user_data(template, kind).split("#!/bin/bash")[1:]
    assert "IPAddressDeny=169.254.169.254 " in first
    assert "mount -t nfs4" in second


def test_another_month_replaces_every_compute_environment_of_instances_and_nothing_else(
    template: TemplateJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute_module, "HOSTS_SINCE", "2027-01")
    later = compute(**EVERYTHING)
    changed = {key for key, one in later["Resources"].items() if one != template["Resources"][key]}
    used = {capacity(later, kind)["LaunchTemplate"]["LaunchTemplateId"]["Ref"] for kind in ON_INSTANCES}
    assert len(used) == len(ON_INSTANCES)
    assert changed == used
    for kind in ON_INSTANCES:
        # The version is the one of the changed template (tested above), and a change of it is one of these.
        assert environment(later, kind)["ReplaceComputeEnvironment"] is True
        before, after = user_data(template, kind), user_data(later, kind)
        assert before.replace(HOSTS_SINCE, "2027-01") == after != before


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_disks_are_encrypted_and_as_large_as_asked(template: TemplateJson, kind: str) -> None:
    (mapping,) = launch(template, kind)["BlockDeviceMappings"]
    assert mapping["DeviceName"] == "/dev/xvda", "the root device of Amazon Linux"
    assert mapping["Ebs"] == {"Encrypted": True, "VolumeSize": 200, "VolumeType": "gp3"}


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_a_host_mounts_what_is_asked_and_tells_of_itself(template: TemplateJson, kind: str) -> None:
    started = user_data(template, kind)
    assert "mount -t nfs4 files:/ /mnt/files" in started
    assert f'"ComputeEnvironment": "{kind}"' in started
    assert ("nvidia_gpu" in started) is kind.startswith("Gpu")


def test_instances_can_join_pull_log_and_tell_of_themselves_and_nothing_more(template: TemplateJson) -> None:
    role = with_id(template, "AWS::IAM::Role", "InstanceRole")
    assert [text(arn).rpartition("/")[2] for arn in role["ManagedPolicyArns"]] == [
        "AmazonEC2ContainerServiceforEC2Role"
    ]
    (policy,) = [one for one in statements(template, "InstanceRole") if not one.principals]
    assert policy.actions == ["cloudwatch:PutMetricData"]
    assert policy.conditions == {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
    (joined,) = [one for one in statements(template, "InstanceRole") if one.principals]
    assert joined.principals == ["ec2.amazonaws.com"]


def test_all_instances_have_the_same_role(template: TemplateJson) -> None:
    (role,) = [key for key in resources(template, "AWS::IAM::Role") if "InstanceRole" in key]
    (profile,) = resources(template, "AWS::IAM::InstanceProfile")
    assert {text(capacity(template, kind)["InstanceRole"]) for kind in ON_INSTANCES} == {f"${{{profile}.Arn}}"}
    assert [text(one) for one in only(template, "AWS::IAM::InstanceProfile")["Roles"]] == [f"${{{role}}}"]
