"""Private means private: nothing of a private environment reaches the internet, or is reached from it."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from aerodrome_constructs.network import PRIVATE_ENDPOINTS
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.document import parse
from aerodrome_stacks.environment.load import validate
from aerodrome_stacks.platform import build_platform
from pytest_cdk import AssemblyFactory
from pytest_cdk.synth import synthesize
from tests.stacks.exposure import exposures
from tests.templates import ROOT, TemplateJson, text

HELM = "Custom::AWSCDK-EKS-HelmChart"

Templates = dict[str, dict[str, Any]]
Mutation = Callable[[Templates], None]


def private_environment() -> Environment:
    """Production, closed."""
    values, _ = parse((ROOT / "environments" / "prod.yaml").read_bytes())
    assert isinstance(values, dict)
    values["network"] |= {"private": True, "nat_gateways": 0}
    values["cluster"] |= {"public_endpoint_cidrs": []}
    values["images"] = "mirror"
    return validate("prod", values, Path("prod.yaml"))


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The templates of a private environment."""
    environment = private_environment()
    assembly = synthesize(
        lambda app, _: build_platform(app, environment),
        "private",
        cdk_json=ROOT / "cdk.json",
        outdir=tmp_path_factory.mktemp("private"),
        stage_assets=False,
    )
    return {name: dict(template) for name, template in assembly.stacks.items()}


def test_nothing_of_it_is_public(private: Templates) -> None:
    assert exposures(private) == []


def test_what_could_be_public_is_there_to_be_looked_at(private: Templates) -> None:
    types = {one["Type"] for template in private.values() for one in template["Resources"].values()}
    assert types > {
        "AWS::Batch::ComputeEnvironment",
        "AWS::Batch::JobDefinition",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::Subnet",
        "AWS::EKS::Cluster",
        "AWS::Lambda::Function",
        "AWS::RDS::DBInstance",
        "AWS::S3::Bucket",
        "Custom::AWSCDK-EKS-HelmChart",
    }


def test_an_environment_that_is_not_private_would_be_found(cdk_assembly: AssemblyFactory) -> None:
    found = {line.partition(": ")[2] for line in exposures(cdk_assembly("dev").stacks)}
    assert found >= {
        "AWS::EC2::InternetGateway is public by nature",
        "AWS::EC2::NatGateway is public by nature",
        "a route to 0.0.0.0/0",
        "the Kubernetes API is public",
        "the subnet is for internet-facing load balancers",
    }


def test_every_load_balancer_is_asked_to_be_internal(private: Templates) -> None:
    values = [text(one["Properties"]["Values"]) for one in of_type(private, HELM)]
    asking = [one for one in values if "alb.ingress.kubernetes.io/group.name" in one]
    assert len(asking) == 3, "Flyte, MLflow and Grafana"
    assert [one for one in asking if '"alb.ingress.kubernetes.io/scheme":"internal"' not in one] == []


def test_controllers_leave_alone_what_has_no_endpoint(private: Templates) -> None:
    values = {
        one["Properties"]["Release"]: json.loads(text(one["Properties"]["Values"])) for one in of_type(private, HELM)
    }
    balancers = values["aws-load-balancer-controller"]
    assert [balancers[f"enable{api}"] for api in ("Shield", "Waf", "Wafv2")] == [False, False, False]
    assert values["karpenter"]["settings"]["isolatedVPC"] is True


def test_lambdas_in_the_vpc_answer_cloudformation_through_an_endpoint(private: Templates) -> None:
    # Otherwise CloudFormation waits for them for an hour, and fails.
    assert any("VpcConfig" in one.get("Properties", {}) for one in of_type(private, "AWS::Lambda::Function"))
    endpoints = [one["Properties"] for one in of_type(private, "AWS::EC2::VPCEndpoint")]
    (s3,) = [one for one in endpoints if text(one["ServiceName"]).endswith(".s3")]
    assert "cloudformation-custom-resource-response-useast1" in text(s3["PolicyDocument"])


def test_the_guide_has_every_endpoint() -> None:
    guide = (ROOT / "docs" / "how-to" / "private-environment.md").read_text(encoding="utf-8")
    listed = set(guide.partition("for service in ")[2].partition("; do")[0].replace("\\\n", " ").split())
    assert listed == {"s3", *PRIVATE_ENDPOINTS.values()}


def of_type(templates: Mapping[str, TemplateJson], kind: str) -> list[dict[str, Any]]:
    return [one for template in templates.values() for one in template["Resources"].values() if one["Type"] == kind]


def added(kind: str, **properties: Any) -> Mutation:  # noqa: ANN401 - any property
    def mutate(templates: Templates) -> None:
        templates["Network"]["Resources"]["Added"] = {"Type": kind, "Properties": properties}

    return mutate


def changed(kind: str, path: str, *, to: Any) -> Mutation:  # noqa: ANN401 - any property
    """Set a property of the first resource of a type; ``...`` takes it away."""

    def mutate(templates: Templates) -> None:
        place: Any = of_type(templates, kind)[0]["Properties"]
        *parents, last = path.split(".")
        for part in parents:
            place = place.setdefault(part, {})
        if to is ...:
            del place[last]
        else:
            place[last] = to

    return mutate


