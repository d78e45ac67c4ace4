from ipaddress import IPv4Network
from typing import Any

import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from aerodrome_constructs.network import PlatformVpc, PlatformVpcProps
from tests.templates import (
    REGION,
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

CIDR = IPv4Network("10.64.0.0/16")
POD_CIDR = IPv4Network("100.70.0.0/16")
ZONES = tuple(f"{REGION}{letter}" for letter in "abc")


def vpc_with(*, nat_gateways: int, interface_endpoints: bool) -> TemplateJson:
    stack = new_stack()
    PlatformVpc(
        stack,
        "Vpc",
        PlatformVpcProps(
            cidr=CIDR,
            pod_cidr=POD_CIDR,
            availability_zones=ZONES,
            nat_gateways=nat_gateways,
            interface_endpoints=interface_endpoints,
            flow_log_retention=logs.RetentionDays.SIX_MONTHS,
            log_key=kms.Key(stack, "LogKey"),
        ),
    )
    return synthesized(stack)


@pytest.fixture(scope="module")
def wide() -> TemplateJson:
    """A NAT gateway in each zone, and endpoints for what nodes call."""
    return vpc_with(nat_gateways=3, interface_endpoints=True)


@pytest.fixture(scope="module")
def thrifty() -> TemplateJson:
    """One NAT gateway, and no endpoint that costs money."""
    return vpc_with(nat_gateways=1, interface_endpoints=False)


def subnets(template: TemplateJson, kind: str) -> dict[str, Any]:
    found = {key: value for key, value in properties(template, "AWS::EC2::Subnet").items() if kind in key}
    assert found
    return found


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


def test_three_quarters_of_the_range_go_to_nodes_and_pods(wide: TemplateJson) -> None:
    nodes = [IPv4Network(subnet["CidrBlock"]) for subnet in subnets(wide, "Nodes").values()]
    assert sum(one.num_addresses for one in nodes) * 4 == CIDR.num_addresses * 3


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


@pytest.mark.parametrize("template", ["wide", "thrifty"])
def test_s3_is_reached_without_nat_from_every_subnet(request: pytest.FixtureRequest, template: str) -> None:
    vpc: TemplateJson = request.getfixturevalue(template)
    endpoints = properties(vpc, "AWS::EC2::VPCEndpoint").values()
    (gateway,) = [endpoint for endpoint in endpoints if endpoint["VpcEndpointType"] == "Gateway"]
    assert text(gateway["ServiceName"]).endswith(".s3")
    assert {table["Ref"] for table in gateway["RouteTableIds"]} == set(resources(vpc, "AWS::EC2::RouteTable"))


def interface_endpoints(template: TemplateJson) -> list[dict[str, Any]]:
    return [
        dict(endpoint)
        for endpoint in properties(template, "AWS::EC2::VPCEndpoint").values()
        if endpoint["VpcEndpointType"] == "Interface"
    ]


def test_endpoints_that_cost_money_can_be_left_out(thrifty: TemplateJson) -> None:
    assert interface_endpoints(thrifty) == []


def test_what_every_node_calls_has_an_endpoint(wide: TemplateJson) -> None:
    services = {
        endpoint["ServiceName"].removeprefix(f"com.amazonaws.{REGION}.") for endpoint in interface_endpoints(wide)
    }
    assert services == {"ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts"}


def test_endpoints_take_the_services_own_names_in_the_nodes_subnets(wide: TemplateJson) -> None:
    nodes = set(subnets(wide, "Nodes"))
    for endpoint in interface_endpoints(wide):
        assert endpoint["PrivateDnsEnabled"] is True
        assert {subnet["Ref"] for subnet in endpoint["SubnetIds"]} == nodes


def test_endpoints_are_reached_from_the_vpc_over_tls_and_from_nowhere_else(wide: TemplateJson) -> None:
    (vpc,) = resources(wide, "AWS::EC2::VPC")
    for group in properties(wide, "AWS::EC2::SecurityGroup").values():
        (rule,) = group["SecurityGroupIngress"]
        assert text(rule["CidrIp"]) == f"${{{vpc}.CidrBlock}}"
        assert (rule["FromPort"], rule["ToPort"]) == (443, 443)


@pytest.mark.parametrize(
    ("kind", "internal", "public"), [("Nodes", "1", None), ("Public", None, "1"), ("Database", None, None)]
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
