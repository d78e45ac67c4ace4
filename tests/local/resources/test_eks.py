"""Amazon EKS: clusters, node groups, add-ons, access entries, pod identities."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.testing import EmbeddedAws, Stack, Template

ROLE = "arn:aws:iam::111122223333:role/any"
NAME = "resource-tests"


def network() -> Template:
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.8.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.8.0.0/20"},
        },
    }


def cluster(name: str, **changes: Any) -> Template:  # noqa: ANN401 - any property
    return {
        "Type": "AWS::EKS::Cluster",
        "Properties": {
            "Name": name,
            "RoleArn": ROLE,
            "Version": "1.35",
            "ResourcesVpcConfig": {"SubnetIds": [{"Ref": "Subnet"}], "EndpointPrivateAccess": True},
            **changes,
        },
    }


@pytest.fixture(scope="module")
def cluster_name(embedded_aws: EmbeddedAws) -> Iterator[str]:
    """A cluster that the tests of what belongs to one share."""
    stack = embedded_aws.stack("eks-shared-cluster")
    stack.deploy({**network(), "Cluster": cluster(NAME)})
    yield NAME
    stack.delete()


def test_cluster(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    eks = embedded_aws.client("eks")
    key = "arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000"
    properties = {
        "EncryptionConfig": [{"Provider": {"KeyArn": key}, "Resources": ["secrets"]}],
        "KubernetesNetworkConfig": {"IpFamily": "ipv4", "ServiceIpv4Cidr": "172.20.0.0/16"},
        "AccessConfig": {"AuthenticationMode": "API", "BootstrapClusterCreatorAdminPermissions": False},
        "Logging": {"ClusterLogging": {"EnabledTypes": [{"Type": "api"}, {"Type": "audit"}]}},
        "UpgradePolicy": {"SupportType": "STANDARD"},
        "DeletionProtection": True,
        "Tags": [{"Key": "team", "Value": "ml"}],
    }
    attributes = {
        name.rpartition(".")[2]: {"Fn::GetAtt": ["Cluster", name]}
        for name in (
            "Arn",
            "CertificateAuthorityData",
            "ClusterSecurityGroupId",
            "Endpoint",
            "KubernetesNetworkConfig.ServiceIpv4Cidr",
            "OpenIdConnectIssuerUrl",
        )
    }
    resources = {**network(), "Cluster": cluster("eks-test", **properties)}
    outputs = stack.deploy(resources, {**attributes, "Name": {"Ref": "Cluster"}})

    def found() -> Any:  # noqa: ANN401 - what boto3 returns
        return eks.describe_cluster(name="eks-test")["cluster"]

    assert outputs["Name"] == "eks-test"
    assert found()["status"] == "ACTIVE"
    assert found()["version"] == "1.35"
    assert found()["encryptionConfig"] == [{"provider": {"keyArn": key}, "resources": ["secrets"]}]
    assert found()["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == outputs["ServiceIpv4Cidr"] == "172.20.0.0/16"
    assert found()["accessConfig"] == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    assert found()["upgradePolicy"] == {"supportType": "STANDARD"}
    assert found()["tags"]["team"] == "ml"
    enabled = [item["types"] for item in found()["logging"]["clusterLogging"] if item["enabled"]]
    assert enabled == [["api", "audit"]]
    assert found()["endpoint"] == outputs["Endpoint"]
    assert found()["endpoint"].startswith("https://")
    assert found()["identity"]["oidc"]["issuer"] == outputs["OpenIdConnectIssuerUrl"]
    assert found()["certificateAuthority"]["data"] == outputs["CertificateAuthorityData"]
    assert found()["resourcesVpcConfig"]["vpcId"] == stack.physical_id("Vpc")
    groups = embedded_aws.client("ec2").describe_security_groups(GroupIds=[outputs["ClusterSecurityGroupId"]])
    assert groups["SecurityGroups"][0]["VpcId"] == stack.physical_id("Vpc")

    stack.deploy(network())
    assert found()["status"] == "ACTIVE", "the cluster has deletion protection"
    changed = {**properties, "Version": "1.36", "DeletionProtection": False}
    updated = stack.deploy({**network(), "Cluster": cluster("eks-test", **changed)}, attributes)
    assert found()["version"] == "1.36"
    assert found()["deletionProtection"] is False
    assert updated["Endpoint"] == outputs["Endpoint"]
    assert updated["ClusterSecurityGroupId"] == outputs["ClusterSecurityGroupId"]
    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        found()


def test_node_group(embedded_aws: EmbeddedAws, stack: Stack, cluster_name: str) -> None:
    eks = embedded_aws.client("eks")

    def node_group(maximum: int, **changes: Any) -> Template:  # noqa: ANN401 - any property
        return {
            "Type": "AWS::EKS::Nodegroup",
            "Properties": {
                "ClusterName": cluster_name,
                "NodegroupName": "spot",
                "NodeRole": ROLE,
                "Subnets": ["subnet-1"],
                "CapacityType": "SPOT",
                "InstanceTypes": ["m7i.large", "m7a.large"],
                "AmiType": "AL2023_x86_64_STANDARD",
                "ScalingConfig": {"MinSize": 0, "MaxSize": maximum, "DesiredSize": 0},
                "Labels": {"lifecycle": "spot"},
                "Taints": [{"Key": "spot", "Value": "true", "Effect": "NO_SCHEDULE"}],
                "LaunchTemplate": {"Id": "lt-1", "Version": "1"},
                "NodeRepairConfig": {"Enabled": True},
                "Version": "1.35",
                "ReleaseVersion": "1.35.8-20260923",
                "UpdateConfig": {"MaxUnavailablePercentage": 33},
                **changes,
            },
        }

    outputs = stack.deploy(
        {"Group": node_group(5)},
        {"Arn": {"Fn::GetAtt": ["Group", "Arn"]}, "Name": {"Fn::GetAtt": ["Group", "NodegroupName"]}},
    )

    def found() -> Any:  # noqa: ANN401 - what boto3 returns
        return eks.describe_nodegroup(clusterName=cluster_name, nodegroupName="spot")["nodegroup"]

    assert (found()["nodegroupArn"], outputs["Name"]) == (outputs["Arn"], "spot")
    assert found()["capacityType"] == "SPOT"
    assert found()["instanceTypes"] == ["m7i.large", "m7a.large"]
    assert found()["amiType"] == "AL2023_x86_64_STANDARD"
    assert found()["labels"] == {"lifecycle": "spot"}
    assert found()["taints"] == [{"key": "spot", "value": "true", "effect": "NO_SCHEDULE"}]
    assert found()["launchTemplate"] == {"id": "lt-1", "version": "1"}
    assert found()["nodeRepairConfig"] == {"enabled": True}
    assert (found()["version"], found()["releaseVersion"]) == ("1.35", "1.35.8-20260923")
    assert found()["updateConfig"] == {"maxUnavailablePercentage": 33}
    assert found()["scalingConfig"] == {"minSize": 0, "maxSize": 5, "desiredSize": 0}
    assert "diskSize" not in found()

    newer = {"Version": "1.36", "ReleaseVersion": "1.36.4-20260923"}
    stack.deploy({"Group": node_group(9, Labels={"lifecycle": "spot", "team": "ml"}, **newer)})
    assert (found()["version"], found()["releaseVersion"]) == ("1.36", "1.36.4-20260923")
    assert found()["scalingConfig"]["maxSize"] == 9
    assert found()["labels"]["team"] == "ml"
    assert found()["capacityType"] == "SPOT"
    stack.delete()
    assert eks.list_nodegroups(clusterName=cluster_name)["nodegroups"] == []


def test_addon(embedded_aws: EmbeddedAws, stack: Stack, cluster_name: str) -> None:
    eks = embedded_aws.client("eks")

    def addon(values: str, tags: list[dict[str, str]]) -> Template:
        return {
            "Type": "AWS::EKS::Addon",
            "Properties": {
                "ClusterName": cluster_name,
                "AddonName": "vpc-cni",
                "AddonVersion": "v1.20.4-eksbuild.2",
                "ConfigurationValues": values,
                "ResolveConflicts": "OVERWRITE",
                "ServiceAccountRoleArn": ROLE,
                "Tags": tags,
            },
        }

    outputs = stack.deploy(
        {"Addon": addon("{}", [{"Key": "a", "Value": "1"}])},
        {"Id": {"Ref": "Addon"}, "Arn": {"Fn::GetAtt": ["Addon", "Arn"]}},
    )

    def found() -> Any:  # noqa: ANN401 - what boto3 returns
        return eks.describe_addon(clusterName=cluster_name, addonName="vpc-cni")["addon"]

    assert outputs == {"Id": f"{cluster_name}|vpc-cni", "Arn": found()["addonArn"]}
    assert (found()["addonVersion"], found()["serviceAccountRoleArn"]) == ("v1.20.4-eksbuild.2", ROLE)
    assert found()["tags"]["a"] == "1"
    stack.deploy({"Addon": addon('{"env": {"ENABLE_PREFIX_DELEGATION": "true"}}', [{"Key": "b", "Value": "2"}])})
    assert found()["configurationValues"] == '{"env": {"ENABLE_PREFIX_DELEGATION": "true"}}'
    tags = eks.list_tags_for_resource(resourceArn=found()["addonArn"])["tags"]
    assert (tags["b"], tags["stack-tag"], "a" in tags) == ("2", "inherited", False)
    stack.delete()
    assert eks.list_addons(clusterName=cluster_name)["addons"] == []


def test_access_entry(embedded_aws: EmbeddedAws, stack: Stack, cluster_name: str) -> None:
    eks = embedded_aws.client("eks")
    policies = "arn:aws:eks::aws:cluster-access-policy"

    def entry(**changes: Any) -> Template:  # noqa: ANN401 - any property
        properties = {"ClusterName": cluster_name, "PrincipalArn": ROLE, **changes}
        return {"Type": "AWS::EKS::AccessEntry", "Properties": properties}

    def associated() -> dict[str, Any]:
        listed = eks.list_associated_access_policies(clusterName=cluster_name, principalArn=ROLE)
        return {item["policyArn"]: item["accessScope"] for item in listed["associatedAccessPolicies"]}

    admin = {"PolicyArn": f"{policies}/AmazonEKSClusterAdminPolicy", "AccessScope": {"Type": "cluster"}}
    view = {
        "PolicyArn": f"{policies}/AmazonEKSViewPolicy",
        "AccessScope": {"Type": "namespace", "Namespaces": ["flyte"]},
    }
    outputs = stack.deploy(
        {"Entry": entry(AccessPolicies=[admin])}, {"Arn": {"Fn::GetAtt": ["Entry", "AccessEntryArn"]}}
    )
    found = eks.describe_access_entry(clusterName=cluster_name, principalArn=ROLE)["accessEntry"]
    assert found["accessEntryArn"] == outputs["Arn"]
    assert associated() == {admin["PolicyArn"]: {"type": "cluster", "namespaces": []}}
    stack.deploy({"Entry": entry(AccessPolicies=[view], KubernetesGroups=["viewers"])})
    assert associated() == {view["PolicyArn"]: {"type": "namespace", "namespaces": ["flyte"]}}
    changed = eks.describe_access_entry(clusterName=cluster_name, principalArn=ROLE)["accessEntry"]
    assert changed["kubernetesGroups"] == ["viewers"]
    stack.delete()
    assert ROLE not in eks.list_access_entries(clusterName=cluster_name)["accessEntries"]


def test_access_entry_of_nodes(embedded_aws: EmbeddedAws, stack: Stack, cluster_name: str) -> None:
    eks = embedded_aws.client("eks")
    nodes = "arn:aws:iam::111122223333:role/nodes"
    properties = {"ClusterName": cluster_name, "PrincipalArn": nodes, "Type": "EC2_LINUX", "AccessPolicies": []}
    stack.deploy({"Entry": {"Type": "AWS::EKS::AccessEntry", "Properties": properties}})
    found = eks.describe_access_entry(clusterName=cluster_name, principalArn=nodes)["accessEntry"]
    assert found["type"] == "EC2_LINUX"
    listed = eks.list_associated_access_policies(clusterName=cluster_name, principalArn=nodes)
    assert listed["associatedAccessPolicies"] == []
    stack.delete()
    assert nodes not in eks.list_access_entries(clusterName=cluster_name)["accessEntries"]


def test_pod_identity_association(embedded_aws: EmbeddedAws, stack: Stack, cluster_name: str) -> None:
    eks = embedded_aws.client("eks")

    def association(role: str, service_account: str) -> Template:
        return {
            "Type": "AWS::EKS::PodIdentityAssociation",
            "Properties": {
                "ClusterName": cluster_name,
                "Namespace": "flyte",
                "ServiceAccount": service_account,
                "RoleArn": role,
            },
        }

    def listed() -> dict[str, str]:
        associations = eks.list_pod_identity_associations(clusterName=cluster_name)["associations"]
        return {item["serviceAccount"]: item["associationId"] for item in associations}

    output = {"Id": {"Fn::GetAtt": ["Pod", "AssociationId"]}}
    first = stack.deploy({"Pod": association(ROLE, "flyteadmin")}, output)["Id"]
    assert listed() == {"flyteadmin": first}
    tagged = association(f"{ROLE}-2", "flyteadmin")
    tagged["Properties"]["Tags"] = [{"Key": "team", "Value": "ml"}]
    assert stack.deploy({"Pod": tagged}, output)["Id"] == first
    found = eks.describe_pod_identity_association(clusterName=cluster_name, associationId=first)["association"]
    assert (found["roleArn"], found["tags"]["team"]) == (f"{ROLE}-2", "ml")
    replaced = stack.deploy({"Pod": association(ROLE, "datacatalog")}, output)["Id"]
    assert listed() == {"datacatalog": replaced}
    stack.delete()
    assert listed() == {}
