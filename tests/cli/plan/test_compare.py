"""What a change of a template does to the resources that it changes, and to those that refer to them."""

import json
from typing import Any

import pytest

from aerodrome.plan.compare import compare_stacks
from aerodrome.plan.model import Fate, ResourceChange, Verdict
from aerodrome.plan.templates import StackTemplate

Json = dict[str, Any]


def stack(resources: Json, **sections: Any) -> StackTemplate:  # noqa: ANN401 - JSON
    return StackTemplate(
        stack="Storage",
        name="aerodrome-dev-storage",
        region="us-east-1",
        account="111122223333",
        body={"Resources": resources, **sections},
    )


def changes(before: Json, after: Json) -> dict[str, ResourceChange]:
    found = compare_stacks(stack(before), stack(after))
    return {change.logical_id: change for change in found}


def verdicts(before: Json, after: Json) -> dict[str, str]:
    return {name: change.verdict.value for name, change in changes(before, after).items()}


def one(resource_type: str, properties: Json | None = None, **attributes: Any) -> Json:  # noqa: ANN401 - JSON
    return {"Type": resource_type, "Properties": properties or {}, **attributes}


VPC = one("AWS::EC2::VPC", {"CidrBlock": "10.16.0.0/16"})
OTHER_VPC = one("AWS::EC2::VPC", {"CidrBlock": "10.17.0.0/16"})
BUCKET = one("AWS::S3::Bucket", {"BucketName": "raw"})
OTHER_BUCKET = one("AWS::S3::Bucket", {"BucketName": "cooked"})


