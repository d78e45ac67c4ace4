"""FSx for Lustre: a file system with what its template says, grown in place, never shrunk."""

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template

KEY = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"

SUBNET = "subnet-0123456789abcdef0"


def lustre(
    size: int = 1200, *, deployment_type: str = "PERSISTENT_2", throughput: int = 125, team: str = "ml"
) -> Template:
    return {
        "Lustre": {
            "Type": "AWS::FSx::FileSystem",
            "DeletionPolicy": "Delete",
            "Properties": {
                "FileSystemType": "LUSTRE",
                "FileSystemTypeVersion": "2.15",
                "KmsKeyId": KEY,
                "StorageCapacity": size,
                "StorageType": "SSD",
                "SubnetIds": [SUBNET],
                "SecurityGroupIds": ["sg-0123456789abcdef0"],
                "LustreConfiguration": {
                    "DeploymentType": deployment_type,
                    "PerUnitStorageThroughput": throughput,
                    "DataCompressionType": "LZ4",
                },
                "Tags": [{"Key": "team", "Value": team}],
            },
        }
    }


OUTPUTS = {
    "Id": {"Ref": "Lustre"},
    "DnsName": {"Fn::GetAtt": ["Lustre", "DNSName"]},
    "MountName": {"Fn::GetAtt": ["Lustre", "LustreMountName"]},
    "Arn": {"Fn::GetAtt": ["Lustre", "ResourceARN"]},
}


@pytest.fixture
def fsx(embedded_aws: EmbeddedAws) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    return embedded_aws.client("fsx")


def test_a_file_system_has_what_its_template_says_and_a_way_to_be_mounted(fsx: Any, stack: Stack) -> None:  # noqa: ANN401 - as above
    outputs = stack.deploy(lustre(), outputs=OUTPUTS)
    (found,) = fsx.describe_file_systems(FileSystemIds=[outputs["Id"]])["FileSystems"]
    assert (found["Lifecycle"], found["FileSystemType"], found["StorageCapacity"]) == ("AVAILABLE", "LUSTRE", 1200)
    assert (found["KmsKeyId"], found["SubnetIds"], found["StorageType"]) == (KEY, [SUBNET], "SSD")
    assert found["LustreConfiguration"] == {
        "DeploymentType": "PERSISTENT_2",
        "PerUnitStorageThroughput": 125,
        "DataCompressionType": "LZ4",
        "MountName": outputs["MountName"],
    }
    assert outputs["DnsName"] == found["DNSName"] == f"{outputs['Id']}.fsx.us-east-1.amazonaws.com"
    assert re.fullmatch(r"[0-9a-f]{8}", outputs["MountName"])
    assert outputs["Arn"] == found["ResourceARN"]
    assert {"Key": "team", "Value": "ml"} in found["Tags"]


def test_it_grows_gets_faster_and_is_tagged_anew_in_place(fsx: Any, stack: Stack) -> None:  # noqa: ANN401 - as above
    made = stack.deploy(lustre(), outputs=OUTPUTS)
    changed = stack.deploy(lustre(2400, throughput=250, team="search"), outputs=OUTPUTS)
    assert changed == made
    (found,) = fsx.describe_file_systems(FileSystemIds=[made["Id"]])["FileSystems"]
    assert (found["StorageCapacity"], found["LustreConfiguration"]["PerUnitStorageThroughput"]) == (2400, 250)
    assert {"Key": "team", "Value": "search"} in found["Tags"]


def test_it_does_not_shrink(stack: Stack) -> None:
    stack.deploy(lustre(2400))
    with pytest.raises(DeployError, match="cannot shrink from 2400 to 1200"):
        stack.deploy(lustre(1200))


def test_its_deployment_type_stays(stack: Stack) -> None:
    stack.deploy(lustre())
    with pytest.raises(DeployError, match="DeploymentType cannot be changed"):
        stack.deploy(lustre(deployment_type="PERSISTENT_1"))


def test_a_scratch_file_system_takes_no_key(stack: Stack) -> None:
    with pytest.raises(DeployError, match="takes no KmsKeyId"):
        stack.deploy(lustre(deployment_type="SCRATCH_2"))


def test_it_goes_with_its_stack(fsx: Any, stack: Stack) -> None:  # noqa: ANN401 - as above
    made = stack.deploy(lustre(), outputs=OUTPUTS)
    stack.delete()
    with pytest.raises(ClientError) as failure:
        fsx.describe_file_systems(FileSystemIds=[made["Id"]])
    assert failure.value.response["Error"]["Code"] == "FileSystemNotFound"
