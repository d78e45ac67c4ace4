from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from aerodrome_constructs.cluster import KUBERNETES_RELEASES, KubernetesCluster, KubernetesClusterProps
from tests.constructs.surroundings import NODE_SUBNETS, vpc_in
from tests.templates import (
    ACCOUNT,
    TemplateJson,
    new_stack,
    only,
    properties,
    resources,
    statements,
    synthesized,
    text,
    with_id,
)

ENGINEER = f"arn:aws:iam::{ACCOUNT}:role/PlatformEngineer"
ON_CALL = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/OnCall"
SCIENTIST = f"arn:aws:iam::{ACCOUNT}:role/MachineLearning"
OFFICE = "203.0.113.0/24"
KUBECTL = "KubectlProviderHandlerServiceRole"


def cluster_in(
    stack: cdk.Stack,
    version: str = "1.36",
    *,
    public_endpoint_cidrs: Sequence[str] = (),
    administrators: Sequence[str] = (),
    viewers: Sequence[str] = (),
) -> KubernetesCluster:
    props = KubernetesClusterProps(
        name="ours",
        release=KUBERNETES_RELEASES[version],
        vpc=vpc_in(stack),
        subnets=NODE_SUBNETS,
        secrets_key=kms.Key(stack, "SecretsKey"),
        log_key=kms.Key(stack, "LogKey"),
        log_retention=logs.RetentionDays.SIX_MONTHS,
        public_endpoint_cidrs=[IPv4Network(cidr) for cidr in public_endpoint_cidrs],
        administrators=administrators,
        viewers=viewers,
    )
    return KubernetesCluster(stack, "Kubernetes", props)


@pytest.fixture(scope="module")
def private() -> TemplateJson:
    """A cluster that names no range for its endpoint."""
    stack = new_stack()
    cluster_in(stack, administrators=[ENGINEER, ON_CALL], viewers=[SCIENTIST])
    return synthesized(stack)


@pytest.fixture(scope="module")
def reachable() -> TemplateJson:
    """A cluster that an office reaches from outside."""
    stack = new_stack()
    cluster_in(stack, "1.35", public_endpoint_cidrs=[OFFICE])
    return synthesized(stack)


def cluster(template: TemplateJson) -> Mapping[str, Any]:
    return only(template, "AWS::EKS::Cluster")


def endpoint(template: TemplateJson) -> tuple[bool, bool, list[str]]:
    """Whether the endpoint is reached from inside, from outside, and from where outside."""
    access = cluster(template)["ResourcesVpcConfig"]
    return access["EndpointPrivateAccess"], access["EndpointPublicAccess"], access.get("PublicAccessCidrs", [])


def test_a_cluster_is_private_unless_it_says_otherwise(private: TemplateJson) -> None:
    inside, outside, ranges = endpoint(private)
    # A peer's flag was the text "false", which is true: clusters that were asked to be private were public.
    assert inside is True
    assert outside is False
    assert ranges == []


def test_a_public_endpoint_is_open_to_the_named_ranges_only(reachable: TemplateJson) -> None:
    assert endpoint(reachable) == (True, True, [OFFICE])


def test_the_control_plane_and_its_lambdas_live_in_the_given_subnets(private: TemplateJson) -> None:
    handlers = properties(private, "AWS::Lambda::Function").items()
    places = [value["VpcConfig"] for key, value in handlers if key.startswith("KubernetesKubectlProvider")]
    assert places
    for place in (cluster(private)["ResourcesVpcConfig"]["SubnetIds"], *(one["SubnetIds"] for one in places)):
        assert len(place) == 3
        assert all(text(subnet).startswith("${VpcNodes") for subnet in place)


def test_kubernetes_secrets_are_encrypted_with_the_given_key(private: TemplateJson) -> None:
    (configuration,) = cluster(private)["EncryptionConfig"]
    assert configuration["Resources"] == ["secrets"]
    assert text(configuration["Provider"]["KeyArn"]).startswith("${SecretsKey")


def test_everything_that_the_control_plane_does_is_logged(private: TemplateJson) -> None:
    types = {one["Type"] for one in cluster(private)["Logging"]["ClusterLogging"]["EnabledTypes"]}
    assert types == {"api", "audit", "authenticator", "controllerManager", "scheduler"}


def test_the_control_planes_logs_are_encrypted_kept_and_forgotten_in_time(private: TemplateJson) -> None:
    # EKS writes to a group of this name, and makes one without key and end where there is none.
    groups = resources(private, "AWS::Logs::LogGroup")
    ((key, group),) = [
        (key, one) for key, one in groups.items() if one["Properties"].get("LogGroupName") == "/aws/eks/ours/cluster"
    ]
    assert text(group["Properties"]["KmsKeyId"]).startswith("${LogKey")
    assert (group["Properties"]["RetentionInDays"], group["DeletionPolicy"]) == (180, "RetainExceptOnCreate")
    (cluster_resource,) = resources(private, "AWS::EKS::Cluster").values()
    assert key in cluster_resource["DependsOn"]


def test_what_the_lambdas_that_install_charts_log_is_encrypted_and_kept_as_long(private: TemplateJson) -> None:
    # The CDK's own: two years, without a key.
    groups = {
        key: group["Properties"]
        for key, group in resources(private, "AWS::Logs::LogGroup").items()
        if "KubectlProvider" in key
    }
    assert len(groups) == 2, sorted(groups)
    for group in groups.values():
        assert text(group["KmsKeyId"]).startswith("${LogKey")
        assert group["RetentionInDays"] == 180


