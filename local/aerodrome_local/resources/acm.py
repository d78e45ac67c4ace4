"""AWS Certificate Manager: the records that prove whose a certificate is, in the zone that the template names."""

from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.ministack_private import add_hosted_zone
from aerodrome_local.runtime import Properties, Runtime


def install(runtime: Runtime) -> None:
    """Register the hook."""

    def prove(arn: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        certificate = runtime.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
        records = {one["DomainName"]: one["ResourceRecord"] for one in certificate["DomainValidationOptions"]}
        for option in properties.get("DomainValidationOptions", []):
            if "HostedZoneId" in option:
                _put(runtime.client("route53"), option["HostedZoneId"], records[option["DomainName"]])

    runtime.on_create("AWS::CertificateManager::Certificate", prove)


def _put(route53: Any, zone_id: str, record: dict[str, str]) -> None:  # noqa: ANN401 - boto3 makes the class at run time
    try:
        route53.get_hosted_zone(Id=zone_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchHostedZone":
            raise
        # The team's own, which nobody has made here: above the host, whose proof has one label more.
        add_hosted_zone(zone_id, record["Name"].split(".", 2)[2])
    change = {
        "Action": "UPSERT",
        "ResourceRecordSet": {
            "Name": record["Name"],
            "Type": record["Type"],
            "TTL": 300,
            "ResourceRecords": [{"Value": record["Value"]}],
        },
    }
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": [change]})
