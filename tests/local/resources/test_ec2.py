"""Amazon EC2: networks, gateways, rules, launch templates."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template

VPC: Template = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16", "EnableDnsHostnames": True}}
SUBNET: Template = {
    "Type": "AWS::EC2::Subnet",
    "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.0.0/20", "AvailabilityZone": "us-east-1a"},
}


def tags(item: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in item["Tags"]}


def test_vpc_and_subnet(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ec2 = embedded_aws.client("ec2")
    resources = {"Vpc": VPC, "Subnet": SUBNET}
    outputs = stack.deploy(
        resources,
        {
            "Vpc": {"Ref": "Vpc"},
            "Cidr": {"Fn::GetAtt": ["Vpc", "CidrBlock"]},
            "Group": {"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]},
            "Subnet": {"Ref": "Subnet"},
            "Zone": {"Fn::GetAtt": ["Subnet", "AvailabilityZone"]},
        },
    )
    assert (outputs["Cidr"], outputs["Zone"]) == ("10.9.0.0/16", "us-east-1a")
    assert ec2.describe_vpcs(VpcIds=[outputs["Vpc"]])["Vpcs"][0]["CidrBlock"] == "10.9.0.0/16"
    assert ec2.describe_security_groups(GroupIds=[outputs["Group"]])["SecurityGroups"][0]["VpcId"] == outputs["Vpc"]

    tagged = {**SUBNET, "Properties": {**SUBNET["Properties"], "Tags": [{"Key": "kind", "Value": "nodes"}]}}
    stack.deploy({"Vpc": VPC, "Subnet": tagged})
    subnet = ec2.describe_subnets(SubnetIds=[outputs["Subnet"]])["Subnets"][0]
    assert tags(subnet) | {"kind": "nodes", "stack-tag": "inherited"} == tags(subnet)

    stack.delete()
    with pytest.raises(ClientError, match=r"InvalidVpcID\.NotFound"):
        ec2.describe_vpcs(VpcIds=[outputs["Vpc"]])
    with pytest.raises(ClientError, match=r"InvalidSubnetID\.NotFound"):
        ec2.describe_subnets(SubnetIds=[outputs["Subnet"]])


def test_second_range_of_a_vpc(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ec2 = embedded_aws.client("ec2")
    subnet = {
        "Type": "AWS::EC2::Subnet",
        "DependsOn": "Range",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "100.64.0.0/18", "AvailabilityZone": "us-east-1a"},
    }

    def range_of(cidr: str) -> Template:
        return {"Type": "AWS::EC2::VPCCidrBlock", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": cidr}}

    def found() -> dict[str, str]:
        (vpc,) = ec2.describe_vpcs(VpcIds=[stack.physical_id("Vpc")])["Vpcs"]
        assert {one["CidrBlockState"]["State"] for one in vpc["CidrBlockAssociationSet"]} == {"associated"}
        return {one["CidrBlock"]: one["AssociationId"] for one in vpc["CidrBlockAssociationSet"]}

    resources = {"Vpc": VPC, "Range": range_of("100.64.0.0/16"), "Subnet": subnet}
    outputs = stack.deploy(resources, {"Ref": {"Ref": "Range"}, "Id": {"Fn::GetAtt": ["Range", "Id"]}})
    assert list(found()) == ["10.9.0.0/16", "100.64.0.0/16"]
    assert found()["100.64.0.0/16"] == outputs["Ref"] == outputs["Id"]
    assert ec2.describe_subnets(SubnetIds=[stack.physical_id("Subnet")])["Subnets"][0]["CidrBlock"] == "100.64.0.0/18"

    stack.deploy({"Vpc": VPC, "Range": range_of("100.65.0.0/16")})
    assert list(found()) == ["10.9.0.0/16", "100.65.0.0/16"]
    stack.deploy({"Vpc": VPC})
    assert list(found()) == ["10.9.0.0/16"]
    with pytest.raises(ClientError, match=r"InvalidVpcCidrBlockAssociationID\.NotFound"):
        ec2.disassociate_vpc_cidr_block(AssociationId=outputs["Id"])


def test_a_subnet_lies_in_a_range_of_its_vpc(stack: Stack) -> None:
    stack.deploy({"Vpc": VPC})
    outside = {**SUBNET, "Properties": {**SUBNET["Properties"], "CidrBlock": "100.64.0.0/18"}}
    with pytest.raises(DeployError, match=r"InvalidSubnet\.Range: the VPC has 10\.9\.0\.0/16"):
        stack.deploy({"Vpc": VPC, "Subnet": outside})


def test_internet_and_nat_gateway(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ec2 = embedded_aws.client("ec2")
    nat: Template = {
        "Type": "AWS::EC2::NatGateway",
        "Properties": {
            "SubnetId": {"Ref": "Subnet"},
            "AllocationId": {"Fn::GetAtt": ["Address", "AllocationId"]},
            "Tags": [{"Key": "zone", "Value": "a"}],
        },
    }
    resources = {
        "Vpc": VPC,
        "Subnet": SUBNET,
        "Internet": {"Type": "AWS::EC2::InternetGateway"},
        "Attachment": {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Internet"}},
        },
        "Address": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc", "Tags": [{"Key": "use", "Value": "nat"}]}},
        "Nat": nat,
    }
    outputs = stack.deploy(
        resources,
        {"Address": {"Ref": "Address"}, "Nat": {"Ref": "Nat"}, "NatId": {"Fn::GetAtt": ["Nat", "NatGatewayId"]}},
    )
    assert outputs["Nat"] == outputs["NatId"]
    address = ec2.describe_addresses(PublicIps=[outputs["Address"]])["Addresses"][0]
    assert (address["Domain"], tags(address)["use"]) == ("vpc", "nat")
    gateway = ec2.describe_nat_gateways(NatGatewayIds=[outputs["Nat"]])["NatGateways"][0]
    assert gateway["NatGatewayAddresses"][0]["AllocationId"] == address["AllocationId"]
    assert tags(gateway) | {"zone": "a", "stack-tag": "inherited"} == tags(gateway)
    internet = ec2.describe_internet_gateways(InternetGatewayIds=[stack.physical_id("Internet")])["InternetGateways"][0]
    assert [item["VpcId"] for item in internet["Attachments"]] == [stack.physical_id("Vpc")]

    retagged = {**nat, "Properties": {**nat["Properties"], "Tags": [{"Key": "zone", "Value": "b"}]}}
    changed_address = {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}}
    stack.deploy({**resources, "Nat": retagged, "Address": changed_address})
    assert tags(ec2.describe_nat_gateways(NatGatewayIds=[outputs["Nat"]])["NatGateways"][0])["zone"] == "b"
    assert "use" not in tags(ec2.describe_addresses(PublicIps=[outputs["Address"]])["Addresses"][0])

    stack.delete()
    left = ec2.describe_nat_gateways(NatGatewayIds=[outputs["Nat"]])["NatGateways"]
    assert [item["State"] for item in left] in ([], ["deleted"])
    assert outputs["Address"] not in [item["PublicIp"] for item in ec2.describe_addresses()["Addresses"]]


def test_routes(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ec2 = embedded_aws.client("ec2")
    route: Template = {
        "Type": "AWS::EC2::Route",
        "Properties": {
            "RouteTableId": {"Ref": "Table"},
            "DestinationCidrBlock": "0.0.0.0/0",
            "GatewayId": {"Ref": "Internet"},
        },
    }
    resources = {
        "Vpc": VPC,
        "Subnet": SUBNET,
        "Internet": {"Type": "AWS::EC2::InternetGateway"},
        "Table": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
        "Association": {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {"RouteTableId": {"Ref": "Table"}, "SubnetId": {"Ref": "Subnet"}},
        },
        "Route": route,
    }
    table_id = stack.deploy(resources, {"Table": {"Ref": "Table"}})["Table"]

    def table() -> Any:  # noqa: ANN401 - what boto3 returns
        return ec2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"][0]

    def destinations() -> set[str]:
        return {item["DestinationCidrBlock"] for item in table()["Routes"]}

    assert destinations() == {"10.9.0.0/16", "0.0.0.0/0"}
    assert [item["SubnetId"] for item in table()["Associations"]] == [stack.physical_id("Subnet")]

    elsewhere = {**route, "Properties": {**route["Properties"], "DestinationCidrBlock": "192.168.0.0/16"}}
    stack.deploy({**resources, "Route": elsewhere})
    assert destinations() == {"10.9.0.0/16", "192.168.0.0/16"}

    stack.deploy({name: item for name, item in resources.items() if name not in ("Route", "Association")})
    assert destinations() == {"10.9.0.0/16"}
    assert table()["Associations"] == []
    stack.delete()
    assert table_id not in [item["RouteTableId"] for item in ec2.describe_route_tables()["RouteTables"]]


def test_flow_log(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ec2 = embedded_aws.client("ec2")
    flow_log: Template = {
        "Type": "AWS::EC2::FlowLog",
        "Properties": {
            "ResourceId": {"Ref": "Vpc"},
            "ResourceType": "VPC",
            "TrafficType": "ALL",
            "LogDestinationType": "cloud-watch-logs",
            "LogGroupName": {"Ref": "Group"},
            "DeliverLogsPermissionArn": "arn:aws:iam::111122223333:role/flow-logs",
        },
    }
    resources = {"Vpc": VPC, "Group": {"Type": "AWS::Logs::LogGroup"}, "FlowLog": flow_log}
    flow_log_id = stack.deploy(resources, {"Id": {"Fn::GetAtt": ["FlowLog", "Id"]}})["Id"]
    found = ec2.describe_flow_logs(FlowLogIds=[flow_log_id])["FlowLogs"][0]
    assert (found["ResourceId"], found["TrafficType"]) == (stack.physical_id("Vpc"), "ALL")
    assert found["LogGroupName"] == stack.physical_id("Group")

    only_rejected = {**flow_log, "Properties": {**flow_log["Properties"], "TrafficType": "REJECT"}}
    replaced_id = stack.deploy({**resources, "FlowLog": only_rejected}, {"Id": {"Ref": "FlowLog"}})["Id"]
    assert replaced_id != flow_log_id
    assert ec2.describe_flow_logs(FlowLogIds=[replaced_id])["FlowLogs"][0]["TrafficType"] == "REJECT"
    assert ec2.describe_flow_logs(FlowLogIds=[flow_log_id])["FlowLogs"] == []

    stack.delete()
    assert ec2.describe_flow_logs(FlowLogIds=[replaced_id])["FlowLogs"] == []


def test_security_group_rules(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ec2 = embedded_aws.client("ec2")

    def group_of(description: str) -> Template:
        return {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "database",
                "VpcId": {"Ref": "Vpc"},
                "SecurityGroupEgress": [
                    {"CidrIp": "255.255.255.255/32", "IpProtocol": "icmp", "FromPort": 252, "ToPort": 86}
                ],
                "Tags": [{"Key": "about", "Value": description}],
            },
        }

    def rules(description: str, port: int) -> dict[str, Any]:
        common = {"GroupId": {"Ref": "Group"}, "IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        return {
            "In": {
                "Type": "AWS::EC2::SecurityGroupIngress",
                "Properties": {**common, "SourceSecurityGroupId": {"Ref": "Group"}, "Description": description},
            },
            "Out": {
                "Type": "AWS::EC2::SecurityGroupEgress",
                "Properties": {**common, "CidrIp": "10.9.0.0/16", "Description": description},
            },
        }

    def found() -> dict[bool, dict[str, Any]]:
        filters = [{"Name": "group-id", "Values": [group]}]
        listed = ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
        return {rule["IsEgress"]: rule for rule in listed if rule["IpProtocol"] == "tcp"}

    base = {"Vpc": VPC, "Group": group_of("first")}
    resources = {**base, **rules("from the nodes", 5432)}
    group = stack.deploy(resources, {"Group": {"Fn::GetAtt": ["Group", "GroupId"]}})["Group"]
    assert found()[False]["ReferencedGroupInfo"]["GroupId"] == group
    assert (found()[False]["FromPort"], found()[False]["Description"]) == (5432, "from the nodes")
    assert (found()[True]["CidrIpv4"], found()[True]["Description"]) == ("10.9.0.0/16", "from the nodes")
    assert found()[False]["SecurityGroupRuleId"] == stack.physical_id("In")

    ids = {stack.physical_id("In"), stack.physical_id("Out")}
    stack.deploy({**base, "Group": group_of("second"), **rules("described anew", 5432)})
    assert {rule["Description"] for rule in found().values()} == {"described anew"}
    assert {rule["SecurityGroupRuleId"] for rule in found().values()} == ids
    assert tags(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0])["about"] == "second"

    stack.deploy({**base, **rules("another port", 5433)})
    assert {rule["FromPort"] for rule in found().values()} == {5433}
    stack.deploy(base)
    assert found() == {}
    stack.delete()
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        ec2.describe_security_groups(GroupIds=[group])


@pytest.mark.parametrize("kind", ["Gateway", "Interface"])
def test_vpc_endpoint(embedded_aws: EmbeddedAws, stack: Stack, kind: str) -> None:
    ec2 = embedded_aws.client("ec2")
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}
    kinds: dict[str, Template] = {
        "Gateway": {
            "ServiceName": "com.amazonaws.us-east-1.s3",
            "RouteTableIds": [{"Ref": "Table"}],
            "PolicyDocument": policy,
        },
        "Interface": {
            "ServiceName": "com.amazonaws.us-east-1.sts",
            "SubnetIds": [{"Ref": "Subnet"}],
            "SecurityGroupIds": [{"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}],
            "PrivateDnsEnabled": True,
        },
    }
    specific = kinds[kind]
    endpoint: Template = {
        "Type": "AWS::EC2::VPCEndpoint",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "VpcEndpointType": kind, **specific},
    }
    resources = {
        "Vpc": VPC,
        "Subnet": SUBNET,
        "Table": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
        "Endpoint": endpoint,
    }
    endpoint_id = stack.deploy(resources, {"Id": {"Ref": "Endpoint"}})["Id"]

    def found() -> Any:  # noqa: ANN401 - what boto3 returns
        return ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"][0]

    assert (found()["VpcEndpointType"], found()["ServiceName"]) == (kind, specific["ServiceName"])
    if kind == "Gateway":
        assert found()["RouteTableIds"] == [stack.physical_id("Table")]
        assert json.loads(found()["PolicyDocument"]) == policy
    else:
        assert found()["SubnetIds"] == [stack.physical_id("Subnet")]
        assert found()["PrivateDnsEnabled"] is True
        assert len(found()["Groups"]) == 1
        # An endpoint without a policy of its own lets everything through.
        assert json.loads(found()["PolicyDocument"])["Statement"][0]["Resource"] == "*"

    tagged = {**endpoint, "Properties": {**endpoint["Properties"], "Tags": [{"Key": "team", "Value": "ml"}]}}
    stack.deploy({**resources, "Endpoint": tagged})
    assert tags(found())["team"] == "ml"
    stack.delete()
    assert endpoint_id not in [item["VpcEndpointId"] for item in ec2.describe_vpc_endpoints()["VpcEndpoints"]]


def test_launch_template(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ec2 = embedded_aws.client("ec2")

    def template(disk_gib: int) -> Template:
        return {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {
                "LaunchTemplateData": {
                    "BlockDeviceMappings": [
                        {
                            "DeviceName": "/dev/xvda",
                            "Ebs": {"Encrypted": True, "VolumeSize": disk_gib, "VolumeType": "gp3"},
                        }
                    ],
                    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                }
            },
        }

    def versions(disk_gib: int) -> dict[str, str]:
        return stack.deploy(
            {"Template": template(disk_gib)},
            {
                "Id": {"Ref": "Template"},
                "Latest": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
                "Default": {"Fn::GetAtt": ["Template", "DefaultVersionNumber"]},
            },
        )

    first = versions(100)
    assert (first["Latest"], first["Default"]) == ("1", "1")
    second = versions(200)
    assert (second["Id"], second["Latest"], second["Default"]) == (first["Id"], "2", "1")
    listed = ec2.describe_launch_template_versions(LaunchTemplateId=first["Id"], Versions=["2"])
    data = listed["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data["BlockDeviceMappings"][0]["Ebs"] == {"Encrypted": True, "VolumeSize": 200, "VolumeType": "gp3"}
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1

    stack.delete()
    left = ec2.describe_launch_templates()["LaunchTemplates"]
    assert first["Id"] not in [item["LaunchTemplateId"] for item in left]


def test_default_security_group_is_restricted(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ec2 = embedded_aws.client("ec2")
    restriction = {
        "Type": "Custom::VpcRestrictDefaultSG",
        "Properties": {
            "ServiceToken": "arn:aws:lambda:us-east-1:111122223333:function:never-called",
            "DefaultSecurityGroupId": {"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]},
            "Account": "111122223333",
        },
    }
    group = stack.deploy({"Vpc": VPC}, {"Group": {"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}})["Group"]

    def egress() -> Any:  # noqa: ANN401 - what boto3 returns
        return ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]

    assert len(egress()) == 1
    stack.deploy({"Vpc": VPC, "Restriction": restriction})
    assert egress() == []
    stack.deploy({"Vpc": VPC})
    assert [item["IpRanges"] for item in egress()] == [[{"CidrIp": "0.0.0.0/0"}]]
