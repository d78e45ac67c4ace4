import json
from collections.abc import Mapping
from copy import deepcopy
from ipaddress import IPv4Network

import pytest

from aerodrome_constructs.database.postgres_instance import PORT
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.addresses import zone_subnets
from tests.stacks.exposure import kubernetes, subnets_with_a_way_in
from tests.templates import TemplateJson, only, plain, properties, resources, text, with_id


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
    assert ways_out == {(f"${{{vpc}.CidrBlock}}", PORT, PORT), ("0.0.0.0/0", 443, 443)}


def test_flow_logs_are_encrypted_with_the_key_for_logs(network: TemplateJson) -> None:
    assert "keys:ExportsOutputFnGetAttLogs" in text(with_id(network, "AWS::Logs::LogGroup", "FlowLogs")["KmsKeyId"])


def test_flow_logs_are_kept_as_long_as_decided(network: TemplateJson, environment: Environment) -> None:
    kept = with_id(network, "AWS::Logs::LogGroup", "FlowLogs")["RetentionInDays"]
    assert kept >= environment.retention.logs.days


# What may name a public subnet: the gateways that stand there, and what makes the subnet public.
IN_PUBLIC_SUBNETS = {"AWS::EC2::NatGateway", "AWS::EC2::SubnetRouteTableAssociation"}


def uses_of_public_subnets(stacks: Mapping[str, TemplateJson]) -> set[str]:
    """Every resource that names a public subnet, in its own stack or through an export, and every export of one."""
    public = subnets_with_a_way_in(stacks["Network"])
    exports = {
        f"${{{text(output['Export']['Name'])}}}": text(output["Value"])
        for output in stacks["Network"].get("Outputs", {}).values()
        if "Export" in output
    }
    names = public | {export for export, value in exports.items() if value in public}
    return {
        f"{stack}/{key}: {resource['Type']}"
        for stack, template in stacks.items()
        for key, resource in template["Resources"].items()
        # In another stack, ${Name} of a subnet would be a resource of that stack.
        if any(name in json.dumps(plain(resource)) for name in (names if stack == "Network" else names - public))
    }


def test_no_workload_is_in_a_public_subnet(stacks: Mapping[str, TemplateJson]) -> None:
    assert len(subnets_with_a_way_in(stacks["Network"])) == 3
    uses = uses_of_public_subnets(stacks)
    assert {use.partition(": ")[2] for use in uses} == IN_PUBLIC_SUBNETS


def test_no_load_balancer_asks_for_a_public_subnet(stacks: Mapping[str, TemplateJson]) -> None:
    charts = {
        f"{stack}/{key}": resource
        for stack, template in stacks.items()
        for key, resource in template["Resources"].items()
        if resource["Type"] == "Custom::AWSCDK-EKS-HelmChart"
    }
    assert len(charts) > 5
    findings = {key: list(kubernetes(one["Type"], one["Properties"])) for key, one in charts.items()}
    assert {key: found for key, found in findings.items() if found} == {}


@pytest.mark.cdk_variants("dev")
def test_a_workload_in_a_public_subnet_would_be_found(stacks: Mapping[str, TemplateJson]) -> None:
    subnet = min(subnets_with_a_way_in(stacks["Network"])).strip("${}")
    batch = deepcopy(dict(stacks["Batch"]))
    network = deepcopy(dict(stacks["Network"]))
    network["Resources"]["Endpoint"] = {
        "Type": "AWS::EC2::VPCEndpoint",
        "Properties": {"SubnetIds": [{"Ref": subnet}]},
    }
    network["Outputs"]["Public"] = {"Value": {"Ref": subnet}, "Export": {"Name": "network:Public"}}
    hosts = next(one for one in batch["Resources"].values() if one["Type"] == "AWS::Batch::ComputeEnvironment")
    hosts["Properties"]["ComputeResources"]["Subnets"] = [{"Fn::ImportValue": "network:Public"}]
    uses = uses_of_public_subnets({**stacks, "Network": network, "Batch": batch})
    assert {use.partition(": ")[2] for use in uses} - IN_PUBLIC_SUBNETS == {
        "AWS::Batch::ComputeEnvironment",
        "AWS::EC2::VPCEndpoint",
    }
