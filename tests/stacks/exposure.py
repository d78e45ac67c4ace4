"""Finds what the internet can reach, or what can reach the internet, in CloudFormation templates.

Each detector looks at one resource. What must be said to be private counts as public where nothing is said.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.templates import Properties, TemplateJson, plain, text

Detector = Callable[[str, Properties], Iterator[str]]

# What exists to lead out of a VPC, or to be reached from everywhere.
_PUBLIC_BY_NATURE = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::AppRunner::Service",
        "AWS::CloudFront::Distribution",
        "AWS::EC2::CarrierGateway",
        "AWS::EC2::EgressOnlyInternetGateway",
        "AWS::EC2::EIP",
        "AWS::EC2::EIPAssociation",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NatGateway",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::GlobalAccelerator::Accelerator",
        "AWS::Lambda::Url",
        "AWS::Transfer::Server",
    }
)
_LOAD_BALANCERS = ("AWS::ElasticLoadBalancing::LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer")
_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
_IN_KUBERNETES = {"Custom::AWSCDK-EKS-HelmChart": "Values", "Custom::AWSCDK-EKS-KubernetesResource": "Manifest"}
_ALB = "alb.ingress.kubernetes.io/"
# What an Ingress alone says, not a Service behind it.
_OF_AN_INGRESS = {
    f"{_ALB}{key}" for key in ("certificate-arn", "group.name", "listen-ports", "ssl-redirect", "subnets")
}
_NLB = "service.beta.kubernetes.io/aws-load-balancer-"


def exposures(stacks: Mapping[str, TemplateJson]) -> list[str]:
    """What is public, as ``Stack/LogicalId: what``."""
    return [
        f"{stack}/{key}: {finding}"
        for stack, template in stacks.items()
        for key, resource in template["Resources"].items()
        for detect in DETECTORS
        for finding in detect(resource["Type"], resource.get("Properties", {}))
    ]


def gateways(kind: str, _properties: Properties) -> Iterator[str]:
    """What leads out of a VPC, or is on the internet whatever its properties."""
    if kind in _PUBLIC_BY_NATURE:
        yield f"{kind} is public by nature"


def routes(kind: str, properties: Properties) -> Iterator[str]:
    """Routes to everywhere. An internet gateway of another template would be known by nothing else."""
    if kind == "AWS::EC2::Route":
        for key in ("DestinationCidrBlock", "DestinationIpv6CidrBlock"):
            if text(properties.get(key, "")).endswith("/0"):
                yield f"a route to {text(properties[key])}"


def subnets(kind: str, properties: Properties) -> Iterator[str]:
    """Subnets that give public addresses, or that internet-facing load balancers look for."""
    if kind == "AWS::EC2::Subnet":
        if properties.get("MapPublicIpOnLaunch") is not False:
            yield "the subnet gives public addresses"
        if any(tag["Key"] == "kubernetes.io/role/elb" for tag in properties.get("Tags", [])):
            yield "the subnet is for internet-facing load balancers"


def ingress(kind: str, properties: Properties) -> Iterator[str]:
    """Rules that let everybody in."""
    rules = properties.get("SecurityGroupIngress", []) if kind == "AWS::EC2::SecurityGroup" else []
    for rule in [properties] if kind == "AWS::EC2::SecurityGroupIngress" else rules:
        for key in ("CidrIp", "CidrIpv6"):
            if text(rule.get(key, "")).endswith("/0"):
                yield f"ingress from {text(rule[key])}"


def clusters(kind: str, properties: Properties) -> Iterator[str]:
    """Clusters whose API is on the internet, which is what EKS does unless told otherwise."""
    if kind == "AWS::EKS::Cluster":
        access = properties.get("ResourcesVpcConfig", {})
        if access.get("EndpointPublicAccess") is not False:
            yield "the Kubernetes API is public"
        if access.get("EndpointPrivateAccess") is not True:
            yield "the Kubernetes API is not private"


def databases(kind: str, properties: Properties) -> Iterator[str]:
    """Databases that have a public address, which depends on their subnets unless it is said."""
    if kind in {"AWS::RDS::DBInstance", "AWS::RDS::DBCluster"} and properties.get("PubliclyAccessible") is not False:
        yield "the database may be publicly accessible"


def load_balancers(kind: str, properties: Properties) -> Iterator[str]:
    """Load balancers that are not internal, which they are only if it is said."""
    if kind in _LOAD_BALANCERS and properties.get("Scheme") != "internal":
        yield f"the load balancer's scheme is {properties.get('Scheme', 'not given')}"


def buckets(kind: str, properties: Properties) -> Iterator[str]:
    """Buckets that may become public."""
    if kind == "AWS::S3::Bucket":
        block = properties.get("PublicAccessBlockConfiguration", {})
        for key in _BLOCKS:
            if block.get(key) is not True:
                yield f"{key} is off"
        for key in ("WebsiteConfiguration", "AccessControl"):
            if key in properties and not str(properties[key]).endswith(("LogDeliveryWrite", "Private")):
                yield f"the bucket has {key}"


def policies(kind: str, properties: Properties) -> Iterator[str]:
    """Resource policies that allow everybody without a condition. Endpoints have theirs for callers inside the VPC."""
    if kind == "AWS::EC2::VPCEndpoint":
        return
    for document in _mappings(properties):
        if (
            document.get("Effect") == "Allow"
            and "Condition" not in document
            and "*" in _principals(document.get("Principal"))
        ):
            yield f"everybody may {text(document.get('Action'))}"
    if kind == "AWS::Lambda::Permission" and properties.get("Principal") == "*":
        yield "everybody may invoke the function"


def public_addresses(_kind: str, properties: Properties) -> Iterator[str]:
    """Public addresses for instances, tasks, databases and whatever else can have one."""
    for part in _mappings(properties):
        for key, value in part.items():
            if key.lower() in {"assignpublicip", "associatepublicipaddress", "publiclyaccessible"} and (
                str(value).lower() in {"enabled", "true"}
            ):
                yield f"{key} is {value}"


def kubernetes(kind: str, properties: Properties) -> Iterator[str]:
    """Charts and manifests that ask for a load balancer on the internet."""
    if kind not in _IN_KUBERNETES:
        return
    values = json.loads(text(properties.get(_IN_KUBERNETES[kind], "{}")))
    for part in _mappings(values):
        for key, value in part.items():
            if value == "internet-facing":
                yield f"{key} is {value}"
        if _OF_AN_INGRESS & part.keys() and part.get(f"{_ALB}scheme") != "internal":
            yield "an Ingress whose scheme is not said to be internal"
        if part.get("type") == "LoadBalancer" and not _internal(part.get("annotations")):
            yield "a Service of type LoadBalancer that is not said to be internal"


DETECTORS: tuple[Detector, ...] = (
    gateways,
    routes,
    subnets,
    ingress,
    clusters,
    databases,
    load_balancers,
    buckets,
    policies,
    public_addresses,
    kubernetes,
)
"""All detectors."""


def subnets_with_a_way_in(template: TemplateJson) -> set[str]:
    """The subnets whose route table has a route to an internet gateway, whatever they are called."""
    typed = template["Resources"].items()
    tables = {
        text(one["Properties"]["RouteTableId"])
        for _, one in typed
        if one["Type"] == "AWS::EC2::Route" and "GatewayId" in one["Properties"]
    }
    return {
        text(one["Properties"]["SubnetId"])
        for _, one in typed
        if one["Type"] == "AWS::EC2::SubnetRouteTableAssociation" and text(one["Properties"]["RouteTableId"]) in tables
    }


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - any JSON value
    if isinstance(value, Mapping):
        yield value
        for child in value.values():
            yield from _mappings(child)
    elif isinstance(value, list):
        for child in value:
            yield from _mappings(child)


def _principals(principal: Any) -> list[str]:  # noqa: ANN401 - as policies have it
    kinds = principal.values() if isinstance(principal, Mapping) else [principal]
    return [text(plain(one)) for kind in kinds for one in (kind if isinstance(kind, list) else [kind])]


def _internal(annotations: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(annotations, Mapping) and annotations.get(f"{_NLB}scheme") == "internal"
