"""Amazon EC2: second ranges of a VPC, and that a subnet lies in one of the VPC's ranges, as EC2 insists."""

import secrets
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

from aerodrome_local.ministack_private import EC2_ACTIONS, ec2_vpcs
from aerodrome_local.runtime import Created, Properties, Response, Runtime

SECOND_RANGES = "_second_ranges"
"""Where a VPC's record keeps its second ranges: association ID to CIDR. What is in a record is saved with it."""

_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


def install(runtime: Runtime) -> None:
    """Register the type, the check and the API's actions."""
    EC2_ACTIONS["AssociateVpcCidrBlock"] = _associate
    EC2_ACTIONS["DisassociateVpcCidrBlock"] = _disassociate
    ranges = _Ranges(runtime)
    runtime.resource(
        "AWS::EC2::VPCCidrBlock",
        create=ranges.create,
        update=None,
        delete=ranges.delete,
        replaces=("CidrBlock", "VpcId"),
    )
    runtime.on_create("AWS::EC2::Subnet", ranges.check_subnet)


class _Ranges:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self._runtime.client("ec2")

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        answer = self._client.associate_vpc_cidr_block(VpcId=properties["VpcId"], CidrBlock=properties["CidrBlock"])
        association = answer["CidrBlockAssociation"]["AssociationId"]
        return association, {"Id": association}

    def delete(self, physical_id: str, _properties: Properties) -> None:
        try:
            self._client.disassociate_vpc_cidr_block(AssociationId=physical_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidVpcCidrBlockAssociationID.NotFound":
                raise

    def check_subnet(self, _physical_id: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        (vpc,) = self._client.describe_vpcs(VpcIds=[properties["VpcId"]])["Vpcs"]
        ranges = [IPv4Network(one["CidrBlock"]) for one in vpc["CidrBlockAssociationSet"]]
        if not any(IPv4Network(properties["CidrBlock"]).subnet_of(each) for each in ranges):
            raise ValueError(
                f"The CIDR '{properties['CidrBlock']}' is invalid. (InvalidSubnet.Range: the VPC has "
                f"{', '.join(map(str, ranges))})"
            )


def _associate(parameters: Mapping[str, list[str]]) -> Response:
    vpc_id, cidr = parameters["VpcId"][0], parameters["CidrBlock"][0]
    if vpc_id not in ec2_vpcs:
        return _error("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    association = f"vpc-cidr-assoc-{secrets.token_hex(9)[:17]}"
    ec2_vpcs[vpc_id].setdefault(SECOND_RANGES, {})[association] = cidr
    return _answer("AssociateVpcCidrBlock", vpc_id, association, cidr, "associating")


def _disassociate(parameters: Mapping[str, list[str]]) -> Response:
    association = parameters["AssociationId"][0]
    for vpc_id, vpc in ec2_vpcs.items():
        cidr = vpc.get(SECOND_RANGES, {}).pop(association, None)
        if cidr is not None:
            return _answer("DisassociateVpcCidrBlock", vpc_id, association, cidr, "disassociating")
    return _error(
        "InvalidVpcCidrBlockAssociationID.NotFound", f"The vpc CIDR block association ID '{association}' does not exist"
    )


def _answer(action: str, vpc_id: str, association: str, cidr: str, state: str) -> Response:
    body = (
        f'<{action}Response xmlns="{_NAMESPACE}"><vpcId>{vpc_id}</vpcId><cidrBlockAssociation>'
        f"<associationId>{association}</associationId><cidrBlock>{escape(cidr)}</cidrBlock>"
        f"<cidrBlockState><state>{state}</state></cidrBlockState></cidrBlockAssociation></{action}Response>"
    )
    return 200, {"Content-Type": "application/xml"}, body.encode()


def _error(code: str, message: str) -> Response:
    body = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors></Response>"
    )
    return 400, {"Content-Type": "application/xml"}, body.encode()
