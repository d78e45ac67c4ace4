from ipaddress import IPv4Network
from typing import Any

import pytest

from tests.constructs.network.networks import CIDR, POD_CIDR, ZONES, subnets
from tests.templates import TemplateJson, only, properties, resources, statements, text, with_id


def default_routes(template: TemplateJson, kind: str) -> list[dict[str, Any]]:
    """The ways out of the subnets of one kind."""
    return [
        dict(route)
        for key, route in properties(template, "AWS::EC2::Route").items()
        if kind in key and route.get("DestinationCidrBlock") == "0.0.0.0/0"
    ]


def tag(subnet: dict[str, Any], key: str) -> str | None:
    return next((one["Value"] for one in subnet["Tags"] if one["Key"] == key), None)


@pytest.mark.parametrize("kind", ["Public", "Nodes", "Pod", "Database"])
def test_each_zone_has_a_subnet_of_each_kind(wide: TemplateJson, kind: str) -> None:
    assert sorted(subnet["AvailabilityZone"] for subnet in subnets(wide, kind).values()) == list(ZONES)


def test_subnets_lie_in_their_range_and_do_not_overlap(wide: TemplateJson) -> None:
    lies_in = {key: POD_CIDR if "Pod" in key else CIDR for key in subnets(wide, "")}
    ranges = [IPv4Network(subnet["CidrBlock"]) for subnet in subnets(wide, "").values()]
    assert all(one.subnet_of(whole) for one, whole in zip(ranges, lies_in.values(), strict=True))
    assert not any(one.overlaps(other) for one in ranges for other in ranges if one is not other)


@pytest.mark.parametrize(("kind", "whole"), [("Nodes", CIDR), ("Pod", POD_CIDR)])
def test_three_quarters_of_a_range_go_to_nodes_and_of_the_other_to_pods(
    wide: TemplateJson, kind: str, whole: IPv4Network
) -> None:
    parts = [IPv4Network(subnet["CidrBlock"]) for subnet in subnets(wide, kind).values()]
    assert sum(part.num_addresses for part in parts) * 4 == whole.num_addresses * 3


def test_the_second_range_is_there_before_its_subnets(wide: TemplateJson) -> None:
    (block,) = resources(wide, "AWS::EC2::VPCCidrBlock")
    assert IPv4Network(only(wide, "AWS::EC2::VPCCidrBlock")["CidrBlock"]) == POD_CIDR
    pods = [value for key, value in resources(wide, "AWS::EC2::Subnet").items() if "Pod" in key]
    assert [pod["DependsOn"] for pod in pods] == [[block]] * 3


def route_tables(template: TemplateJson, kind: str) -> dict[str, str]:
    """The route table of each zone's subnet of one kind."""
    zones = {key: subnet["AvailabilityZone"] for key, subnet in subnets(template, kind).items()}
    return {
        zones[one["SubnetId"]["Ref"]]: one["RouteTableId"]["Ref"]
        for one in properties(template, "AWS::EC2::SubnetRouteTableAssociation").values()
        if one["SubnetId"]["Ref"] in zones
    }


@pytest.mark.parametrize("template", ["wide", "thrifty", "closed"])
def test_pods_are_routed_like_the_nodes_of_their_zone(request: pytest.FixtureRequest, template: str) -> None:
    vpc: TemplateJson = request.getfixturevalue(template)
    assert route_tables(vpc, "Pod") == route_tables(vpc, "Nodes")
    assert sorted(route_tables(vpc, "Pod")) == list(ZONES)


def test_no_subnet_hands_out_public_addresses(wide: TemplateJson) -> None:
    assert [key for key, subnet in subnets(wide, "").items() if subnet["MapPublicIpOnLaunch"]] == []


def test_nodes_reach_out_through_nat_only(wide: TemplateJson) -> None:
    routes = default_routes(wide, "Nodes")
    assert len(routes) == len(ZONES)
    assert all("NatGatewayId" in route and "GatewayId" not in route for route in routes)


def test_databases_have_no_way_out(wide: TemplateJson) -> None:
    assert default_routes(wide, "Database") == []


def test_with_a_nat_gateway_in_each_zone_no_zone_depends_on_another(wide: TemplateJson) -> None:
    zone_of_subnet = {key: subnet["AvailabilityZone"] for key, subnet in subnets(wide, "").items()}
    zone_of_gateway = {
        key: zone_of_subnet[gateway["SubnetId"]["Ref"]]
        for key, gateway in properties(wide, "AWS::EC2::NatGateway").items()
    }
    zone_of_table = {
        one["RouteTableId"]["Ref"]: zone_of_subnet[one["SubnetId"]["Ref"]]
        for one in properties(wide, "AWS::EC2::SubnetRouteTableAssociation").values()
    }
    for route in default_routes(wide, "Nodes"):
        assert zone_of_gateway[route["NatGatewayId"]["Ref"]] == zone_of_table[route["RouteTableId"]["Ref"]]


