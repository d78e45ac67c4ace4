"""Amazon Route 53: records in a zone that was there before, as a template's ``HostedZoneId`` supposes.

A domain is bought and delegated by hand, once. Here nobody did, so that the zone that a template names first stands.
"""

from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.ministack_private import add_hosted_zone
from aerodrome_local.resources.conversion import only_known, pick
from aerodrome_local.runtime import Created, Properties, Runtime

_KNOWN = ("HostedZoneId", "Name", "ResourceRecords", "TTL", "Type")


def install(runtime: Runtime) -> None:
    """Register the type."""
    records = _Records(runtime)
    runtime.resource(
        "AWS::Route53::RecordSet",
        create=records.create,
        update=records.update,
        delete=records.delete,
        replaces=("HostedZoneId", "Name"),
    )


class _Records:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        only_known("AWS::Route53::RecordSet", properties, _KNOWN)
        self._let_the_zone_stand(properties)
        return self._change("CREATE", properties)

    def update(self, _physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Created:
        only_known("AWS::Route53::RecordSet", new, _KNOWN)
        if old["Type"] != new["Type"]:
            self._change("DELETE", old)
        return self._change("UPSERT", new)

    def delete(self, _physical_id: str, properties: Properties) -> None:
        try:
            self._change("DELETE", properties)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"InvalidChangeBatch", "NoSuchHostedZone"}:
                raise

    def _change(self, action: str, properties: Properties) -> Created:
        name = properties["Name"]
        record: dict[str, Any] = pick(properties, "Name", "Type")
        record["TTL"] = int(properties.get("TTL", 300))
        record["ResourceRecords"] = [{"Value": value} for value in properties["ResourceRecords"]]
        self._runtime.client("route53").change_resource_record_sets(
            HostedZoneId=properties["HostedZoneId"],
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )
        return name, {}

    def _let_the_zone_stand(self, properties: Properties) -> None:
        zone_id = properties["HostedZoneId"]
        try:
            self._runtime.client("route53").get_hosted_zone(Id=zone_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchHostedZone":
                raise
            # What proves something has labels of its own in front of the domain, the last of which begins with "_".
            labels = properties["Name"].rstrip(".").split(".")
            of_its_own = max((number for number, label in enumerate(labels) if label.startswith("_")), default=0)
            add_hosted_zone(zone_id, ".".join(labels[of_its_own + 1 :]))