def rule(**source: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **source}


EVERYBODY = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sqs:SendMessage"}]}


@pytest.mark.parametrize(
    ("mutate", "finding"),
    [
        (added("AWS::EC2::InternetGateway"), "AWS::EC2::InternetGateway is public by nature"),
        (added("AWS::EC2::NatGateway"), "AWS::EC2::NatGateway is public by nature"),
        (added("AWS::EC2::EIP"), "AWS::EC2::EIP is public by nature"),
        (added("AWS::Lambda::Url", AuthType="NONE"), "AWS::Lambda::Url is public by nature"),
        (added("AWS::EC2::Route", DestinationCidrBlock="0.0.0.0/0", GatewayId="igw-1"), "a route to 0.0.0.0/0"),
        (added("AWS::EC2::Route", DestinationIpv6CidrBlock="::/0"), "a route to ::/0"),
        (changed("AWS::EC2::Subnet", "MapPublicIpOnLaunch", to=True), "the subnet gives public addresses"),
        (
            changed("AWS::EC2::Subnet", "Tags", to=[{"Key": "kubernetes.io/role/elb", "Value": "1"}]),
            "the subnet is for internet-facing load balancers",
        ),
        (
            changed("AWS::EC2::SecurityGroup", "SecurityGroupIngress", to=[rule(CidrIp="0.0.0.0/0")]),
            "ingress from 0.0.0.0/0",
        ),
        (changed("AWS::EC2::SecurityGroup", "SecurityGroupIngress", to=[rule(CidrIpv6="::/0")]), "ingress from ::/0"),
        (added("AWS::EC2::SecurityGroupIngress", **rule(CidrIp="0.0.0.0/0")), "ingress from 0.0.0.0/0"),
        (
            changed("AWS::EKS::Cluster", "ResourcesVpcConfig.EndpointPublicAccess", to=True),
            "the Kubernetes API is public",
        ),
        # The trap of a flag that was silently public: EKS makes the endpoint public where nothing is said.
        (
            changed("AWS::EKS::Cluster", "ResourcesVpcConfig.EndpointPublicAccess", to=...),
            "the Kubernetes API is public",
        ),
        (
            changed("AWS::EKS::Cluster", "ResourcesVpcConfig.EndpointPublicAccess", to="false"),
            "the Kubernetes API is public",
        ),
        (
            changed("AWS::EKS::Cluster", "ResourcesVpcConfig.EndpointPrivateAccess", to=False),
            "the Kubernetes API is not private",
        ),
        (changed("AWS::RDS::DBInstance", "PubliclyAccessible", to=...), "the database may be publicly accessible"),
        (
            added("AWS::ElasticLoadBalancingV2::LoadBalancer", Type="network"),
            "the load balancer's scheme is not given",
        ),
        (
            added("AWS::ElasticLoadBalancingV2::LoadBalancer", Scheme="internet-facing"),
            "the load balancer's scheme is internet-facing",
        ),
        (
            changed("AWS::S3::Bucket", "PublicAccessBlockConfiguration.BlockPublicPolicy", to=False),
            "BlockPublicPolicy is off",
        ),
        (changed("AWS::S3::Bucket", "AccessControl", to="PublicRead"), "the bucket has AccessControl"),
        (added("AWS::SQS::QueuePolicy", PolicyDocument=EVERYBODY), "everybody may sqs:SendMessage"),
        (added("AWS::Lambda::Permission", Principal="*"), "everybody may invoke the function"),
        (
            changed(
                "AWS::Batch::JobDefinition", "ContainerProperties.NetworkConfiguration.AssignPublicIp", to="ENABLED"
            ),
            "AssignPublicIp is ENABLED",
        ),
        (
            changed(
                "AWS::EC2::LaunchTemplate",
                "LaunchTemplateData.NetworkInterfaces",
                to=[{"AssociatePublicIpAddress": True}],
            ),
            "AssociatePublicIpAddress is True",
        ),
        (
            changed(HELM, "Values", to='{"a": {"alb.ingress.kubernetes.io/scheme": "internet-facing"}}'),
            "alb.ingress.kubernetes.io/scheme is internet-facing",
        ),
        (
            changed(HELM, "Values", to='{"ingress": {"annotations": {"alb.ingress.kubernetes.io/group.name": "a"}}}'),
            "an Ingress whose scheme is not said to be internal",
        ),
        (
            changed(HELM, "Values", to='{"service": {"type": "LoadBalancer"}}'),
            "a Service of type LoadBalancer that is not said to be internal",
        ),
    ],
)
def test_each_exposure_would_be_found(private: Templates, mutate: Mutation, finding: str) -> None:
    templates = deepcopy(private)
    mutate(templates)
    assert finding in {line.partition(": ")[2] for line in exposures(templates)}


def test_a_chart_of_our_own_asks_for_no_load_balancer_on_the_internet() -> None:
    files = [file for file in (ROOT / "charts").rglob("*") if file.is_file()]
    assert len(files) > 20
    asking = [
        file.relative_to(ROOT)
        for file in files
        if any(word in file.read_text(encoding="utf-8") for word in ("internet-facing", "type: LoadBalancer"))
    ]
    assert asking == []
