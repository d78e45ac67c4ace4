"""What is kept of NAT gateways, flow logs, endpoints and VPCs, and MiniStack leaves out of its Describe answers."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from aerodrome_local.ministack_private import (
    EC2_ACTIONS,
    ec2_addresses,
    ec2_flow_logs,
    ec2_nat_gateways,
    ec2_vpc_endpoints,
    ec2_vpcs,
)
from aerodrome_local.resources.conversion import boolean
from aerodrome_local.resources.ec2_vpc_ranges import SECOND_RANGES
from aerodrome_local.runtime import Response, Runtime

Members = Mapping[str, "str | Members"]
Fields = dict[str, str | list[Members]]

_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
# What an endpoint has that was given none.
_EVERYTHING = {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}


def install(_runtime: Runtime) -> None:
    """Complete the answers."""
    # Without this, clients would have to understand prefixes, and not all do.
    ET.register_namespace("", _NAMESPACE)
    _complete("DescribeNatGateways", "natGatewaySet", "natGatewayId", ec2_nat_gateways, _nat_gateway)
    _complete("DescribeFlowLogs", "flowLogSet", "flowLogId", ec2_flow_logs, _flow_log)
    _complete("DescribeVpcEndpoints", "vpcEndpointSet", "vpcEndpointId", ec2_vpc_endpoints, _vpc_endpoint)
    _complete("DescribeVpcs", "vpcSet", "vpcId", ec2_vpcs, _vpc)


def _nat_gateway(record: Mapping[str, Any]) -> Fields:
    address = ec2_addresses.get(record.get("AllocationId"))
    if address is None:
        return {}
    return {"natGatewayAddressSet": [{"allocationId": record["AllocationId"], "publicIp": address["PublicIp"]}]}


def _flow_log(record: Mapping[str, Any]) -> Fields:
    names = ("DeliverLogsPermissionArn", "LogFormat", "LogGroupName", "MaxAggregationInterval")
    return {name[0].lower() + name[1:]: str(record[name]) for name in names if name in record}


def _vpc_endpoint(record: Mapping[str, Any]) -> Fields:
    groups: list[Members] = [{"groupId": group} for group in record.get("SecurityGroupIds", [])]
    private_dns = boolean(record.get("PrivateDnsEnabled", False))
    policy = record.get("PolicyDocument") or _EVERYTHING
    return {
        "groupSet": groups,
        "privateDnsEnabled": "true" if private_dns else "false",
        "policyDocument": policy if isinstance(policy, str) else json.dumps(policy),
    }


def _vpc(record: Mapping[str, Any]) -> Fields:
    second = record.get(SECOND_RANGES)
    if not second:
        return {}
    first = {f"vpc-cidr-assoc-{record['VpcId'].removeprefix('vpc-')}": record["CidrBlock"]}
    return {
        "cidrBlockAssociationSet": [
            {"associationId": association, "cidrBlock": cidr, "cidrBlockState": {"state": "associated"}}
            for association, cidr in (first | second).items()
        ]
    }


def _complete(
    action: str,
    set_name: str,
    id_name: str,
    records: Mapping[str, Mapping[str, Any]],
    fields: Callable[[Mapping[str, Any]], Fields],
) -> None:
    describe = EC2_ACTIONS[action]

    def describe_completely(parameters: Mapping[str, list[str]]) -> Response:
        status, headers, body = describe(parameters)
        if status != 200:  # noqa: PLR2004 - HTTP
            return status, headers, body
        root = ET.fromstring(body)  # noqa: S314 - MiniStack's own answer
        for item in root.findall(f"{{*}}{set_name}/{{*}}item"):
            record = records.get(item.findtext(f"{{*}}{id_name}", ""), {})
            for name, value in fields(record).items():
                _set(item, name, value)
        return status, headers, ET.tostring(root, encoding="utf-8", xml_declaration=True)

    EC2_ACTIONS[action] = describe_completely


def _set(item: ET.Element, name: str, value: str | list[Members]) -> None:
    present = item.find(f"{{*}}{name}")
    if present is not None:
        item.remove(present)
    element = ET.SubElement(item, f"{{{_NAMESPACE}}}{name}")
    if isinstance(value, str):
        element.text = value
        return
    for members in value:
        _fill(ET.SubElement(element, f"{{{_NAMESPACE}}}item"), members)


def _fill(entry: ET.Element, members: Members) -> None:
    for name, value in members.items():
        element = ET.SubElement(entry, f"{{{_NAMESPACE}}}{name}")
        if isinstance(value, str):
            element.text = value
        else:
            _fill(element, value)
