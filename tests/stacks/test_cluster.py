from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

import pytest

from aerodrome_stacks.environment import Environment
from tests.templates import TemplateJson, only, properties, text, trust, with_id


@pytest.fixture
def cluster(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Cluster"]


@pytest.fixture
def endpoint(cluster: TemplateJson) -> Mapping[str, Any]:
    configuration: Mapping[str, Any] = only(cluster, "AWS::EKS::Cluster")["ResourcesVpcConfig"]
    return configuration


@pytest.mark.cdk_variants("prod")
def test_in_prod_the_endpoint_is_private(endpoint: Mapping[str, Any]) -> None:
    assert (endpoint["EndpointPrivateAccess"], endpoint["EndpointPublicAccess"]) == (True, False)
    assert "PublicAccessCidrs" not in endpoint


@pytest.mark.cdk_variants("dev", "staging")
def test_elsewhere_it_is_open_to_the_decided_ranges_only(endpoint: Mapping[str, Any], environment: Environment) -> None:
    # EKS takes an empty list for "everybody".
    assert endpoint["PublicAccessCidrs"] == [str(cidr) for cidr in environment.cluster.public_endpoint_cidrs]
    assert endpoint["PublicAccessCidrs"]


def test_nowhere_is_the_endpoint_open_to_the_world(endpoint: Mapping[str, Any]) -> None:
    assert endpoint["EndpointPrivateAccess"] is True
    ranges = [IPv4Network(cidr) for cidr in endpoint.get("PublicAccessCidrs", [])]
    assert all(one.prefixlen >= 8 for one in ranges)


def test_the_control_plane_and_all_nodes_live_in_node_subnets(
    cluster: TemplateJson, endpoint: Mapping[str, Any]
) -> None:
    places = [endpoint["SubnetIds"]]
    places += [group["Subnets"] for group in properties(cluster, "AWS::EKS::Nodegroup").values()]
    for place in places:
        assert len(place) == 3
        assert all("VpcNodesSubnet" in text(subnet) for subnet in place)


def test_the_version_is_the_decided_one(cluster: TemplateJson, environment: Environment) -> None:
    assert only(cluster, "AWS::EKS::Cluster")["Version"] == environment.cluster.kubernetes_version


def principals_with(cluster: TemplateJson, policy: str) -> set[str]:
    return {
        text(entry["PrincipalArn"])
        for entry in properties(cluster, "AWS::EKS::AccessEntry").values()
        for one in entry["AccessPolicies"]
        if text(one["PolicyArn"]).endswith(f"/{policy}")
    }


def test_the_decided_roles_administer_and_nobody_else(cluster: TemplateJson, environment: Environment) -> None:
    administrators = principals_with(cluster, "AmazonEKSClusterAdminPolicy")
    others = administrators - set(environment.cluster.administrators)
    assert administrators >= set(environment.cluster.administrators)
    assert len(others) == 1, "the Lambda that installs the charts"
    assert "KubectlProviderHandlerServiceRole" in next(iter(others))


def test_viewers_have_the_policy_for_looking_and_no_other(cluster: TemplateJson, environment: Environment) -> None:
    viewers = set(environment.cluster.viewers)
    assert viewers
    assert principals_with(cluster, "AmazonEKSViewPolicy") == viewers
    assert viewers.isdisjoint(principals_with(cluster, "AmazonEKSClusterAdminPolicy"))


def test_kubernetes_secrets_have_the_key_for_the_cluster(cluster: TemplateJson) -> None:
    (configuration,) = only(cluster, "AWS::EKS::Cluster")["EncryptionConfig"]
    assert "keys:ExportsOutputFnGetAttCluster" in text(configuration["Provider"]["KeyArn"])


def test_the_control_planes_logs_are_kept_as_long_as_decided(cluster: TemplateJson, environment: Environment) -> None:
    groups = properties(cluster, "AWS::Logs::LogGroup").values()
    (group,) = [one for one in groups if one["LogGroupName"] == f"/aws/eks/aerodrome-{environment.name}/cluster"]
    assert "keys:ExportsOutputFnGetAttLogs" in text(group["KmsKeyId"])
    assert group["RetentionInDays"] >= environment.retention.logs.days


def test_the_system_nodes_are_as_decided(cluster: TemplateJson, environment: Environment) -> None:
    group, decided = with_id(cluster, "AWS::EKS::Nodegroup", "System"), environment.cluster.system_nodes
    assert (group["CapacityType"], group["Taints"]) == ("ON_DEMAND", [])
    assert group["InstanceTypes"] == list(decided.instance_types)
    assert (group["ScalingConfig"]["MinSize"], group["ScalingConfig"]["MaxSize"]) == (
        decided.min_size,
        decided.max_size,
    )


def test_every_spot_group_is_as_decided(cluster: TemplateJson, environment: Environment) -> None:
    groups = [one for one in properties(cluster, "AWS::EKS::Nodegroup").values() if one["CapacityType"] == "SPOT"]
    assert len(groups) == len(environment.cluster.spot_nodes)
    for decided in environment.cluster.spot_nodes:
        group = with_id(cluster, "AWS::EKS::Nodegroup", f"Spot{decided.name.replace('-', '')}")
        assert set(group["InstanceTypes"]) >= set(decided.instance_types)
        assert group["ScalingConfig"] == {"MinSize": 0, "DesiredSize": 0, "MaxSize": decided.max_size}
        assert [taint["Effect"] for taint in group["Taints"]] == ["NO_SCHEDULE"]


def test_spot_is_diversified(environment: Environment) -> None:
    # Each instance type is a pool in each zone: with few, an interruption takes all.
    assert all(len(group.instance_types) >= 5 for group in environment.cluster.spot_nodes)


def test_only_the_disk_drivers_controller_takes_the_disk_drivers_role(cluster: TemplateJson) -> None:
    (statement,) = trust(with_id(cluster, "AWS::IAM::Role", "EbsCsiDriverRole"))
    subjects = [value for key, value in statement.conditions["StringEquals"].items() if key.endswith(":sub")]
    assert subjects == ["system:serviceaccount:kube-system:ebs-csi-controller-sa"]


def test_the_clusters_name_carries_the_environment(cluster: TemplateJson, environment: Environment) -> None:
    assert only(cluster, "AWS::EKS::Cluster")["Name"] == f"aerodrome-{environment.name}"
