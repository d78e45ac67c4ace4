from collections.abc import Mapping
from ipaddress import IPv4Network

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.addresses import zone_subnets
from tests.templates import TemplateJson, only, properties, resources, text, with_id


@pytest.fixture
def network(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Network"]


def test_the_vpc_has_the_environments_range(network: TemplateJson, environment: Environment) -> None:
    assert IPv4Network(only(network, "AWS::EC2::VPC")["CidrBlock"]) == environment.network.cidr


def test_subnets_stand_in_the_environments_zones(network: TemplateJson, environment: Environment) -> None:
    zones = [subnet["AvailabilityZone"] for subnet in properties(network, "AWS::EC2::Subnet").values()]
    assert sorted(zones) == sorted(environment.network.availability_zones * 4)


def test_there_are_as_many_nat_gateways_as_decided(network: TemplateJson, environment: Environment) -> None:
    assert len(resources(network, "AWS::EC2::NatGateway")) == environment.network.nat_gateways


@pytest.mark.cdk_variants("prod")
def test_in_prod_no_zone_takes_anothers_way_out(network: TemplateJson) -> None:
    assert len(resources(network, "AWS::EC2::NatGateway")) == 3


@pytest.mark.parametrize(("kind", "key"), [("Nodes", "cidr"), ("Pod", "pod_cidr")])
def test_a_zone_has_the_addresses_that_the_environment_is_checked_against(
    network: TemplateJson, environment: Environment, kind: str, key: str
) -> None:
    subnets = [one["CidrBlock"] for name, one in properties(network, "AWS::EC2::Subnet").items() if kind in name]
    assert sorted(map(IPv4Network, subnets)) == zone_subnets(getattr(environment.network, key))


def test_pods_have_the_environments_second_range(network: TemplateJson, environment: Environment) -> None:
    assert IPv4Network(only(network, "AWS::EC2::VPCCidrBlock")["CidrBlock"]) == environment.network.pod_cidr


def test_a_private_cluster_reaches_the_services_that_it_calls_privately(
    network: TemplateJson, environment: Environment
) -> None:
    endpoints = properties(network, "AWS::EC2::VPCEndpoint").values()
    private = {text(one["ServiceName"]) for one in endpoints if one["VpcEndpointType"] == "Interface"}
    assert bool(private) is (environment.cluster.public_endpoint_cidrs == ())


def test_what_reaches_the_database_reaches_nothing_else_but_aws(network: TemplateJson) -> None:
    group = with_id(network, "AWS::EC2::SecurityGroup", "DatabaseClients")
    assert "SecurityGroupIngress" not in group
    ways_out = {(text(rule["CidrIp"]), rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]}
    (vpc,) = resources(network, "AWS::EC2::VPC")
    assert ways_out == {(f"${{{vpc}.CidrBlock}}", 5432, 5432), ("0.0.0.0/0", 443, 443)}


def test_flow_logs_are_encrypted_with_the_key_for_logs(network: TemplateJson) -> None:
    assert "keys:ExportsOutputFnGetAttLogs" in text(with_id(network, "AWS::Logs::LogGroup", "FlowLogs")["KmsKeyId"])


def test_flow_logs_are_kept_as_long_as_decided(network: TemplateJson, environment: Environment) -> None:
    kept = with_id(network, "AWS::Logs::LogGroup", "FlowLogs")["RetentionInDays"]
    assert kept >= environment.retention.logs.days
