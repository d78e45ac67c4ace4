"""The cluster of the strictest environment, read back through boto3: what it is meant to be is what stands."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from aerodrome_constructs.cluster import KUBERNETES_RELEASES
from aerodrome_local.assembly import read_assembly
from aerodrome_local.deploy import deploy_assembly
from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.environment import Environment, load_environment
from pytest_cdk.settings import Settings
from pytest_cdk.synth import load_app_function, synthesize

# Another account than the one that the whole platform is deployed to.
ENVIRONMENT = "prod"


@dataclass(frozen=True)
class Deployed:
    """The Cluster stack, deployed with what it needs.

    Attributes:
        aws: Where it stands.
        environment: What it was made of.
        region: Where its stacks are.
        stack: Its name.
    """

    aws: EmbeddedAws
    environment: Environment
    region: str
    stack: str

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self.aws.client(service, self.environment.account)

    @property
    def cluster(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.client("eks").describe_cluster(name=self.name)["cluster"]
        return found

    @property
    def name(self) -> str:
        return f"aerodrome-{self.environment.name}"

    def resources(self, resource_type: str) -> dict[str, str]:
        """The physical IDs of the stack's resources of a type by logical ID."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        found = {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for page in pages
            for one in page["StackResourceSummaries"]
            if one["ResourceType"] == resource_type
        }
        assert found, f"the stack has no {resource_type}"
        return found


