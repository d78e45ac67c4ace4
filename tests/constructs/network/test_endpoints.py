from typing import Any

import pytest
from aws_cdk import aws_ec2 as ec2

from aerodrome_constructs.network import PRIVATE_ENDPOINTS
from tests.constructs.network.networks import CIDR, POD_CIDR, subnets
from tests.templates import ACCOUNT, REGION, Statement, TemplateJson, only, properties, resources, statements, text


@pytest.mark.parametrize("template", ["wide", "thrifty", "closed"])
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


def services(template: TemplateJson) -> set[str]:
    prefix = f"com.amazonaws.{REGION}."
    names = [endpoint["ServiceName"] for endpoint in interface_endpoints(template)]
    assert all(name.startswith(prefix) for name in names)
    return {name.removeprefix(prefix) for name in names}


def test_what_every_node_calls_has_an_endpoint(wide: TemplateJson) -> None:
    assert services(wide) == {"ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts"}


def test_without_a_way_out_all_that_the_platform_calls_has_an_endpoint(closed: TemplateJson) -> None:
    assert services(closed) == {
        "acm",
        "autoscaling",
        "batch",
        "ec2",
        "ec2messages",
        "ecr.api",
        "ecr.dkr",
        "ecs",
        "ecs-agent",
        "ecs-telemetry",
        "eks",
        "eks-auth",
        "elasticloadbalancing",
        "events",
        "kms",
        "lambda",
        "logs",
        "monitoring",
        "oidc-eks",
        "rds",
        "secretsmanager",
        "sns",
        "sqs",
        "ssm",
        "ssmmessages",
        "sts",
    }


def test_every_endpoint_is_one_that_the_cdk_knows() -> None:
    known = ec2.InterfaceVpcEndpointAwsService
    names = {getattr(known, name).short_name for name in dir(known) if name.isupper()}
    assert len(names) > 100, "the listing is broken"
    # It is younger than the CDK's list: announced by AWS on 2026-07-29.
    assert sorted(set(PRIVATE_ENDPOINTS.values()) - names) == ["oidc-eks"]


@pytest.mark.parametrize("template", ["wide", "closed"])
def test_endpoints_take_the_services_own_names_in_the_nodes_subnets(
    request: pytest.FixtureRequest, template: str
) -> None:
    vpc: TemplateJson = request.getfixturevalue(template)
    nodes = set(subnets(vpc, "Nodes"))
    for endpoint in interface_endpoints(vpc):
        assert endpoint["PrivateDnsEnabled"] is True
        assert {subnet["Ref"] for subnet in endpoint["SubnetIds"]} == nodes


@pytest.mark.parametrize("template", ["wide", "closed"])
def test_endpoints_are_reached_from_the_vpc_over_tls_and_from_nowhere_else(
    request: pytest.FixtureRequest, template: str
) -> None:
    vpc: TemplateJson = request.getfixturevalue(template)
    (group,) = resources(vpc, "AWS::EC2::SecurityGroup")
    assert {text(endpoint["SecurityGroupIds"]) for endpoint in interface_endpoints(vpc)} == {
        f'["${{{group}.GroupId}}"]'
    }
    rules = only(vpc, "AWS::EC2::SecurityGroup")["SecurityGroupIngress"]
    assert {rule["CidrIp"] for rule in rules} == {str(CIDR), str(POD_CIDR)}
    assert {(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules} == {("tcp", 443, 443)}
    assert "AWS::EC2::SecurityGroupIngress" not in {one["Type"] for one in vpc["Resources"].values()}


def endpoint_statements(template: TemplateJson, service: str) -> list[Statement]:
    (found,) = [
        key
        for key, endpoint in properties(template, "AWS::EC2::VPCEndpoint").items()
        if text(endpoint["ServiceName"]).endswith(f".{service}")
    ]
    return statements(template, found)


def test_without_a_way_out_s3_gives_the_own_buckets_and_what_the_platform_cannot_do_without(
    closed: TemplateJson,
) -> None:
    own, layers, packages, answers = endpoint_statements(closed, "s3")
    assert own.conditions == {"StringEquals": {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}}
    assert (layers.actions, layers.resources) == (
        ["s3:GetObject"],
        [f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*"],
    )
    assert (packages.actions, packages.resources) == (
        ["s3:GetObject"],
        [f"arn:aws:s3:::al2023-repos-{REGION}-de612dc2/*"],
    )
    assert (answers.actions, answers.resources) == (
        ["s3:PutObject"],
        ["arn:aws:s3:::cloudformation-custom-resource-response-euwest1/*"],
    )


OWN_IDENTITIES = {"aws:PrincipalAccount": ACCOUNT}
OWN_RESOURCES = {"aws:ResourceAccount": ACCOUNT}


@pytest.mark.parametrize("service", ["events", "kms", "lambda", "logs", "monitoring", "secretsmanager", "sns", "sqs"])
def test_without_a_way_out_no_data_leaves_to_another_account(closed: TemplateJson, service: str) -> None:
    (statement,) = endpoint_statements(closed, service)
    assert statement.conditions == {"StringEquals": OWN_IDENTITIES | OWN_RESOURCES}


@pytest.mark.parametrize("service", ["ecr.api", "ecr.dkr", "ssm"])
def test_images_and_parameters_may_be_awss_own(closed: TemplateJson, service: str) -> None:
    (statement,) = endpoint_statements(closed, service)
    assert statement.conditions == {"StringEquals": OWN_IDENTITIES}


def test_service_accounts_get_roles_of_the_account_though_they_are_nobody_yet(closed: TemplateJson) -> None:
    known, unknown = endpoint_statements(closed, "sts")
    assert known.conditions == {"StringEquals": OWN_IDENTITIES}
    # The call is not signed: a policy that asked for the caller's account would refuse every pod.
    assert unknown.actions == ["sts:AssumeRoleWithWebIdentity"]
    assert unknown.conditions == {"StringEquals": OWN_RESOURCES}


def test_where_there_is_nat_public_images_in_s3_are_not_forbidden(wide: TemplateJson) -> None:
    assert endpoint_statements(wide, "s3") == []