def test_with_one_nat_gateway_all_zones_share_it(thrifty: TemplateJson) -> None:
    (gateway,) = resources(thrifty, "AWS::EC2::NatGateway")
    assert [text(route["NatGatewayId"]) for route in default_routes(thrifty, "Nodes")] == [f"${{{gateway}}}"] * 3


def test_nat_gateways_stand_in_public_subnets(wide: TemplateJson) -> None:
    public = subnets(wide, "Public")
    assert all(gateway["SubnetId"]["Ref"] in public for gateway in properties(wide, "AWS::EC2::NatGateway").values())


def test_the_default_security_group_is_closed(wide: TemplateJson) -> None:
    closed = only(wide, "Custom::VpcRestrictDefaultSG")
    (vpc,) = resources(wide, "AWS::EC2::VPC")
    assert text(closed["DefaultSecurityGroupId"]) == f"${{{vpc}.DefaultSecurityGroup}}"


def test_what_closes_the_default_security_group_may_change_no_other(wide: TemplateJson) -> None:
    for statement in statements(wide, "RestrictDefaultSG"):
        if "ec2:RevokeSecurityGroupIngress" in statement.actions:
            (resource,) = statement.resources
            assert resource.endswith(".DefaultSecurityGroup}")
            break
    else:
        pytest.fail("nothing may close the default security group")


def test_all_traffic_is_logged(wide: TemplateJson) -> None:
    log = only(wide, "AWS::EC2::FlowLog")
    assert (log["TrafficType"], log["ResourceType"]) == ("ALL", "VPC")


def test_flow_logs_are_encrypted_kept_and_forgotten_in_time(wide: TemplateJson) -> None:
    (group,) = resources(wide, "AWS::Logs::LogGroup").values()
    assert text(group["Properties"]["KmsKeyId"]).startswith("${LogKey")
    assert group["Properties"]["RetentionInDays"] == 180
    assert group["DeletionPolicy"] == "Retain"


def test_who_writes_flow_logs_may_write_nowhere_else(wide: TemplateJson) -> None:
    (group,) = resources(wide, "AWS::Logs::LogGroup")
    (policy,) = statements(wide, "FlowLogsRoleDefaultPolicy")
    assert policy.resources == [f"${{{group}.Arn}}"]


def test_without_a_way_out_there_is_nothing_that_leads_out(closed: TemplateJson) -> None:
    types = {resource["Type"] for resource in closed["Resources"].values()}
    assert (
        types
        & {
            "AWS::EC2::EIP",
            "AWS::EC2::InternetGateway",
            "AWS::EC2::NatGateway",
            "AWS::EC2::Route",
            "AWS::EC2::VPCGatewayAttachment",
        }
        == set()
    )
    assert sorted(subnet["AvailabilityZone"] for subnet in subnets(closed, "").values()) == sorted(ZONES * 3)


def test_closing_a_vpc_moves_no_subnet(closed: TemplateJson, wide: TemplateJson) -> None:
    before, after = properties(wide, "AWS::EC2::Subnet"), properties(closed, "AWS::EC2::Subnet")
    assert {key for key in before if "Public" not in key} == set(after)
    assert [key for key in after if after[key]["CidrBlock"] != before[key]["CidrBlock"]] == []


@pytest.mark.parametrize(
    ("kind", "internal", "public"),
    [("Nodes", "1", None), ("Public", None, "1"), ("Pod", None, None), ("Database", None, None)],
)
def test_the_load_balancer_controller_finds_its_subnets(
    wide: TemplateJson, kind: str, internal: str | None, public: str | None
) -> None:
    for subnet in subnets(wide, kind).values():
        assert tag(subnet, "kubernetes.io/role/internal-elb") == internal
        assert tag(subnet, "kubernetes.io/role/elb") == public


def test_names_resolve_in_the_vpc(wide: TemplateJson) -> None:
    # Private endpoints, of EKS and of other services, need both.
    vpc = only(wide, "AWS::EC2::VPC")
    assert (vpc["EnableDnsSupport"], vpc["EnableDnsHostnames"]) == (True, True)


def test_the_role_of_flow_logs_is_the_services_own(wide: TemplateJson) -> None:
    role = with_id(wide, "AWS::IAM::Role", "FlowLogsRole")
    assert (
        text(role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]) == "vpc-flow-logs.amazonaws.com"
    )