@pytest.fixture(scope="module")
def deployed(embedded_aws: EmbeddedAws, cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Keys, network and cluster."""
    environment = load_environment(ENVIRONMENT, cdk_settings.root / "environments")
    directory = synthesize(
        load_app_function(cdk_settings.app, cdk_settings.root),
        ENVIRONMENT,
        cdk_json=cdk_settings.cdk_json,
        outdir=tmp_path_factory.mktemp("cdk.out"),
        stage_assets=True,
    ).directory
    (stack,) = [one for one in read_assembly(directory) if one.artifact_id == "Cluster"]
    deploy_assembly(directory, embedded_aws.endpoint, stacks=[stack.name])
    return Deployed(embedded_aws, environment, environment.region, stack.name)


def test_the_endpoint_is_private_and_the_cluster_protected(deployed: Deployed) -> None:
    cluster = deployed.cluster
    access = cluster["resourcesVpcConfig"]
    assert (access["endpointPrivateAccess"], access["endpointPublicAccess"]) == (True, False)
    assert cluster["version"] == deployed.environment.cluster.kubernetes_version
    assert cluster["deletionProtection"] is True
    assert cluster["upgradePolicy"] == {"supportType": "STANDARD"}
    assert cluster["zonalShiftConfig"] == {"enabled": True}
    assert cluster["accessConfig"] == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    assert [one["resources"] for one in cluster["encryptionConfig"]] == [["secrets"]]
    logged = [one["types"] for one in cluster["logging"]["clusterLogging"] if one["enabled"]]
    assert sorted(logged[0]) == ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def test_all_logs_of_the_cluster_have_our_key_and_an_end(deployed: Deployed) -> None:
    groups = {one["logGroupName"]: one for one in deployed.client("logs").describe_log_groups()["logGroups"]}
    ours = [groups[name] for name in deployed.resources("AWS::Logs::LogGroup").values()]
    assert len(ours) == 3, "the control plane's, and those of the two functions that install charts"
    for group in ours:
        assert group["retentionInDays"] == deployed.environment.retention.logs.days
        assert ":key/" in group["kmsKeyId"]


def test_every_add_on_is_the_one_of_the_table(deployed: Deployed) -> None:
    eks = deployed.client("eks")
    names = eks.list_addons(clusterName=deployed.name)["addons"]
    found = {name: eks.describe_addon(clusterName=deployed.name, addonName=name)["addon"] for name in names}
    row = KUBERNETES_RELEASES[deployed.environment.cluster.kubernetes_version]
    assert {name: add_on["addonVersion"] for name, add_on in found.items()} == row.add_ons
    assert {name for name, add_on in found.items() if add_on.get("serviceAccountRoleArn")} == {
        "vpc-cni",
        "aws-ebs-csi-driver",
    }


def test_pods_have_subnets_and_security_groups_that_stand(deployed: Deployed) -> None:
    add_on = deployed.client("eks").describe_addon(clusterName=deployed.name, addonName="vpc-cni")["addon"]
    networks = json.loads(add_on["configurationValues"])["eniConfig"]["subnets"]
    ec2 = deployed.client("ec2")
    subnets = {
        one["SubnetId"]: one
        for one in ec2.describe_subnets(SubnetIds=[network["id"] for network in networks.values()])["Subnets"]
    }
    assert {zone: subnets[network["id"]]["AvailabilityZone"] for zone, network in networks.items()} == {
        zone: zone for zone in deployed.environment.network.availability_zones
    }
    own = deployed.cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    for network in networks.values():
        assert network["securityGroups"][0] == own
        groups = ec2.describe_security_groups(GroupIds=network["securityGroups"])["SecurityGroups"]
        assert {group["VpcId"] for group in groups} == {deployed.cluster["resourcesVpcConfig"]["vpcId"]}


def test_who_may_use_the_cluster_and_as_what(deployed: Deployed) -> None:
    eks = deployed.client("eks")
    policies = {}
    kinds = {}
    for principal in eks.list_access_entries(clusterName=deployed.name)["accessEntries"]:
        entry = eks.describe_access_entry(clusterName=deployed.name, principalArn=principal)["accessEntry"]
        listed = eks.list_associated_access_policies(clusterName=deployed.name, principalArn=principal)
        kinds[principal] = entry["type"]
        policies[principal] = [one["policyArn"].rpartition("/")[2] for one in listed["associatedAccessPolicies"]]
    decided = deployed.environment.cluster
    for principal in decided.administrators:
        assert policies.pop(principal) == ["AmazonEKSClusterAdminPolicy"]
    for principal in decided.viewers:
        assert policies.pop(principal) == ["AmazonEKSViewPolicy"]
    (nodes,) = [principal for principal in policies if "KarpenterNodes" in principal]
    assert (kinds[nodes], policies.pop(nodes)) == ("EC2_LINUX", [])
    # The Lambda that installs the charts, and nobody else.
    ((installer, rights),) = policies.items()
    assert "KubectlProvider" in installer
    assert rights == ["AmazonEKSClusterAdminPolicy"]


def test_node_groups_are_as_decided(deployed: Deployed) -> None:
    eks = deployed.client("eks")
    names = eks.list_nodegroups(clusterName=deployed.name)["nodegroups"]
    groups = [eks.describe_nodegroup(clusterName=deployed.name, nodegroupName=name)["nodegroup"] for name in names]
    row = KUBERNETES_RELEASES[deployed.environment.cluster.kubernetes_version]
    for group in groups:
        assert group["releaseVersion"] == row.node_image_release
        assert group["updateConfig"] == {"maxUnavailablePercentage": 33}
        assert group["nodeRepairConfig"]["enabled"] is True
        assert len(group["subnets"]) == 3
        assert "remoteAccess" not in group
    sizes = {tuple(group["instanceTypes"]): group["scalingConfig"]["minSize"] for group in groups}
    decided = deployed.environment.cluster
    assert sizes == {
        decided.system_nodes.instance_types: decided.system_nodes.min_size,
        **{group.instance_types: group.min_size for group in decided.spot_nodes},
    }
    spot = [group for group in groups if group["capacityType"] == "SPOT"]
    assert len(spot) == len(decided.spot_nodes)
    for group in spot:
        assert [taint["effect"] for taint in group["taints"]] == ["NO_SCHEDULE"]


def test_every_node_asks_for_a_token_and_has_an_encrypted_disk(deployed: Deployed) -> None:
    ec2 = deployed.client("ec2")
    (template,) = deployed.resources("AWS::EC2::LaunchTemplate").values()
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
    data = versions[0]["LaunchTemplateData"]
    options = data["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)
    (disk,) = data["BlockDeviceMappings"]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["VolumeType"]) == (True, "gp3")


def test_the_profile_of_karpenters_nodes_carries_their_role(deployed: Deployed) -> None:
    (name,) = deployed.resources("AWS::IAM::InstanceProfile").values()
    profile = deployed.client("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    (role,) = profile["Roles"]
    assert role["RoleName"] in deployed.resources("AWS::IAM::Role").values()
    assert "KarpenterNodes" in role["RoleName"]


def test_interruptions_reach_the_queue_that_karpenter_reads(deployed: Deployed) -> None:
    sqs, events = deployed.client("sqs"), deployed.client("events")
    queues = {
        url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for url in deployed.resources("AWS::SQS::Queue").values()
    }
    (queue,) = [one for one in queues.values() if "RedrivePolicy" in one]
    assert queue["MessageRetentionPeriod"] == "300"
    assert all(one["SqsManagedSseEnabled"] == "true" for one in queues.values())
    refusals = [
        statement
        for one in queues.values()
        for statement in json.loads(one["Policy"])["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]
    assert len(refusals) == len(queues)
    # Nobody but AWS may put an event of this source on a bus, so the pattern is asked what it would do.
    warning = {
        "id": "1",
        "account": deployed.environment.account,
        "source": "aws.ec2",
        "time": "2026-11-21T00:00:00Z",
        "region": deployed.environment.region,
        "resources": [],
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "detail": {"instance-id": "i-0123456789abcdef0", "instance-action": "terminate"},
    }
    matching = []
    for rule in deployed.resources("AWS::Events::Rule").values():
        name = rule.rpartition("/")[2]
        targets = events.list_targets_by_rule(Rule=name)["Targets"]
        assert [target["Arn"] for target in targets] == [queue["QueueArn"]]
        pattern = events.describe_rule(Name=name)["EventPattern"]
        if events.test_event_pattern(EventPattern=pattern, Event=json.dumps(warning))["Result"]:
            matching.append(name)
    assert len(matching) == 1
