"""The cluster of the strictest environment, read back through boto3: what it is meant to be is what stands."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_constructs.cluster import KUBERNETES_RELEASES
from tests.local.account import Account


@pytest.fixture(scope="module")
def cluster(prod: Account) -> Mapping[str, Any]:
    found: Mapping[str, Any] = prod.client("eks").describe_cluster(name=prod.name)["cluster"]
    return found


def test_the_endpoint_is_private_and_the_cluster_protected(prod: Account, cluster: Mapping[str, Any]) -> None:
    access = cluster["resourcesVpcConfig"]
    assert (access["endpointPrivateAccess"], access["endpointPublicAccess"]) == (True, False)
    assert cluster["version"] == prod.environment.cluster.kubernetes_version
    assert cluster["deletionProtection"] is True
    assert cluster["upgradePolicy"] == {"supportType": "STANDARD"}
    assert cluster["zonalShiftConfig"] == {"enabled": True}
    assert cluster["accessConfig"] == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    assert [one["resources"] for one in cluster["encryptionConfig"]] == [["secrets"]]
    logged = [one["types"] for one in cluster["logging"]["clusterLogging"] if one["enabled"]]
    assert sorted(logged[0]) == ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def test_all_logs_of_the_cluster_have_our_key_and_an_end(prod: Account) -> None:
    groups = {one["logGroupName"]: one for one in prod.client("logs").describe_log_groups()["logGroups"]}
    ours = [groups[name] for name in prod.resources("cluster", "AWS::Logs::LogGroup").values()]
    assert len(ours) == 3, "the control plane's, and those of the two functions that install charts"
    for group in ours:
        assert group["retentionInDays"] == prod.environment.retention.logs.days
        assert ":key/" in group["kmsKeyId"]


def test_every_add_on_is_the_one_of_the_table(prod: Account) -> None:
    eks = prod.client("eks")
    names = eks.list_addons(clusterName=prod.name)["addons"]
    found = {name: eks.describe_addon(clusterName=prod.name, addonName=name)["addon"] for name in names}
    row = KUBERNETES_RELEASES[prod.environment.cluster.kubernetes_version]
    assert {name: add_on["addonVersion"] for name, add_on in found.items()} == row.add_ons
    assert {name for name, add_on in found.items() if add_on.get("serviceAccountRoleArn")} == {
        "vpc-cni",
        "aws-ebs-csi-driver",
    }


def test_pods_have_subnets_and_security_groups_that_stand(prod: Account, cluster: Mapping[str, Any]) -> None:
    add_on = prod.client("eks").describe_addon(clusterName=prod.name, addonName="vpc-cni")["addon"]
    networks = json.loads(add_on["configurationValues"])["eniConfig"]["subnets"]
    ec2 = prod.client("ec2")
    subnets = {
        one["SubnetId"]: one
        for one in ec2.describe_subnets(SubnetIds=[network["id"] for network in networks.values()])["Subnets"]
    }
    assert {zone: subnets[network["id"]]["AvailabilityZone"] for zone, network in networks.items()} == {
        zone: zone for zone in prod.environment.network.availability_zones
    }
    own = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    for network in networks.values():
        assert network["securityGroups"][0] == own
        groups = ec2.describe_security_groups(GroupIds=network["securityGroups"])["SecurityGroups"]
        assert {group["VpcId"] for group in groups} == {cluster["resourcesVpcConfig"]["vpcId"]}


def test_who_may_use_the_cluster_and_as_what(prod: Account) -> None:
    eks = prod.client("eks")
    policies = {}
    kinds = {}
    for principal in eks.list_access_entries(clusterName=prod.name)["accessEntries"]:
        entry = eks.describe_access_entry(clusterName=prod.name, principalArn=principal)["accessEntry"]
        listed = eks.list_associated_access_policies(clusterName=prod.name, principalArn=principal)
        kinds[principal] = entry["type"]
        policies[principal] = [one["policyArn"].rpartition("/")[2] for one in listed["associatedAccessPolicies"]]
    decided = prod.environment.cluster
    for principal in decided.administrators:
        assert policies.pop(principal) == ["AmazonEKSClusterAdminPolicy"]
    for principal in decided.viewers:
        assert policies.pop(principal) == ["AmazonEKSViewPolicy"]
    (emergency,) = [principal for principal in policies if principal.endswith(":role/aerodrome-prod-break-glass")]
    assert policies.pop(emergency) == ["AmazonEKSClusterAdminPolicy"]
    (nodes,) = [principal for principal in policies if "KarpenterNodes" in principal]
    assert (kinds[nodes], policies.pop(nodes)) == ("EC2_LINUX", [])
    # The Lambda that installs the charts, and nobody else.
    ((installer, rights),) = policies.items()
    assert "KubectlProvider" in installer
    assert rights == ["AmazonEKSClusterAdminPolicy"]


def test_node_groups_are_as_decided(prod: Account) -> None:
    eks = prod.client("eks")
    names = eks.list_nodegroups(clusterName=prod.name)["nodegroups"]
    groups = [eks.describe_nodegroup(clusterName=prod.name, nodegroupName=name)["nodegroup"] for name in names]
    row = KUBERNETES_RELEASES[prod.environment.cluster.kubernetes_version]
    for group in groups:
        assert group["releaseVersion"] == row.node_image_release
        assert group["updateConfig"] == {"maxUnavailablePercentage": 33}
        assert group["nodeRepairConfig"]["enabled"] is True
        assert len(group["subnets"]) == 3
        assert "remoteAccess" not in group
    sizes = {tuple(group["instanceTypes"]): group["scalingConfig"]["minSize"] for group in groups}
    decided = prod.environment.cluster
    assert sizes == {
        decided.system_nodes.instance_types: decided.system_nodes.min_size,
        **{group.instance_types: group.min_size for group in decided.spot_nodes},
    }
    spot = [group for group in groups if group["capacityType"] == "SPOT"]
    assert len(spot) == len(decided.spot_nodes)
    for group in spot:
        assert [taint["effect"] for taint in group["taints"]] == ["NO_SCHEDULE"]


def test_every_node_asks_for_a_token_and_has_an_encrypted_disk(prod: Account) -> None:
    ec2 = prod.client("ec2")
    (template,) = prod.resources("cluster", "AWS::EC2::LaunchTemplate").values()
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
    data = versions[0]["LaunchTemplateData"]
    options = data["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)
    (disk,) = data["BlockDeviceMappings"]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["VolumeType"]) == (True, "gp3")


def test_the_profile_of_karpenters_nodes_carries_their_role(prod: Account) -> None:
    (name,) = prod.resources("cluster", "AWS::IAM::InstanceProfile").values()
    profile = prod.client("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    (role,) = profile["Roles"]
    assert role["RoleName"] in prod.resources("cluster", "AWS::IAM::Role").values()
    assert "KarpenterNodes" in role["RoleName"]


def test_interruptions_reach_the_queue_that_karpenter_reads(prod: Account) -> None:
    sqs, events = prod.client("sqs"), prod.client("events")
    queues = {
        url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for url in prod.resources("cluster", "AWS::SQS::Queue").values()
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
        "account": prod.environment.account,
        "source": "aws.ec2",
        "time": "2026-11-21T00:00:00Z",
        "region": prod.environment.region,
        "resources": [],
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "detail": {"instance-id": "i-0123456789abcdef0", "instance-action": "terminate"},
    }
    matching = []
    for rule in prod.resources("cluster", "AWS::Events::Rule").values():
        name = rule.rpartition("/")[2]
        targets = events.list_targets_by_rule(Rule=name)["Targets"]
        assert [target["Arn"] for target in targets] == [queue["QueueArn"]]
        pattern = events.describe_rule(Name=name)["EventPattern"]
        if events.test_event_pattern(EventPattern=pattern, Event=json.dumps(warning))["Result"]:
            matching.append(name)
    assert len(matching) == 1
