"""Amazon S3: what MiniStack drops of a bucket, put through the S3 API after the bucket's own create and update.

A configuration that the template no longer has is deleted, as CloudFormation does.
"""

from typing import Any

from aerodrome_local.resources.conversion import boolean, only_known, pick, tag_list
from aerodrome_local.runtime import Properties, Runtime

_RULE_MEMBERS = (
    "AbortIncompleteMultipartUpload",
    "ExpirationDate",
    "ExpirationInDays",
    "ExpiredObjectDeleteMarker",
    "Id",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionExpirationInDays",
    "NoncurrentVersionTransitions",
    "ObjectSizeGreaterThan",
    "ObjectSizeLessThan",
    "Prefix",
    "Status",
    "TagFilters",
    "Transitions",
)


def install(runtime: Runtime) -> None:
    """Register the hook."""

    def complete(bucket: str, properties: Properties, _attributes: dict[str, Any]) -> dict[str, str]:
        client = runtime.client("s3")
        _lifecycle(client, bucket, properties)
        _encryption(client, bucket, properties)
        _logging(client, bucket, properties)
        _ownership(client, bucket, properties)
        _versioning(client, bucket, properties)
        tags = tag_list(properties.get("Tags"))
        if tags:
            client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        else:
            client.delete_bucket_tagging(Bucket=bucket)
        return {"DualStackDomainName": f"{bucket}.s3.dualstack.{client.meta.region_name}.amazonaws.com"}

    runtime.on_create("AWS::S3::Bucket", complete)
    runtime.tag_property("AWS::S3::Bucket", ("Tags", "list"))


def _lifecycle(client: Any, bucket: str, properties: Properties) -> None:  # noqa: ANN401 - boto3 makes the class
    rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
    if rules:
        configuration = {"Rules": [_lifecycle_rule(rule) for rule in rules]}
        client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=configuration)
    else:
        client.delete_bucket_lifecycle(Bucket=bucket)


def _lifecycle_rule(given: Properties) -> dict[str, Any]:
    only_known("LifecycleConfiguration.Rules", given, _RULE_MEMBERS)
    rule: dict[str, Any] = {**pick(given, "Status"), "Filter": _lifecycle_filter(given)}
    if "Id" in given:
        rule["ID"] = given["Id"]
    if "AbortIncompleteMultipartUpload" in given:
        days = int(given["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    expiration = _expiration(given)
    if expiration:
        rule["Expiration"] = expiration
    old_versions = given.get("NoncurrentVersionExpiration")
    if "NoncurrentVersionExpirationInDays" in given:
        old_versions = {"NoncurrentDays": given["NoncurrentVersionExpirationInDays"]}
    if old_versions:
        rule["NoncurrentVersionExpiration"] = {name: int(value) for name, value in old_versions.items()}
    if "Transitions" in given:
        rule["Transitions"] = [
            {
                "StorageClass": item["StorageClass"],
                **({"Days": int(item["TransitionInDays"])} if "TransitionInDays" in item else {}),
                **({"Date": item["TransitionDate"]} if "TransitionDate" in item else {}),
            }
            for item in given["Transitions"]
        ]
    if "NoncurrentVersionTransitions" in given:
        rule["NoncurrentVersionTransitions"] = [
            {"StorageClass": item["StorageClass"], "NoncurrentDays": int(item["TransitionInDays"])}
            for item in given["NoncurrentVersionTransitions"]
        ]
    return rule


def _expiration(given: Properties) -> dict[str, Any]:
    expiration: dict[str, Any] = {}
    if "ExpirationInDays" in given:
        expiration["Days"] = int(given["ExpirationInDays"])
    if "ExpirationDate" in given:
        expiration["Date"] = given["ExpirationDate"]
    if "ExpiredObjectDeleteMarker" in given:
        expiration["ExpiredObjectDeleteMarker"] = boolean(given["ExpiredObjectDeleteMarker"])
    return expiration


def _lifecycle_filter(given: Properties) -> dict[str, Any]:
    conditions: dict[str, Any] = pick(given, "Prefix")
    for name in ("ObjectSizeGreaterThan", "ObjectSizeLessThan"):
        if name in given:
            conditions[name] = int(given[name])
    tags = tag_list(given.get("TagFilters"))
    if tags:
        return {"And": {**conditions, "Tags": tags}}
    if len(conditions) > 1:
        return {"And": conditions}
    return conditions or {"Prefix": ""}


def _encryption(client: Any, bucket: str, properties: Properties) -> None:  # noqa: ANN401 - boto3 makes the class
    rules = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    if not rules:
        client.delete_bucket_encryption(Bucket=bucket)
        return
    converted = []
    for rule in rules:
        default = dict(rule["ServerSideEncryptionByDefault"])
        if default["SSEAlgorithm"] == "aws:kms" and "KMSMasterKeyID" not in default:
            # AWS then uses the key that it manages for S3; MiniStack asks for one.
            default["KMSMasterKeyID"] = "alias/aws/s3"
        converted.append(
            {
                "ApplyServerSideEncryptionByDefault": default,
                "BucketKeyEnabled": boolean(rule.get("BucketKeyEnabled", False)),
            }
        )
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": converted})


def _logging(client: Any, bucket: str, properties: Properties) -> None:  # noqa: ANN401 - boto3 makes the class
    given = properties.get("LoggingConfiguration")
    enabled = None
    if given is not None:
        enabled = {
            "TargetBucket": given.get("DestinationBucketName", bucket),
            "TargetPrefix": given.get("LogFilePrefix", ""),
        }
    client.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={} if enabled is None else {"LoggingEnabled": enabled})


def _ownership(client: Any, bucket: str, properties: Properties) -> None:  # noqa: ANN401 - boto3 makes the class
    rules = properties.get("OwnershipControls", {}).get("Rules", [])
    if rules:
        client.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": rules})
    else:
        client.delete_bucket_ownership_controls(Bucket=bucket)


def _versioning(client: Any, bucket: str, properties: Properties) -> None:  # noqa: ANN401 - boto3 makes the class
    status = properties.get("VersioningConfiguration", {}).get("Status")
    before = client.get_bucket_versioning(Bucket=bucket).get("Status")
    if status is None and before == "Enabled":
        status = "Suspended"  # versioning that was on can only be suspended
    if status is not None and status != before:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
