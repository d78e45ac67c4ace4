"""Amazon S3 Inventory: the configurations of a bucket."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.testing import EmbeddedAws, Stack, Template


def bucket(*inventories: Template) -> Template:
    properties: dict[str, Any] = {"InventoryConfigurations": list(inventories)} if inventories else {}
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def inventory(name: str, frequency: str, prefix: str = "") -> Template:
    return {
        "Id": name,
        "Enabled": True,
        "IncludedObjectVersions": "All",
        "ScheduleFrequency": frequency,
        "OptionalFields": ["Size", "EncryptionStatus"],
        "Destination": {
            "BucketArn": {"Fn::GetAtt": ["Lists", "Arn"]},
            "BucketAccountId": "111122223333",
            "Format": "Parquet",
            "Prefix": "inventory",
        },
        **({"Prefix": prefix} if prefix else {}),
    }


def test_a_bucket_has_the_inventories_of_its_template(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    s3 = embedded_aws.client("s3")
    resources = {"Lists": bucket(), "Data": bucket(inventory("weekly", "Weekly"), inventory("models", "Daily", "m/"))}
    stack.deploy(resources)
    name = stack.physical_id("Data")

    def found() -> dict[str, Any]:
        listed = s3.list_bucket_inventory_configurations(Bucket=name)
        return {one["Id"]: one for one in listed.get("InventoryConfigurationList", [])}

    assert set(found()) == {"weekly", "models"}
    weekly = s3.get_bucket_inventory_configuration(Bucket=name, Id="weekly")["InventoryConfiguration"]
    assert weekly == found()["weekly"]
    assert (weekly["IsEnabled"], weekly["Schedule"]) == (True, {"Frequency": "Weekly"})
    assert weekly["IncludedObjectVersions"] == "All"
    assert weekly["OptionalFields"] == ["Size", "EncryptionStatus"]
    assert weekly["Destination"]["S3BucketDestination"] == {
        "AccountId": "111122223333",
        "Bucket": f"arn:aws:s3:::{stack.physical_id('Lists')}",
        "Format": "Parquet",
        "Prefix": "inventory",
    }
    assert found()["models"]["Filter"] == {"Prefix": "m/"}

    stack.deploy({**resources, "Data": bucket(inventory("weekly", "Daily"))})
    assert set(found()) == {"weekly"}
    assert found()["weekly"]["Schedule"] == {"Frequency": "Daily"}
    with pytest.raises(ClientError, match="NoSuchConfiguration"):
        s3.get_bucket_inventory_configuration(Bucket=name, Id="models")
    with pytest.raises(ClientError, match="NoSuchConfiguration"):
        s3.delete_bucket_inventory_configuration(Bucket=name, Id="models")

    stack.deploy({**resources, "Data": bucket()})
    assert found() == {}
    s3.put_object(Bucket=name, Key="inventory", Body=b"1")
    assert s3.get_object(Bucket=name, Key="inventory")["Body"].read() == b"1", "an object may be called so"
    stack.delete()
    with pytest.raises(ClientError, match="NoSuchBucket"):
        found()
