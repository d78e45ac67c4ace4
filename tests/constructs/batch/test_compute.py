from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_constructs.batch import BatchCompute, BatchComputeProps
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

KINDS = ["Spot", "OnDemand", "Fargate"]
ON_INSTANCES = ["Spot", "OnDemand"]


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    BatchCompute(
        stack,
        "Compute",
        BatchComputeProps(
            vpc=vpc_in(stack),
            subnets=NODE_SUBNETS,
            spot_vcpus=64,
            on_demand_vcpus=32,
            fargate_vcpus=16,
            disk_gib=200,
        ),
    )
    return synthesized(stack)


def environment(template: TemplateJson, kind: str) -> Mapping[str, Any]:
    return with_id(template, "AWS::Batch::ComputeEnvironment", kind)


def capacity(template: TemplateJson, kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = environment(template, kind)["ComputeResources"]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_run_in_the_given_subnets_not_in_public_ones(template: TemplateJson, kind: str) -> None:
    subnets = [text(subnet) for subnet in capacity(template, kind)["Subnets"]]
    assert len(subnets) == 3
    assert all(subnet.startswith("${VpcNodes") for subnet in subnets)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_gets_in_to_a_job(template: TemplateJson, kind: str) -> None:
    (group,) = capacity(template, kind)["SecurityGroupIds"]
    rules = only(template, "AWS::EC2::SecurityGroup")
    assert "SecurityGroup" in text(group)
    assert "SecurityGroupIngress" not in rules
    assert "AWS::EC2::SecurityGroupIngress" not in {one["Type"] for one in template["Resources"].values()}


@pytest.mark.parametrize(("kind", "most"), [("Spot", 64), ("OnDemand", 32), ("Fargate", 16)])
def test_capacity_has_a_ceiling(template: TemplateJson, kind: str, most: int) -> None:
    assert capacity(template, kind)["MaxvCpus"] == most


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_instances_shrink_to_none(template: TemplateJson, kind: str) -> None:
    assert capacity(template, kind)["MinvCpus"] == 0
    assert "DesiredvCpus" not in capacity(template, kind), "a number here would fight Batch's own scaling"


@pytest.mark.parametrize(
    ("kind", "type_", "strategy"),
    [
        ("Spot", "SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED"),
        # BEST_FIT waits for its one cheapest type, and cannot be updated in place.
        ("OnDemand", "EC2", "BEST_FIT_PROGRESSIVE"),
        ("Fargate", "FARGATE", None),
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


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_there_are_many_families_for_batch_to_choose_from(template: TemplateJson, kind: str) -> None:
    families = capacity(template, kind)["InstanceTypes"]
    assert len(families) >= 5
    assert "optimal" not in families, "three old families, chosen by AWS in 2017"
    assert not any("." in family for family in families), "a family, so that Batch picks the size"


@pytest.mark.parametrize("kind", ON_INSTANCES)
def test_a_change_of_the_launch_template_reaches_the_instances(template: TemplateJson, kind: str) -> None:
    (launch,) = resources(template, "AWS::EC2::LaunchTemplate")
    used = capacity(template, kind)["LaunchTemplate"]
    assert text(used["LaunchTemplateId"]) == f"${{{launch}}}"
    assert text(used["Version"]) == f"${{{launch}.LatestVersionNumber}}"


def test_a_job_cannot_take_the_instances_role(template: TemplateJson) -> None:
    options = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["MetadataOptions"]
    assert options == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_disks_are_encrypted_and_as_large_as_asked(template: TemplateJson) -> None:
    (mapping,) = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["BlockDeviceMappings"]
    assert mapping["DeviceName"] == "/dev/xvda", "the root device of Amazon Linux"
    assert mapping["Ebs"] == {"Encrypted": True, "VolumeSize": 200, "VolumeType": "gp3"}


def test_instances_can_join_pull_and_log_and_nothing_more(template: TemplateJson) -> None:
    role = with_id(template, "AWS::IAM::Role", "InstanceRole")
    assert [text(arn).rpartition("/")[2] for arn in role["ManagedPolicyArns"]] == [
        "AmazonEC2ContainerServiceforEC2Role"
    ]
    assert [one.principals for one in statements(template, "InstanceRole")] == [["ec2.amazonaws.com"]], "no own policy"


def test_spot_and_on_demand_instances_have_the_same_role(template: TemplateJson) -> None:
    (role,) = [key for key in resources(template, "AWS::IAM::Role") if "InstanceRole" in key]
    profiles = properties(template, "AWS::IAM::InstanceProfile")
    used = [text(capacity(template, kind)["InstanceRole"]) for kind in ON_INSTANCES]
    assert sorted(used) == sorted(f"${{{profile}.Arn}}" for profile in profiles)
    assert all([text(one) for one in profile["Roles"]] == [f"${{{role}}}"] for profile in profiles.values())
