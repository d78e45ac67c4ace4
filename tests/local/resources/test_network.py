"""The VPC of the platform, read back through boto3: what it is meant to be is what stands."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import pytest

from aerodrome_constructs.network import NODE_ENDPOINTS, PRIVATE_ENDPOINTS
from aerodrome_local.testing import EmbeddedAws, Stack
from tests.constructs.network.networks import CIDR, POD_CIDR, vpc_with
from tests.templates import resources

# The function of the CDK that closes the default security group: the embedded AWS answers for it elsewhere.
ELSEWHERE = "RestrictDefaultS"


@dataclass(frozen=True)
class Network:
    """A VPC that stands.

    Attributes:
        ec2: The client.
        vpc: The VPC as EC2 describes it.
    """

    ec2: Any
    vpc: Mapping[str, Any]

    def in_it(self, action: str, member: str) -> list[dict[str, Any]]:
        found = [one for one in getattr(self.ec2, action)()[member] if one["VpcId"] == self.vpc["VpcId"]]
        assert found, f"{action} finds nothing in the VPC"
        return found

    @property
    def subnets(self) -> dict[str, dict[str, Any]]:
        return {one["SubnetId"]: one for one in self.in_it("describe_subnets", "Subnets")}

    @property
    def routes(self) -> dict[str, str | None]:
        """Where the default route of each subnet leads, by the subnet's range."""
        tables = self.in_it("describe_route_tables", "RouteTables")
        return {
            self.subnets[association["SubnetId"]]["CidrBlock"]: next(
                (
                    route.get("NatGatewayId") or route.get("GatewayId")
                    for route in table["Routes"]
                    if route["DestinationCidrBlock"] == "0.0.0.0/0"
                ),
                None,
            )
            for table in tables
            for association in table["Associations"]
            if "SubnetId" in association
        }

    @property
    def endpoints(self) -> dict[str, dict[str, Any]]:
        """By service."""
        found = self.in_it("describe_vpc_endpoints", "VpcEndpoints")
        return {one["ServiceName"].split(".", maxsplit=3)[3]: one for one in found}


def deployed(aws: EmbeddedAws, stack: Stack, *, nat_gateways: int, interface_endpoints: Mapping[str, str]) -> Network:
    template = vpc_with(nat_gateways=nat_gateways, interface_endpoints=interface_endpoints)
    stack.deploy({key: one for key, one in template["Resources"].items() if ELSEWHERE not in key})
    (vpc,) = resources(template, "AWS::EC2::VPC")
    ec2 = aws.client("ec2")
    return Network(ec2, ec2.describe_vpcs(VpcIds=[stack.physical_id(vpc)])["Vpcs"][0])


def quarters(cidr: IPv4Network) -> list[str]:
    return list(map(str, cidr.subnets(prefixlen_diff=2)))[:3]


@pytest.fixture
def wide(embedded_aws: EmbeddedAws, stack: Stack) -> Network:
    """A NAT gateway in each zone."""
    return deployed(embedded_aws, stack, nat_gateways=3, interface_endpoints=NODE_ENDPOINTS)


@pytest.fixture
def closed(embedded_aws: EmbeddedAws, stack: Stack) -> Network:
    """No way out or in."""
    return deployed(embedded_aws, stack, nat_gateways=0, interface_endpoints=PRIVATE_ENDPOINTS)


def test_a_vpc_with_a_way_out(wide: Network) -> None:
    ranges = [one["CidrBlock"] for one in wide.vpc["CidrBlockAssociationSet"]]
    assert ranges == [str(CIDR), str(POD_CIDR)]
    assert [one["MapPublicIpOnLaunch"] for one in wide.subnets.values()] == [False] * 12
    ways_out = wide.routes
    assert len(ways_out) == 12
    of_nodes = [ways_out[cidr] for cidr in quarters(CIDR)]
    assert [(way or "").partition("-")[0] for way in of_nodes] == ["nat"] * 3
    assert len(set(of_nodes)) == 3, "each zone has its own"
    assert [ways_out[cidr] for cidr in quarters(POD_CIDR)] == of_nodes
    assert sorted((way or "nowhere").partition("-")[0] for way in ways_out.values()) == [
        *(["igw"] * 3),
        *(["nat"] * 6),
        *(["nowhere"] * 3),
    ]


def test_a_vpc_without_a_way_out(closed: Network) -> None:
    assert len(closed.subnets) == 9
    assert set(closed.routes.values()) == {None}
    vpc = closed.vpc["VpcId"]
    attached = [
        attachment["VpcId"]
        for gateway in closed.ec2.describe_internet_gateways()["InternetGateways"]
        for attachment in gateway["Attachments"]
    ]
    assert vpc not in attached
    assert vpc not in [one["VpcId"] for one in closed.ec2.describe_nat_gateways()["NatGateways"]]


def test_endpoints_of_a_vpc_without_a_way_out(closed: Network) -> None:
    endpoints = closed.endpoints
    assert set(endpoints) == {"s3", *PRIVATE_ENDPOINTS.values()}
    s3 = endpoints.pop("s3")
    used = {
        table["RouteTableId"]
        for table in closed.in_it("describe_route_tables", "RouteTables")
        if any("SubnetId" in association for association in table["Associations"])
    }
    assert set(s3["RouteTableIds"]) == used
    assert [one["Sid"] for one in json.loads(s3["PolicyDocument"])["Statement"]] == [
        "OwnIdentitiesAndResources",
        "LayersOfImages",
        "PackagesOfAmazonLinux",
        "AnswersToCloudFormation",
    ]
    nodes = {key for key, subnet in closed.subnets.items() if subnet["CidrBlock"] in quarters(CIDR)}
    assert {frozenset(one["SubnetIds"]) for one in endpoints.values()} == {frozenset(nodes)}
    assert {one["PrivateDnsEnabled"] for one in endpoints.values()} == {True}
    (condition,) = [one["Condition"] for one in json.loads(endpoints["logs"]["PolicyDocument"])["Statement"]]
    assert set(condition["StringEquals"]) == {"aws:PrincipalAccount", "aws:ResourceAccount"}


def test_endpoints_are_reached_from_both_ranges(closed: Network) -> None:
    (group_id,) = {group["GroupId"] for one in closed.endpoints.values() for group in one["Groups"]}
    (group,) = closed.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    rules = {
        (one["CidrIp"], permission["FromPort"], permission["ToPort"])
        for permission in group["IpPermissions"]
        for one in permission["IpRanges"]
    }
    assert rules == {(str(CIDR), 443, 443), (str(POD_CIDR), 443, 443)}
