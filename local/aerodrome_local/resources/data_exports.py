"""Data Exports: exports of costs. Nothing is spent here, so nothing is delivered."""

import json
from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.json_service import Json, Records, ServiceError, new_id, serve
from aerodrome_local.resources.conversion import tag_list
from aerodrome_local.runtime import Created, Properties, Runtime, current_account

_PRINCIPAL = "bcm-data-exports.amazonaws.com"
_UNKNOWN = "ResourceNotFoundException"
_STATUS = {"StatusCode": "HEALTHY"}


def install(runtime: Runtime) -> None:
    """Answer the API, and register the type that uses it."""
    exports = _DataExports(runtime)
    serve(
        runtime,
        "bcm-data-exports",
        {
            "CreateExport": exports.create,
            "DeleteExport": exports.delete,
            "GetExport": exports.get,
            "ListExports": exports.list,
            "ListTagsForResource": exports.list_tags,
            "UpdateExport": exports.update,
        },
    )
    types = _Types(runtime)
    runtime.resource(
        "AWS::BCMDataExports::Export",
        create=types.create,
        update=types.update,
        delete=types.delete,
        tags=("Tags", "list"),
    )


class _DataExports:
    def __init__(self, runtime: Runtime) -> None:
        self._exports = Records(runtime, "data-exports", unknown=_UNKNOWN)

    def create(self, request: Json) -> Json:
        name = request["Export"]["Name"]
        if any(one["Export"]["Name"] == name for one in self._exports.some(None)):
            raise ServiceError("ValidationException", f"there is an export {name} already")
        arn = f"arn:aws:bcm-data-exports:us-east-1:{current_account()}:export/{name}-{new_id()}"
        self._put(arn, request["Export"], request.get("ResourceTags", []))
        return {"ExportArn": arn}

    def update(self, request: Json) -> Json:
        arn = request["ExportArn"]
        self._put(arn, request["Export"], self._exports.find(arn)["ResourceTags"])
        return {"ExportArn": arn}

    def _put(self, arn: str, export: Json, tags: list[Json]) -> None:
        self._exports.put(arn, {"Export": {**export, "ExportArn": arn}, "ResourceTags": tags})

    def get(self, request: Json) -> Json:
        return {"Export": self._exports.find(request["ExportArn"])["Export"], "ExportStatus": _STATUS}

    def list(self, _request: Json) -> Json:
        found = [one["Export"] for one in self._exports.some(None)]
        return {
            "Exports": [
                {"ExportArn": one["ExportArn"], "ExportName": one["Name"], "ExportStatus": _STATUS} for one in found
            ]
        }

    def delete(self, request: Json) -> Json:
        self._exports.delete(request["ExportArn"])
        return {"ExportArn": request["ExportArn"]}

    def list_tags(self, request: Json) -> Json:
        return {"ResourceTags": self._exports.find(request["ResourceArn"])["ResourceTags"]}


class _Types:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self._runtime.client("bcm-data-exports")

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        self._check_bucket(properties["Export"])
        arn = self._client.create_export(Export=properties["Export"], ResourceTags=tag_list(properties.get("Tags")))[
            "ExportArn"
        ]
        return arn, {"ExportArn": arn}

    def update(self, arn: str, old: Properties, new: Properties, stack_name: str) -> Created:
        if old["Export"]["Name"] != new["Export"]["Name"]:
            # Only a new export can have another name. CloudFormation would make it before it deletes the old one.
            self.delete(arn, old)
            return self.create("", new, stack_name)
        self._check_bucket(new["Export"])
        self._client.update_export(ExportArn=arn, Export=new["Export"])
        return arn, {"ExportArn": arn}

    def delete(self, arn: str, _properties: Properties) -> None:
        try:
            self._client.delete_export(ExportArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != _UNKNOWN:
                raise

    def _check_bucket(self, export: Json) -> None:
        """Refuse a bucket that does not let Data Exports in, as AWS does: its first delivery would fail."""
        bucket = export["DestinationConfigurations"]["S3Destination"]["S3Bucket"]
        try:
            policy = json.loads(self._runtime.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
        except ClientError as error:
            raise ValueError(f"the bucket {bucket} has no policy that lets {_PRINCIPAL} in: {error}") from error
        if not any(_lets_in(statement) for statement in policy["Statement"]):
            raise ValueError(f"the policy of the bucket {bucket} does not let {_PRINCIPAL} put objects")


def _lets_in(statement: Json) -> bool:
    principals, actions = statement.get("Principal", {}), statement.get("Action", [])
    services = principals.get("Service", []) if isinstance(principals, dict) else []
    return statement["Effect"] == "Allow" and _PRINCIPAL in services and "s3:PutObject" in actions
