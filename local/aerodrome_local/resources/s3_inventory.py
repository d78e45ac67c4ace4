"""Amazon S3 Inventory: configurations are kept and given back. No list is ever made."""

import re
from typing import Any
from xml.sax.saxutils import escape

from aerodrome_local.ministack_private import SERVICE_HANDLERS, s3_buckets
from aerodrome_local.resources.conversion import boolean
from aerodrome_local.runtime import Properties, Response, Runtime

_XML = {"Content-Type": "application/xml"}
_KEPT = "InventoryConfigurations"


def install(runtime: Runtime) -> None:
    """Answer the part of S3's API that MiniStack lacks, and register the hook."""
    built_in = SERVICE_HANDLERS["s3"]

    async def answer(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        if "inventory" in query and method in _ANSWERS:
            return _answer(method, path.strip("/"), body, query)
        result: Response = await built_in(method, path, headers, body, query)
        return result

    runtime.route("s3", answer)

    def complete(bucket: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        put_inventories(runtime.client("s3"), bucket, properties)

    runtime.on_create("AWS::S3::Bucket", complete)


def put_inventories(client: Any, bucket: str, properties: Properties) -> None:  # noqa: ANN401 - boto3 makes the class
    """Give a bucket the inventories that its properties have, and no other."""
    wanted = {one["Id"]: one for one in properties.get("InventoryConfigurations", [])}
    found = client.list_bucket_inventory_configurations(Bucket=bucket).get("InventoryConfigurationList", [])
    for one in found:
        if one["Id"] not in wanted:
            client.delete_bucket_inventory_configuration(Bucket=bucket, Id=one["Id"])
    for name, given in wanted.items():
        client.put_bucket_inventory_configuration(Bucket=bucket, Id=name, InventoryConfiguration=_configuration(given))


def _configuration(given: Properties) -> dict[str, Any]:
    destination = given["Destination"]
    renamed = {"BucketArn": "Bucket", "BucketAccountId": "AccountId"}
    configuration: dict[str, Any] = {
        "Id": given["Id"],
        "IsEnabled": boolean(given["Enabled"]),
        "IncludedObjectVersions": given["IncludedObjectVersions"],
        "Schedule": {"Frequency": given["ScheduleFrequency"]},
        "OptionalFields": given.get("OptionalFields", []),
        "Destination": {
            "S3BucketDestination": {renamed.get(name, name): value for name, value in destination.items()},
        },
    }
    if "Prefix" in given:
        configuration["Filter"] = {"Prefix": given["Prefix"]}
    return configuration


def _answer(method: str, bucket: str, body: bytes, query: dict[str, list[str]]) -> Response:
    record = s3_buckets.get(bucket)
    if record is None:
        return _error(404, "NoSuchBucket", "The specified bucket does not exist")
    return _ANSWERS[method](record.setdefault(_KEPT, {}), query.get("id", [""])[0], body.decode())


def _put(kept: dict[str, str], name: str, body: str) -> Response:
    # As it came, without the XML declaration: a list holds several of them.
    kept[name] = re.sub(r"^<\?xml.*?\?>\s*", "", body)
    return 200, dict(_XML), b""


def _get(kept: dict[str, str], name: str, _body: str) -> Response:
    if not name:
        listed = "".join(kept.values())
        return _ok(
            f"<ListInventoryConfigurationsResult>{listed}<IsTruncated>false</IsTruncated>"
            "</ListInventoryConfigurationsResult>"
        )
    return _ok(kept[name]) if name in kept else _no_such(name)


def _delete(kept: dict[str, str], name: str, _body: str) -> Response:
    return (204, {}, b"") if kept.pop(name, None) is not None else _no_such(name)


_ANSWERS = {"PUT": _put, "GET": _get, "DELETE": _delete}


def _ok(xml: str) -> Response:
    return 200, dict(_XML), f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}'.encode()


def _no_such(name: str) -> Response:
    return _error(404, "NoSuchConfiguration", f"The specified configuration does not exist: {name}")


def _error(status: int, code: str, message: str) -> Response:
    xml = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return status, dict(_XML), f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}'.encode()
