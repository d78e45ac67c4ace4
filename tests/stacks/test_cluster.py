import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any, get_args

import pytest

from aerodrome_constructs.cluster import KUBERNETES_RELEASES
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.model import Cluster
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
    # Not the text "false", which is true: a peer's clusters that were asked to be private were public.
    assert endpoint["EndpointPrivateAccess"] is True
    assert endpoint["EndpointPublicAccess"] is False
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
    # A peer's view role had AmazonEKSAdminPolicy. AmazonEKSAdminViewPolicy would show secrets.
    viewers = environment.cluster.viewers
    assert viewers
    for viewer in viewers:
        entries = properties(cluster, "AWS::EKS::AccessEntry").values()
        (entry,) = [entry for entry in entries if text(entry["PrincipalArn"]) == viewer]
        policies = [text(one["PolicyArn"]).rpartition("/")[2] for one in entry["AccessPolicies"]]
        assert policies == ["AmazonEKSViewPolicy"]
        assert not entry.get("KubernetesGroups"), "a group may be bound to any right in the cluster"


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
        # The nodes that always run; Karpenter adds the others.
        sizes = {"MinSize": decided.min_size, "DesiredSize": decided.min_size, "MaxSize": max(decided.min_size, 1)}
        assert group["ScalingConfig"] == sizes
        assert [taint["Effect"] for taint in group["Taints"]] == ["NO_SCHEDULE"]


def test_spot_is_diversified(cluster: TemplateJson) -> None:
    # Each instance type is a pool in each zone: with few, an interruption takes all.
    groups = [one for one in properties(cluster, "AWS::EKS::Nodegroup").values() if one["CapacityType"] == "SPOT"]
    assert groups
    assert all(len(set(group["InstanceTypes"])) >= 10 for group in groups)


def test_what_goes_with_the_version_is_in_its_row_of_the_table(cluster: TemplateJson, environment: Environment) -> None:
    row = KUBERNETES_RELEASES[environment.cluster.kubernetes_version]
    add_ons = {one["AddonName"]: one["AddonVersion"] for one in properties(cluster, "AWS::EKS::Addon").values()}
    assert add_ons == row.add_ons
    images = {one["ReleaseVersion"] for one in properties(cluster, "AWS::EKS::Nodegroup").values()}
    assert images == {row.node_image_release}


def test_every_version_that_an_environment_may_name_has_a_row() -> None:
    assert set(get_args(Cluster.model_fields["kubernetes_version"].annotation)) == set(KUBERNETES_RELEASES)


def test_pods_live_in_subnets_of_their_own_and_may_reach_the_database(
    cluster: TemplateJson, environment: Environment
) -> None:
    (add_on,) = [one for one in properties(cluster, "AWS::EKS::Addon").values() if one["AddonName"] == "vpc-cni"]
    networks = json.loads(text(add_on["ConfigurationValues"]))["eniConfig"]["subnets"]
    assert set(networks) == set(environment.network.availability_zones)
    subnets = [network["id"] for network in networks.values()]
    assert len(set(subnets)) == len(networks)
    assert all("PodSubnet" in subnet for subnet in subnets)
    for network in networks.values():
        own, database = network["securityGroups"]
        assert own.endswith(".ClusterSecurityGroupId}")
        assert "DatabaseClients" in database


def test_only_the_network_add_ons_pods_take_the_network_add_ons_role(cluster: TemplateJson) -> None:
    (statement,) = trust(with_id(cluster, "AWS::IAM::Role", "VpcCniRole"))
    subjects = [value for key, value in statement.conditions["StringEquals"].items() if key.endswith(":sub")]
    assert subjects == ["system:serviceaccount:kube-system:aws-node"]


def test_no_node_may_do_what_the_network_add_on_may(cluster: TemplateJson) -> None:
    # On the nodes' role it would be every pod's that reaches the node's credentials.
    holders = [
        key
        for key, role in properties(cluster, "AWS::IAM::Role").items()
        if any("AmazonEKS_CNI_Policy" in text(policy) for policy in role.get("ManagedPolicyArns", []))
    ]
    assert [holder for holder in holders if not holder.startswith("VpcCniRole")] == []
    assert holders


def test_every_instance_of_every_stack_asks_for_a_token_and_keeps_pods_from_its_metadata(
    stacks: Mapping[str, TemplateJson],
) -> None:
    # A peer left IMDSv1 open on its nodes (`http_tokens = "optional"`).
    launches = [
        resource["Properties"]["LaunchTemplateData"]
        for template in stacks.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::EC2::LaunchTemplate"
    ]
    assert launches
    for launch in launches:
        assert launch["MetadataOptions"]["HttpTokens"] == "required"
        assert launch["MetadataOptions"]["HttpPutResponseHopLimit"] == 1


def test_karpenter_nodes_join_as_nodes_and_no_more(cluster: TemplateJson) -> None:
    entries = properties(cluster, "AWS::EKS::AccessEntry").values()
    (entry,) = [one for one in entries if "KarpenterNodesRole" in text(one["PrincipalArn"])]
    assert (entry["Type"], entry["AccessPolicies"]) == ("EC2_LINUX", [])


def test_karpenter_learns_of_interruptions(cluster: TemplateJson) -> None:
    rules = properties(cluster, "AWS::Events::Rule").values()
    kinds = {kind for rule in rules for kind in rule["EventPattern"]["detail-type"]}
    assert {"EC2 Spot Instance Interruption Warning", "AWS Health Event"} <= kinds


def test_only_the_disk_drivers_controller_takes_the_disk_drivers_role(cluster: TemplateJson) -> None:
    (statement,) = trust(with_id(cluster, "AWS::IAM::Role", "EbsCsiDriverRole"))
    subjects = [value for key, value in statement.conditions["StringEquals"].items() if key.endswith(":sub")]
    assert subjects == ["system:serviceaccount:kube-system:ebs-csi-controller-sa"]


def test_the_clusters_name_carries_the_environment(cluster: TemplateJson, environment: Environment) -> None:
    assert only(cluster, "AWS::EKS::Cluster")["Name"] == f"aerodrome-{environment.name}"