def test_a_version_at_its_end_is_upgraded_rather_than_paid_for_sixfold(private: TemplateJson) -> None:
    assert cluster(private)["UpgradePolicy"] == {"SupportType": "STANDARD"}


def test_traffic_can_be_moved_away_from_a_zone(private: TemplateJson) -> None:
    assert cluster(private)["ZonalShiftConfig"] == {"Enabled": True}


def test_whoever_creates_the_cluster_gets_no_rights_in_it(private: TemplateJson) -> None:
    assert cluster(private)["AccessConfig"] == {
        "AuthenticationMode": "API",
        "BootstrapClusterCreatorAdminPermissions": False,
    }


def test_the_cluster_refuses_to_be_deleted(private: TemplateJson) -> None:
    (resource,) = resources(private, "AWS::EKS::Cluster").values()
    assert resource["Properties"]["DeletionProtection"] is True
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_auto_mode_is_off_in_all_its_three_places(private: TemplateJson) -> None:
    # EKS refuses a cluster in which they differ.
    properties_ = cluster(private)
    assert properties_["ComputeConfig"]["Enabled"] is False
    assert properties_["KubernetesNetworkConfig"]["ElasticLoadBalancing"]["Enabled"] is False
    assert properties_["StorageConfig"]["BlockStorage"]["Enabled"] is False


def test_networking_add_ons_are_left_to_the_add_on_manager(private: TemplateJson) -> None:
    assert cluster(private)["BootstrapSelfManagedAddons"] is False


def policies_of(template: TemplateJson, principal: str) -> list[str]:
    """The names of the access policies that one principal has in the whole cluster."""
    return [
        text(policy["PolicyArn"]).rpartition("/")[2]
        for entry in properties(template, "AWS::EKS::AccessEntry").values()
        if principal in text(entry["PrincipalArn"])
        for policy in entry["AccessPolicies"]
        if policy["AccessScope"]["Type"] == "cluster"
    ]


@pytest.mark.parametrize("administrator", [ENGINEER, ON_CALL])
def test_administrators_may_do_everything(private: TemplateJson, administrator: str) -> None:
    assert policies_of(private, administrator) == ["AmazonEKSClusterAdminPolicy"]


def test_viewers_may_look_and_not_touch(private: TemplateJson) -> None:
    # AmazonEKSViewPolicy does not show secrets; AmazonEKSAdminViewPolicy does.
    assert policies_of(private, SCIENTIST) == ["AmazonEKSViewPolicy"]


def test_roles_that_differ_in_their_paths_alone_are_all_admitted() -> None:
    # Without its slash, or with a hyphen in its place, b/Admin would be another one.
    roles = [f"arn:aws:iam::{ACCOUNT}:role/{path}" for path in ("Admin", "a/Admin", "b/Admin", "b-Admin", "bAdmin")]
    stack = new_stack()
    cluster_in(stack, administrators=roles, viewers=[f"{role}Viewer" for role in roles])
    entries = properties(synthesized(stack), "AWS::EKS::AccessEntry").values()
    admitted = {text(entry["PrincipalArn"]) for entry in entries}
    assert admitted >= {*roles, *(f"{role}Viewer" for role in roles)}


def test_nobody_else_is_admitted_but_the_lambda_that_installs_charts(private: TemplateJson) -> None:
    entries = properties(private, "AWS::EKS::AccessEntry")
    principals = {text(entry["PrincipalArn"]) for entry in entries.values()} - {ENGINEER, ON_CALL, SCIENTIST}
    (installer,) = principals
    assert KUBECTL in installer


def test_the_lambda_that_installs_charts_has_few_rights_outside_the_cluster(private: TemplateJson) -> None:
    (cluster_id,) = resources(private, "AWS::EKS::Cluster")
    (statement,) = statements(private, f"{KUBECTL}DefaultPolicy")
    assert (statement.actions, statement.resources) == (["eks:DescribeCluster"], [f"${{{cluster_id}.Arn}}"])


def test_iam_trusts_the_clusters_service_account_tokens(private: TemplateJson) -> None:
    (cluster_id,) = resources(private, "AWS::EKS::Cluster")
    provider = only(private, "AWS::IAM::OIDCProvider")
    assert provider["ClientIdList"] == ["sts.amazonaws.com"]
    assert text(provider["Url"]) == f"${{{cluster_id}.OpenIdConnectIssuerUrl}}"


def test_the_issuer_is_named_without_its_scheme() -> None:
    stack = new_stack()
    issuer = cluster_in(stack).oidc_issuer
    resolved = text(stack.resolve(issuer))
    assert resolved.endswith(".OpenIdConnectIssuerUrl} split at https:// [1]}")


@pytest.mark.parametrize(("template", "version"), [("private", "1.36"), ("reachable", "1.35")])
def test_kubectl_is_of_the_clusters_version(request: pytest.FixtureRequest, template: str, version: str) -> None:
    # kubectl supports a skew of one minor version; a peer shipped kubectl 1.29 for every cluster.
    found: TemplateJson = request.getfixturevalue(template)
    assert cluster(found)["Version"] == version
    layer = with_id(found, "AWS::Lambda::LayerVersion", "KubectlLayer")
    assert layer["Description"].startswith(f"/opt/kubectl/kubectl {version}.")
    handlers = properties(found, "AWS::Lambda::Function").values()
    assert any("KubectlLayer" in text(one) for handler in handlers for one in handler.get("Layers", []))