class TestReferences:
    def test_what_refers_to_a_replaced_resource_is_replaced_and_so_on(self) -> None:
        users = {
            "Subnet": one("AWS::EC2::Subnet", {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.16.0.0/18"}),
            "Gateway": one("AWS::EC2::NatGateway", {"SubnetId": {"Fn::GetAtt": ["Subnet", "SubnetId"]}}),
            "Route": one("AWS::EC2::Route", {"RouteTableId": "rtb-1", "NatGatewayId": {"Ref": "Gateway"}}),
        }

        found = changes({"Vpc": VPC, **users}, {"Vpc": OTHER_VPC, **users})

        assert {name: change.verdict.value for name, change in found.items()} == {
            "Vpc": "replaced",
            "Subnet": "replaced",
            "Gateway": "replaced",
            "Route": "in place",
        }
        assert [(change.path, change.follows) for change in found["Route"].properties] == [("NatGatewayId", "Gateway")]

    @pytest.mark.parametrize(
        "reference",
        [
            {"Ref": "Key"},
            {"Fn::GetAtt": ["Key", "Arn"]},
            {"Fn::GetAtt": "Key.Arn"},
            {"Fn::Sub": "arn:aws:kms:us-east-1:111122223333:key/${Key}"},
            {"Fn::Sub": ["${Arn}", {"Arn": {"Fn::GetAtt": ["Key", "Arn"]}}]},
            {"Fn::Join": ["", ["arn:aws:kms:::key/", {"Ref": "Key"}]]},
        ],
        ids=json.dumps,
    )
    def test_every_way_to_refer_counts(self, reference: Json) -> None:
        user = one("AWS::RDS::DBInstance", {"KmsKeyId": reference})
        before = {"Key": one("AWS::KMS::Key", {"MultiRegion": False}), "Database": user}
        after = {"Key": one("AWS::KMS::Key", {"MultiRegion": True}), "Database": user}

        assert verdicts(before, after) == {"Key": "replaced", "Database": "replaced"}

    def test_a_variable_of_sub_is_no_resource_of_that_name(self) -> None:
        user = one("AWS::RDS::DBInstance", {"KmsKeyId": {"Fn::Sub": ["${Bucket}", {"Bucket": {"Ref": "Given"}}]}})

        assert verdicts({"Bucket": BUCKET, "It": user}, {"Bucket": OTHER_BUCKET, "It": user}) == {"Bucket": "replaced"}

    def test_a_resource_that_is_updated_in_place_keeps_its_name_and_arn(self) -> None:
        user = one("AWS::S3::BucketPolicy", {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {}})
        tagged = one("AWS::S3::Bucket", {"BucketName": "raw", "Tags": [{"Key": "a", "Value": "b"}]})

        assert verdicts({"Bucket": BUCKET, "Policy": user}, {"Bucket": tagged, "Policy": user}) == {
            "Bucket": "in place"
        }

    def test_an_update_of_a_launch_template_reaches_the_nodes_that_take_its_latest_version(self) -> None:
        version = {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}
        nodes = one("AWS::EKS::Nodegroup", {"LaunchTemplate": {"Id": {"Ref": "Template"}, "Version": version}})
        before = {"Template": one("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"ImageId": "ami-1"}})}
        after = {"Template": one("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"ImageId": "ami-2"}})}

        found = changes({**before, "Nodes": nodes}, {**after, "Nodes": nodes})

        assert found["Template"].verdict is Verdict.IN_PLACE
        assert found["Nodes"].verdict is Verdict.WITH_INTERRUPTION
        assert [change.path for change in found["Nodes"].properties] == ["LaunchTemplate.Version"]

    def test_what_may_be_replaced_may_replace_what_refers_to_it(self) -> None:
        # A type that cfn-lint has no schema of, as a private one.
        user = one("AWS::S3::BucketPolicy", {"Bucket": {"Ref": "Own"}, "PolicyDocument": {}})
        before = {"Own": one("Bank::Storage::Vault", {"Size": 1}), "Policy": user}
        after = {"Own": one("Bank::Storage::Vault", {"Size": 2}), "Policy": user}

        assert verdicts(before, after) == {"Own": "may be replaced", "Policy": "may be replaced"}

    def test_two_resources_that_refer_to_each_other_come_to_an_end(self) -> None:
        def group(name: str, other: str) -> Json:
            rule = {"SourceSecurityGroupId": {"Ref": other}, "IpProtocol": "-1"}
            return one("AWS::EC2::SecurityGroup", {"GroupDescription": name, "SecurityGroupIngress": [rule]})

        before = {"One": group("one", "Two"), "Two": group("two", "One")}
        after = {"One": group("other", "Two"), "Two": group("two", "One")}

        assert verdicts(before, after) == {"One": "replaced", "Two": "in place"}


class TestProperties:
    def test_a_nested_create_only_property_counts_alone(self) -> None:
        def cluster(**network: str) -> Json:
            return {"It": one("AWS::EKS::Cluster", {"KubernetesNetworkConfig": network})}

        before = cluster(IpFamily="ipv4")

        assert verdicts(before, cluster(IpFamily="ipv6")) == {"It": "replaced"}
        assert verdicts(before, cluster(IpFamily="ipv4", ElasticLoadBalancing="on")) == {"It": "in place"}

    def test_an_object_that_comes_with_a_create_only_property_in_it_replaces(self) -> None:
        def cluster(access: Json) -> Json:
            return {"It": one("AWS::EKS::Cluster", {"AccessConfig": access} if access else {})}

        assert verdicts(cluster({}), cluster({"AuthenticationMode": "API"})) == {"It": "in place"}
        assert verdicts(cluster({}), cluster({"BootstrapClusterCreatorAdminPermissions": False})) == {"It": "replaced"}

    def test_a_create_only_property_inside_a_list_counts(self) -> None:
        def replicator(compression: str, *, detect: bool) -> Json:
            topics = {"DetectAndCopyNewTopics": detect}
            info = {"TargetCompressionType": compression, "TopicReplication": topics}
            return {"It": one("AWS::MSK::Replicator", {"ReplicationInfoList": [info]})}

        before = replicator("GZIP", detect=True)

        assert verdicts(before, replicator("LZ4", detect=True)) == {"It": "replaced"}
        assert verdicts(before, replicator("GZIP", detect=False)) == {"It": "in place"}

    def test_text_and_number_are_told_apart(self) -> None:
        before, after = one("AWS::Batch::JobQueue", {"Priority": 1}), one("AWS::Batch::JobQueue", {"Priority": True})

        assert verdicts({"It": before}, {"It": after}) == {"It": "in place"}

    def test_the_properties_say_where_the_difference_is(self) -> None:
        before = one("AWS::S3::Bucket", {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]})
        after = one("AWS::S3::Bucket", {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "3"}]})

        (change,) = changes({"It": before}, {"It": after})["It"].properties

        assert (change.path, change.before, change.after) == ("Tags[1].Value", "2", "3")

    def test_any_change_replaces_what_cannot_be_updated(self) -> None:
        before = one("AWS::Glue::SecurityConfiguration", {"Name": "a", "EncryptionConfiguration": {"A": 1}})
        after = one("AWS::Glue::SecurityConfiguration", {"Name": "a", "EncryptionConfiguration": {"A": 2}})

        assert verdicts({"It": before}, {"It": after}) == {"It": "replaced"}


class TestWholeResources:
    def test_another_logical_id_is_another_resource(self) -> None:
        assert verdicts({"Bucket": BUCKET}, {"RawData": BUCKET}) == {"Bucket": "deleted", "RawData": "added"}

    def test_another_type_under_the_same_logical_id_replaces_and_cloudformation_refuses_it(self) -> None:
        change = changes({"It": BUCKET}, {"It": one("AWS::SQS::Queue")})["It"]

        assert change.verdict is Verdict.REPLACED
        assert "CloudFormation refuses another type (AWS::S3::Bucket before)" in change.notes[0]

    def test_a_replaced_resource_cannot_keep_its_name(self) -> None:
        def role(path: str, name: str) -> Json:
            return {"It": one("AWS::IAM::Role", {"Path": path, "RoleName": name})}

        same_name = changes(role("/", "a"), role("/b/", "a"))["It"]
        other_name = changes(role("/", "a"), role("/b/", "b"))["It"]

        assert same_name.verdict is other_name.verdict is Verdict.REPLACED
        assert (
            "CloudFormation refuses to make a second one of the same name: choose another RoleName"
            in same_name.notes[0]
        )
        assert other_name.notes == ()

    def test_a_name_that_only_the_service_knows_by_another_id_counts_too(self) -> None:
        def nodes(kind: str) -> Json:
            return {"It": one("AWS::EKS::Nodegroup", {"NodegroupName": "system", "CapacityType": kind})}

        assert "choose another NodegroupName" in changes(nodes("SPOT"), nodes("ON_DEMAND"))["It"].notes[0]

    def test_a_name_that_follows_another_resource_is_not_kept(self) -> None:
        profile = one("AWS::IAM::InstanceProfile", {"InstanceProfileName": {"Ref": "Role"}, "Roles": []})
        before = {"Role": one("AWS::IAM::Role", {"Path": "/a/"}), "It": profile}
        after = {"Role": one("AWS::IAM::Role", {"Path": "/b/"}), "It": profile}

        change = changes(before, after)["It"]

        assert (change.verdict, change.notes) == (Verdict.REPLACED, ())

    @pytest.mark.parametrize(
        ("attributes", "fate"),
        [
            ({}, Fate.DELETED),
            ({"DeletionPolicy": "Retain"}, Fate.KEPT),
            ({"DeletionPolicy": "RetainExceptOnCreate"}, Fate.KEPT),
            ({"DeletionPolicy": "Snapshot"}, Fate.SNAPSHOT),
            ({"UpdateReplacePolicy": "Retain"}, Fate.DELETED),
        ],
    )
    def test_what_becomes_of_a_deleted_resource(self, attributes: Json, fate: Fate) -> None:
        assert changes({"It": one("AWS::EC2::Volume", **attributes)}, {})["It"].fate is fate

    def test_a_database_is_saved_in_a_snapshot_unless_told_otherwise(self) -> None:
        assert changes({"It": one("AWS::RDS::DBInstance")}, {})["It"].fate is Fate.SNAPSHOT
        member = one("AWS::RDS::DBInstance", {"DBClusterIdentifier": "aurora"})
        assert changes({"It": member}, {})["It"].fate is Fate.DELETED

    def test_what_becomes_of_a_replaced_resource_is_in_another_policy(self) -> None:
        def bucket(name: str, **attributes: str) -> Json:
            return {"It": one("AWS::S3::Bucket", {"BucketName": name}, **attributes)}

        kept = changes(bucket("a"), bucket("b", UpdateReplacePolicy="Retain"))["It"]
        gone = changes(bucket("a"), bucket("b", DeletionPolicy="Retain"))["It"]

        assert (kept.fate, gone.fate) == (Fate.KEPT, Fate.DELETED)

    @pytest.mark.parametrize("attribute", ["DependsOn", "Metadata"])
    def test_what_only_the_template_knows_is_no_change(self, attribute: str) -> None:
        assert changes({"It": BUCKET}, {"It": {**BUCKET, attribute: "Other"}}) == {}

    def test_a_deletion_policy_alone_is_a_change_in_place(self) -> None:
        change = changes({"It": BUCKET}, {"It": {**BUCKET, "DeletionPolicy": "Retain"}})["It"]

        assert change.verdict is Verdict.IN_PLACE
        assert [one.path for one in change.properties] == ["DeletionPolicy (attribute)"]

    def test_the_cdks_note_about_itself_is_nobodys_resource(self) -> None:
        assert changes({"CDKMetadata": one("AWS::CDK::Metadata", {"Analytics": "1"})}, {}) == {}


class TestWhatATemplateWorksOut:
    def test_a_condition_that_no_longer_holds_deletes(self) -> None:
        conditional = {"Bucket": {**BUCKET, "Condition": "Wanted"}}
        before = stack(conditional, Conditions={"Wanted": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}})
        after = stack(conditional, Conditions={"Wanted": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}})

        assert [change.verdict for change in compare_stacks(before, after)] == [Verdict.DELETED]

    def test_a_condition_that_holds_before_and_after_changes_nothing(self) -> None:
        after = stack(
            {"Bucket": {**BUCKET, "Condition": "Wanted"}},
            Conditions={"Wanted": {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}},
        )

        assert compare_stacks(stack({"Bucket": BUCKET}), after) == []

    @pytest.mark.parametrize(
        "name",
        [
            {"Fn::Join": ["-", ["raw", {"Ref": "AWS::AccountId"}]]},
            {"Fn::Sub": "raw-${AWS::AccountId}"},
            {"Fn::Sub": ["${Name}-${AWS::AccountId}", {"Name": "raw"}]},
            {"Fn::FindInMap": ["Names", {"Ref": "AWS::Region"}, "Raw"]},
            {"Fn::If": ["Wanted", "raw-111122223333", "other"]},
            {"Ref": "Name"},
        ],
        ids=json.dumps,
    )
    def test_the_same_value_written_in_another_way_is_no_change(self, name: Json) -> None:
        before = stack({"It": one("AWS::S3::Bucket", {"BucketName": "raw-111122223333"})})
        after = stack(
            {"It": one("AWS::S3::Bucket", {"BucketName": name})},
            Mappings={"Names": {"us-east-1": {"Raw": "raw-111122223333"}}},
            Conditions={"Wanted": {"Fn::Or": [{"Fn::Equals": ["a", "b"]}, {"Fn::Equals": ["a", "a"]}]}},
            Parameters={"Name": {"Type": "String", "Default": "raw-111122223333"}},
        )

        assert compare_stacks(before, after) == []

    def test_what_only_the_deployed_stack_knows_stays_as_it_is_written(self) -> None:
        parameter = {"Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/version"}}
        bucket = {"It": one("AWS::S3::Bucket", {"BucketName": {"Ref": "Version"}})}
        moved = {"Version": {**parameter["Version"], "Default": "/other"}}

        assert compare_stacks(stack(bucket, Parameters=parameter), stack(bucket, Parameters=moved)) == []

    def test_no_value_is_no_property(self) -> None:
        tagged = one("AWS::S3::Bucket", {"BucketName": "raw", "Tags": {"Ref": "AWS::NoValue"}})

        assert verdicts({"It": BUCKET}, {"It": tagged}) == {}
