"""Change sets as AWS describes them, put into the words of a plan."""

from typing import Any, cast

from aerodrome.plan.change_sets import ChangeSet
from aerodrome.plan.live import live_changes
from aerodrome.plan.model import Fate, ResourceChange
from aerodrome.plan.templates import StackTemplate

Json = dict[str, Any]


def stack(**resources: Json) -> StackTemplate:
    body = {"Resources": resources}
    return StackTemplate(
        stack="Database", name="aerodrome-dev-database", region="us-east-1", account="111122223333", body=body
    )


def one(resource_type: str, **properties: Any) -> Json:  # noqa: ANN401 - JSON
    return {"Type": resource_type, "Properties": properties}


def said(logical_id: str, resource_type: str, *details: Json, **fields: Any) -> Json:  # noqa: ANN401 - JSON
    """A resource's change as DescribeChangeSet gives it."""
    basis = {"Action": "Modify", "LogicalResourceId": logical_id, "ResourceType": resource_type}
    return {**basis, "Details": list(details), **fields}


def detail(name: str, recreation: str, *, path: str = "", evaluation: str = "Static", cause: str = "") -> Json:
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
    source = "ResourceAttribute" if "." in cause else "ResourceReference" if cause else "DirectModification"
    return {
        "Target": {**target, **({"Path": path} if path else {})},
        "Evaluation": evaluation,
        "ChangeSource": source,
        **({"CausingEntity": cause} if cause else {}),
    }


def read(before: StackTemplate, after: StackTemplate, *changes: Json) -> tuple[dict[str, ResourceChange], str]:
    by_id = {change["LogicalResourceId"]: change for change in changes}
    found, warning = live_changes(before, after, ChangeSet(changes=cast("Any", by_id)))
    return {change.logical_id: change for change in found}, warning


def test_the_policy_action_says_what_becomes_of_the_old_one() -> None:
    bucket = one("AWS::S3::Bucket")
    before = stack(Kept=bucket, Saved=bucket, Gone=bucket, Swapped=one("AWS::S3::Bucket", BucketName="a"))
    after = stack(Swapped=one("AWS::S3::Bucket", BucketName="b"))

    found, warning = read(
        before,
        after,
        said("Kept", "AWS::S3::Bucket", Action="Remove", PolicyAction="Retain"),
        said("Saved", "AWS::S3::Bucket", Action="Remove", PolicyAction="Snapshot"),
        said("Gone", "AWS::S3::Bucket", Action="Remove", PolicyAction="Delete"),
        said(
            "Swapped",
            "AWS::S3::Bucket",
            detail("BucketName", "Always", path="/Properties/BucketName"),
            Replacement="True",
            PolicyAction="ReplaceAndRetain",
        ),
    )

    assert warning == ""
    assert {name: (change.verdict.value, change.fate) for name, change in found.items()} == {
        "Kept": ("deleted", Fate.KEPT),
        "Saved": ("deleted", Fate.SNAPSHOT),
        "Gone": ("deleted", Fate.DELETED),
        "Swapped": ("replaced", Fate.KEPT),
    }


def test_an_update_in_place_that_interrupts_is_known_from_the_reviewed_rules() -> None:
    before = stack(It=one("AWS::RDS::DBInstance", DBInstanceClass="db.t4g.medium", AllocatedStorage="50"))
    after = stack(It=one("AWS::RDS::DBInstance", DBInstanceClass="db.m7g.large", AllocatedStorage="60"))

    found, _ = read(
        before,
        after,
        said(
            "It",
            "AWS::RDS::DBInstance",
            detail("AllocatedStorage", "Never", path="/Properties/AllocatedStorage"),
            detail("DBInstanceClass", "Never", path="/Properties/DBInstanceClass"),
            Replacement="False",
        ),
    )

    assert found["It"].verdict.value == "with interruption"
    assert [(change.path, change.before, change.after) for change in found["It"].properties] == [
        ("DBInstanceClass", "db.t4g.medium", "db.m7g.large"),
        ("AllocatedStorage", "50", "60"),
    ]


def test_a_condition_that_was_reviewed_is_decided() -> None:
    compute = {"ReplaceComputeEnvironment": False, "ComputeResources": {"InstanceTypes": ["m7i.large"]}}
    other = {"ReplaceComputeEnvironment": False, "ComputeResources": {"InstanceTypes": ["m7a.large"]}}
    path = "/Properties/ComputeResources/InstanceTypes/0"

    found, _ = read(
        stack(It=one("AWS::Batch::ComputeEnvironment", **compute)),
        stack(It=one("AWS::Batch::ComputeEnvironment", **other)),
        said(
            "It",
            "AWS::Batch::ComputeEnvironment",
            detail("ComputeResources", "Conditionally", path=path),
            Replacement="Conditional",
        ),
    )

    assert found["It"].verdict.value == "with interruption"
    assert [change.path for change in found["It"].properties] == ["ComputeResources.InstanceTypes[0]"]


def test_a_condition_that_nobody_reviewed_stays_open() -> None:
    path = "/Properties/Ipv6CidrBlock"
    found, _ = read(
        stack(It=one("AWS::EC2::Subnet", Ipv6CidrBlock="a")),
        stack(It=one("AWS::EC2::Subnet", Ipv6CidrBlock="b")),
        said("It", "AWS::EC2::Subnet", detail("Ipv6CidrBlock", "Conditionally", path=path), Replacement="Conditional"),
    )

    assert found["It"].verdict.value == "may be replaced"


