"""Amazon FSx for Lustre: file systems as records. There is no server to mount."""

import secrets
import time
from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.json_service import Json, Records, ServiceError, serve
from aerodrome_local.resources.conversion import only_known, pick, tag_list, tag_map
from aerodrome_local.runtime import Created, Properties, Runtime, current_account, current_region

_UNKNOWN = "FileSystemNotFound"
# What FSx takes of a Lustre file system, and of that what can be changed later
# (https://docs.aws.amazon.com/fsx/latest/APIReference/API_UpdateFileSystemLustreConfiguration.html).
_CHANGEABLE = ("AutomaticBackupRetentionDays", "DataCompressionType", "PerUnitStorageThroughput")
_CONFIGURATION = (*_CHANGEABLE, "CopyTagsToBackups", "DeploymentType")
_GIVEN = (
    "FileSystemType",
    "FileSystemTypeVersion",
    "KmsKeyId",
    "SecurityGroupIds",
    "StorageCapacity",
    "StorageType",
    "SubnetIds",
)
_NUMBERS = ("AutomaticBackupRetentionDays", "PerUnitStorageThroughput")


def install(runtime: Runtime) -> None:
    """Answer the API, and register the type that uses it."""
    file_systems = _FileSystems(runtime)
    serve(
        runtime,
        "fsx",
        {
            "CreateFileSystem": file_systems.create,
            "DeleteFileSystem": file_systems.delete,
            "DescribeFileSystems": file_systems.describe,
            "TagResource": file_systems.tag,
            "UntagResource": file_systems.untag,
            "UpdateFileSystem": file_systems.update,
        },
    )
    types = _Types(runtime)
    runtime.resource(
        "AWS::FSx::FileSystem",
        create=types.create,
        update=types.update,
        delete=types.delete,
        replaces=("FileSystemType", "KmsKeyId", "SecurityGroupIds", "StorageType", "SubnetIds"),
        tags=("Tags", "list"),
    )


class _FileSystems:
    def __init__(self, runtime: Runtime) -> None:
        self._records = Records(runtime, "fsx-file-systems", unknown=_UNKNOWN)

    def create(self, request: Json) -> Json:
        configuration = request.get("LustreConfiguration", {})
        if request["FileSystemType"] != "LUSTRE":
            raise ServiceError("BadRequest", "the embedded AWS knows file systems of the type LUSTRE only")
        _check_encryption(request, configuration)
        file_system_id = f"fs-{secrets.token_hex(8)}0"
        region, account = current_region(), current_account()
        record = {
            **pick(request, *(set(_GIVEN) - {"SecurityGroupIds"})),
            "CreationTime": int(time.time()),
            "DNSName": f"{file_system_id}.fsx.{region}.amazonaws.com",
            "FileSystemId": file_system_id,
            "Lifecycle": "AVAILABLE",
            "LustreConfiguration": {**configuration, "MountName": secrets.token_hex(4)},
            "OwnerId": account,
            "ResourceARN": f"arn:aws:fsx:{region}:{account}:file-system/{file_system_id}",
            "Tags": request.get("Tags", []),
        }
        self._records.put(file_system_id, record)
        return {"FileSystem": record}

    def describe(self, request: Json) -> Json:
        return {"FileSystems": self._records.some(request.get("FileSystemIds") or None)}

    def update(self, request: Json) -> Json:
        record = self._records.find(request["FileSystemId"])
        size = request.get("StorageCapacity", record["StorageCapacity"])
        if size < record["StorageCapacity"]:
            raise ServiceError("BadRequest", f"a file system cannot shrink from {record['StorageCapacity']} to {size}")
        changed = {
            **record,
            **pick(request, "FileSystemTypeVersion"),
            "StorageCapacity": size,
            "LustreConfiguration": {**record["LustreConfiguration"], **request.get("LustreConfiguration", {})},
        }
        self._records.put(record["FileSystemId"], changed)
        return {"FileSystem": changed}

    def delete(self, request: Json) -> Json:
        self._records.delete(request["FileSystemId"])
        return {"FileSystemId": request["FileSystemId"], "Lifecycle": "DELETING"}

    def tag(self, request: Json) -> Json:
        record = self._of_arn(request["ResourceARN"])
        tags = {**tag_map(record["Tags"]), **tag_map(request["Tags"])}
        self._records.put(record["FileSystemId"], {**record, "Tags": tag_list(tags)})
        return {}

    def untag(self, request: Json) -> Json:
        record = self._of_arn(request["ResourceARN"])
        tags = {key: value for key, value in tag_map(record["Tags"]).items() if key not in request["TagKeys"]}
        self._records.put(record["FileSystemId"], {**record, "Tags": tag_list(tags)})
        return {}

    def _of_arn(self, arn: str) -> Json:
        return self._records.find(arn.rpartition("/")[2])


def _check_encryption(request: Json, configuration: Json) -> None:
    if "KmsKeyId" in request and configuration.get("DeploymentType", "SCRATCH_1").startswith("SCRATCH"):
        raise ServiceError("BadRequest", "a scratch file system is encrypted with FSx's own key and takes no KmsKeyId")


class _Types:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self._runtime.client("fsx")

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        request = pick(properties, *_GIVEN)
        if "StorageCapacity" in request:
            request["StorageCapacity"] = int(request["StorageCapacity"])
        made = self._client.create_file_system(
            **request,
            LustreConfiguration=_configuration(properties),
            Tags=tag_list(properties.get("Tags")),
        )["FileSystem"]
        return made["FileSystemId"], _attributes(made)

    def update(self, physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Created:
        before, after = _configuration(old), _configuration(new)
        fixed = sorted(key for key in {*before, *after} - {*_CHANGEABLE} if before.get(key) != after.get(key))
        if fixed:
            raise ValueError(f"LustreConfiguration: {', '.join(fixed)} cannot be changed; it needs another file system")
        made = self._client.update_file_system(
            FileSystemId=physical_id,
            StorageCapacity=int(new["StorageCapacity"]),
            LustreConfiguration=pick(after, *_CHANGEABLE),
            **pick(new, "FileSystemTypeVersion"),
        )["FileSystem"]
        self._retag(made["ResourceARN"], tag_map(made["Tags"]), tag_map(new.get("Tags")))
        return physical_id, _attributes(made)

    def _retag(self, arn: str, before: dict[str, str], after: dict[str, str]) -> None:
        if gone := sorted(set(before) - set(after)):
            self._client.untag_resource(ResourceARN=arn, TagKeys=gone)
        if after:
            self._client.tag_resource(ResourceARN=arn, Tags=tag_list(after))

    def delete(self, physical_id: str, _properties: Properties) -> None:
        try:
            self._client.delete_file_system(FileSystemId=physical_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != _UNKNOWN:
                raise


def _configuration(properties: Properties) -> dict[str, Any]:
    given = properties.get("LustreConfiguration", {})
    only_known("LustreConfiguration", given, _CONFIGURATION)
    return {key: int(value) if key in _NUMBERS else value for key, value in given.items()}


def _attributes(made: Json) -> dict[str, str]:
    return {
        "DNSName": made["DNSName"],
        "LustreMountName": made["LustreConfiguration"]["MountName"],
        "ResourceARN": made["ResourceARN"],
    }
