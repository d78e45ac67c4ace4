"""Amazon EC2: addresses, NAT gateways, flow logs, the rules of security groups; and the attributes of a VPC."""

from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.ministack_private import ec2_flow_logs
from aerodrome_local.resources.conversion import pick, tag_list
from aerodrome_local.runtime import Created, Properties, Runtime

_RULE_SOURCES = {
    "CidrIp": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "SourcePrefixListId": ("PrefixListIds", "PrefixListId"),
    "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
    "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}
_RULE_IDENTITY = ("GroupId", "IpProtocol", "FromPort", "ToPort", *_RULE_SOURCES)
_FLOW_LOG_IDENTITY = (
    "DeliverLogsPermissionArn",
    "LogDestination",
    "LogDestinationType",
    "LogFormat",
    "LogGroupName",
    "MaxAggregationInterval",
    "ResourceId",
    "ResourceType",
    "TrafficType",
)


def install(runtime: Runtime) -> None:
    """Register the types."""
    ec2 = _Ec2(runtime)
    runtime.resource(
        "AWS::EC2::EIP",
        create=ec2.create_address,
        update=ec2.update_address,
        delete=ec2.delete_address,
        replaces=("Domain", "NetworkBorderGroup"),
        tags=("Tags", "list"),
    )
    runtime.resource(
        "AWS::EC2::NatGateway",
        create=ec2.create_nat_gateway,
        update=ec2.update_tags,
        delete=ec2.delete_nat_gateway,
        replaces=("AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId"),
        tags=("Tags", "list"),
    )
    runtime.resource(
        "AWS::EC2::FlowLog",
        create=ec2.create_flow_log,
        update=ec2.update_tags,
        delete=ec2.delete_flow_log,
        replaces=_FLOW_LOG_IDENTITY,
        tags=("Tags", "list"),
    )
    for direction, create, delete in (
        ("Ingress", ec2.create_ingress, ec2.delete_ingress),
        ("Egress", ec2.create_egress, ec2.delete_egress),
    ):
        runtime.resource(
            f"AWS::EC2::SecurityGroup{direction}",
            create=create,
            update=ec2.update_rule,
            delete=delete,
            replaces=_RULE_IDENTITY,
        )
    runtime.on_create("AWS::EC2::VPC", ec2.vpc_attributes)


class _Ec2:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self._runtime.client("ec2")

    def update_tags(self, physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Created:
        self._tag(physical_id, old, new)
        return physical_id, self._attributes(physical_id)

    def _tag(self, resource_id: str, old: Properties, new: Properties) -> None:
        names = {tag["Key"] for tag in tag_list(new.get("Tags"))}
        gone = [{"Key": tag["Key"]} for tag in tag_list(old.get("Tags")) if tag["Key"] not in names]
        if gone:
            self._client.delete_tags(Resources=[resource_id], Tags=gone)
        if new.get("Tags"):
            self._client.create_tags(Resources=[resource_id], Tags=tag_list(new["Tags"]))

    @staticmethod
    def _attributes(physical_id: str) -> dict[str, str]:
        return {"NatGatewayId": physical_id} if physical_id.startswith("nat-") else {"Id": physical_id}

    def create_address(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        address = self._client.allocate_address(
            **pick(properties, "Domain", "NetworkBorderGroup", "PublicIpv4Pool"),
            TagSpecifications=_tag_specifications("elastic-ip", properties),
        )
        return address["PublicIp"], {"AllocationId": address["AllocationId"], "PublicIp": address["PublicIp"]}

    def update_address(self, physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Created:
        allocation_id = self._allocation_id(physical_id)
        self._tag(allocation_id, old, new)
        return physical_id, {"AllocationId": allocation_id, "PublicIp": physical_id}

    def delete_address(self, physical_id: str, _properties: Properties) -> None:
        try:
            self._client.release_address(AllocationId=self._allocation_id(physical_id))
        except (ClientError, IndexError) as error:
            _unless_gone(error, "InvalidAddress.NotFound", "InvalidAllocationID.NotFound")

    def _allocation_id(self, public_ip: str) -> str:
        addresses = self._client.describe_addresses(PublicIps=[public_ip])["Addresses"]
        return str(addresses[0]["AllocationId"])

    def create_nat_gateway(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        gateway = self._client.create_nat_gateway(
            **pick(properties, "AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId"),
            TagSpecifications=_tag_specifications("natgateway", properties),
        )["NatGateway"]
        return gateway["NatGatewayId"], self._attributes(gateway["NatGatewayId"])

    def delete_nat_gateway(self, physical_id: str, _properties: Properties) -> None:
        try:
            self._client.delete_nat_gateway(NatGatewayId=physical_id)
        except ClientError as error:
            _unless_gone(error, "NatGatewayNotFound")

    def create_flow_log(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        arguments = pick(properties, *_FLOW_LOG_IDENTITY)
        kept = dict(arguments)
        arguments["ResourceIds"] = [arguments.pop("ResourceId")]
        if "MaxAggregationInterval" in arguments:
            arguments["MaxAggregationInterval"] = int(arguments["MaxAggregationInterval"])
        flow_log_id = self._client.create_flow_logs(**arguments)["FlowLogIds"][0]
        # The API of MiniStack drops most of it, the tags included.
        self._runtime.on_event_loop(lambda: ec2_flow_logs[flow_log_id].update(kept))
        self._tag(flow_log_id, {}, properties)
        return flow_log_id, self._attributes(flow_log_id)

    def delete_flow_log(self, physical_id: str, _properties: Properties) -> None:
        self._client.delete_flow_logs(FlowLogIds=[physical_id])

    def create_ingress(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        return self._created_rule(self._client.authorize_security_group_ingress(**_rule(properties)))

    def create_egress(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        return self._created_rule(self._client.authorize_security_group_egress(**_rule(properties)))

    def _created_rule(self, result: dict[str, Any]) -> Created:
        rule_id = result["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return rule_id, self._attributes(rule_id)

    def update_rule(self, physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        # Everything else replaces the rule.
        self._client.modify_security_group_rules(
            GroupId=new["GroupId"],
            SecurityGroupRules=[
                {
                    "SecurityGroupRuleId": physical_id,
                    "SecurityGroupRule": {"Description": new.get("Description", "")},
                }
            ],
        )
        return physical_id, self._attributes(physical_id)

    def delete_ingress(self, _physical_id: str, properties: Properties) -> None:
        self._revoke(self._client.revoke_security_group_ingress, properties)

    def delete_egress(self, _physical_id: str, properties: Properties) -> None:
        self._revoke(self._client.revoke_security_group_egress, properties)

    @staticmethod
    def _revoke(revoke: Any, properties: Properties) -> None:  # noqa: ANN401 - a method that boto3 makes
        try:
            revoke(**_rule(properties))
        except ClientError as error:
            _unless_gone(error, "InvalidPermission.NotFound", "InvalidGroup.NotFound", "InvalidGroupId.NotFound")

    def vpc_attributes(self, physical_id: str, _properties: Properties, _attributes: dict[str, Any]) -> dict[str, Any]:
        vpc = self._client.describe_vpcs(VpcIds=[physical_id])["Vpcs"][0]
        return {
            "CidrBlock": vpc["CidrBlock"],
            "CidrBlockAssociations": [item["AssociationId"] for item in vpc.get("CidrBlockAssociationSet", [])],
            "Ipv6CidrBlocks": [item["Ipv6CidrBlock"] for item in vpc.get("Ipv6CidrBlockAssociationSet", [])],
        }


def _rule(properties: Properties) -> dict[str, Any]:
    permission: dict[str, Any] = {"IpProtocol": str(properties["IpProtocol"])}
    for name in ("FromPort", "ToPort"):
        if name in properties:
            permission[name] = int(properties[name])
    for name, (list_name, member) in _RULE_SOURCES.items():
        if name in properties:
            permission.setdefault(list_name, []).append({member: properties[name], **pick(properties, "Description")})
    return {"GroupId": properties["GroupId"], "IpPermissions": [permission]}


def _tag_specifications(resource_type: str, properties: Properties) -> list[dict[str, Any]]:
    tags = tag_list(properties.get("Tags"))
    return [{"ResourceType": resource_type, "Tags": tags}] if tags else []


def _unless_gone(error: Exception, *codes: str) -> None:
    if isinstance(error, ClientError) and error.response["Error"]["Code"] not in codes:
        raise error