def users(key: Json) -> StackTemplate:
    return stack(Key=key, It=one("AWS::RDS::DBInstance", KmsKeyId={"Fn::GetAtt": ["Key", "Arn"]}))


def follows(cause: str) -> Json:
    dynamic = detail("KmsKeyId", "Always", path="/Properties/KmsKeyId", evaluation="Dynamic", cause=cause)
    return said("It", "AWS::RDS::DBInstance", dynamic, Replacement="Conditional")


def test_the_database_stays_when_the_policy_of_its_key_changes() -> None:
    found, _ = read(
        users(one("AWS::KMS::Key", KeyPolicy={"Version": "1"})),
        users(one("AWS::KMS::Key", KeyPolicy={"Version": "2"})),
        said("Key", "AWS::KMS::Key", detail("KeyPolicy", "Never", path="/Properties/KeyPolicy"), Replacement="False"),
        follows("Key.Arn"),
    )

    assert {name: change.verdict.value for name, change in found.items()} == {"Key": "in place"}


def test_the_database_goes_with_the_key_that_is_replaced() -> None:
    found, _ = read(
        users(one("AWS::KMS::Key", MultiRegion=False)),
        users(one("AWS::KMS::Key", MultiRegion=True)),
        said("Key", "AWS::KMS::Key", detail("MultiRegion", "Always"), Replacement="True"),
        follows("Key.Arn"),
    )

    assert {name: change.verdict.value for name, change in found.items()} == {"Key": "replaced", "It": "replaced"}


def test_a_key_that_cannot_change_is_called_so_whatever_the_change_set_says() -> None:
    found, _ = read(
        stack(Key=one("AWS::KMS::Key", KeySpec="SYMMETRIC_DEFAULT")),
        stack(Key=one("AWS::KMS::Key", KeySpec="RSA_2048")),
        said("Key", "AWS::KMS::Key", detail("KeySpec", "Never", path="/Properties/KeySpec"), Replacement="False"),
    )

    assert found["Key"].verdict.value == "replaced"
    assert "CloudFormation refuses the update" in found["Key"].properties[0].why


def test_nodes_follow_the_latest_version_of_their_template() -> None:
    def nodes(image: str) -> StackTemplate:
        version = {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}
        return stack(
            Template=one("AWS::EC2::LaunchTemplate", LaunchTemplateData={"ImageId": image}),
            Nodes=one("AWS::EKS::Nodegroup", LaunchTemplate={"Version": version}),
        )

    path = "/Properties/LaunchTemplate/Version"
    dynamic = detail("LaunchTemplate", "Never", path=path, evaluation="Dynamic", cause="Template.LatestVersionNumber")
    found, _ = read(
        nodes("ami-1"),
        nodes("ami-2"),
        said("Template", "AWS::EC2::LaunchTemplate", detail("LaunchTemplateData", "Never"), Replacement="False"),
        said("Nodes", "AWS::EKS::Nodegroup", dynamic, Replacement="False"),
    )

    assert {name: change.verdict.value for name, change in found.items()} == {
        "Template": "in place",
        "Nodes": "with interruption",
    }


def test_metadata_alone_is_no_change_and_a_policy_is_one_in_place() -> None:
    bucket = one("AWS::S3::Bucket")
    moved = {"Target": {"Attribute": "Metadata", "RequiresRecreation": "Never"}, "Evaluation": "Static"}
    policy = {"Target": {"Attribute": "DeletionPolicy", "RequiresRecreation": "Never"}, "Evaluation": "Static"}

    found, _ = read(
        stack(Moved=bucket, Kept=bucket),
        stack(Moved={**bucket, "Metadata": {}}, Kept={**bucket, "DeletionPolicy": "Retain"}),
        said("Moved", "AWS::S3::Bucket", moved, Replacement="False"),
        said("Kept", "AWS::S3::Bucket", policy, Replacement="False"),
    )

    assert {name: [change.path for change in change.properties] for name, change in found.items()} == {
        "Kept": ["DeletionPolicy (attribute)"]
    }


def test_the_cdks_note_about_itself_is_nobodys_resource() -> None:
    found, _ = read(
        stack(),
        stack(CDKMetadata=one("AWS::CDK::Metadata", Analytics="1")),
        said("CDKMetadata", "AWS::CDK::Metadata", Action="Add"),
    )

    assert found == {}


def test_a_replacement_for_a_reason_that_no_property_tells_is_still_one() -> None:
    found, _ = read(
        stack(It=one("AWS::S3::Bucket")),
        stack(It=one("AWS::SQS::Queue")),
        said("It", "AWS::SQS::Queue", Replacement="True", PolicyAction="ReplaceAndDelete"),
    )

    assert found["It"].verdict.value == "replaced"
    assert "CloudFormation refuses another type" in found["It"].notes[0]


def test_a_change_set_without_verdicts_leaves_them_to_the_schemas_and_the_plan_says_so() -> None:
    found, warning = read(
        stack(It=one("AWS::S3::Bucket", BucketName="a")),
        stack(It=one("AWS::S3::Bucket", BucketName="b")),
        said("It", "AWS::S3::Bucket", Action="Modify"),
    )

    assert found["It"].verdict.value == "replaced"
    assert warning == (
        "CloudFormation's change set of aerodrome-dev-database leaves open what happens to Database/It: the verdicts "
        "of what it leaves open are from the schemas"
    )


def test_what_the_change_set_does_not_name_does_not_change() -> None:
    found, _ = read(stack(It=one("AWS::S3::Bucket", BucketName="a")), stack(It=one("AWS::S3::Bucket", BucketName="b")))

    assert found == {}
