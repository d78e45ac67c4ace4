"""The VPCs under test."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from aerodrome_constructs.network import PlatformVpc, PlatformVpcProps
from tests.templates import REGION, TemplateJson, new_stack, properties, synthesized

CIDR = IPv4Network("10.64.0.0/16")
POD_CIDR = IPv4Network("100.70.0.0/16")
ZONES = tuple(f"{REGION}{letter}" for letter in "abc")


def vpc_with(*, nat_gateways: int, interface_endpoints: Mapping[str, str]) -> TemplateJson:
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


def subnets(template: TemplateJson, kind: str) -> dict[str, Any]:
    found = {key: value for key, value in properties(template, "AWS::EC2::Subnet").items() if kind in key}
    assert found
    return found
