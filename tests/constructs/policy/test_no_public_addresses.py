import pytest

from aerodrome_constructs.policy.no_public_addresses import RULE
from tests.constructs.policy.findings import findings, resource


def test_private_subnets_instances_and_containers_are_right() -> None:
    network = {"NetworkConfiguration": {"AssignPublicIp": "DISABLED"}}
    template = {"NetworkInterfaces": [{"AssociatePublicIpAddress": False}]}
    assert (
        findings(
            RULE,
            Subnet=resource("AWS::EC2::Subnet", MapPublicIpOnLaunch=False),
            Silent=resource("AWS::EC2::Subnet"),
            Template=resource("AWS::EC2::LaunchTemplate", LaunchTemplateData=template),
            Job=resource("AWS::Batch::JobDefinition", ContainerProperties=network),
        )
        == []
    )


def test_a_subnet_that_hands_out_addresses_is_found() -> None:
    (finding,) = findings(RULE, Subnet=resource("AWS::EC2::Subnet", MapPublicIpOnLaunch=True))
    assert finding.startswith("Subnet Properties.MapPublicIpOnLaunch:")


def test_a_launch_template_is_searched_at_every_depth() -> None:
    data = {"NetworkInterfaces": [{"DeviceIndex": 0}, {"AssociatePublicIpAddress": True}]}
    place = "LaunchTemplateData.NetworkInterfaces.1"
    assert findings(RULE, Template=resource("AWS::EC2::LaunchTemplate", LaunchTemplateData=data)) == [
        f"Template Properties.{place}.AssociatePublicIpAddress: AssociatePublicIpAddress is true"
    ]


@pytest.mark.parametrize("key", ["ContainerProperties", "EcsProperties"])
def test_a_job_on_the_internet_is_found(key: str) -> None:
    job = resource("AWS::Batch::JobDefinition", **{key: {"NetworkConfiguration": {"AssignPublicIp": "ENABLED"}}})
    assert findings(RULE, Job=job) == [
        f"Job Properties.{key}.NetworkConfiguration.AssignPublicIp: AssignPublicIp is ENABLED"
    ]


@pytest.mark.parametrize("name", ["InstanceId", "NetworkInterfaceId"])
def test_an_elastic_address_is_for_nat_alone(name: str) -> None:
    assert findings(RULE, Nat=resource("AWS::EC2::EIP", Domain="vpc")) == []
    for kind in ("AWS::EC2::EIP", "AWS::EC2::EIPAssociation"):
        (finding,) = findings(RULE, Address=resource(kind, **{name: {"Ref": "Thing"}}))
        assert "an instance gets an address on the internet" in finding
