"""What stands before the web interfaces: certificates, and web ACLs with their logs."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import EmbeddedAws, Stack, Template

ZONE = "ZOFTHETEAM"


def names_in(route53: Any, zone: str) -> list[tuple[str, str]]:  # noqa: ANN401 - boto3 makes the class at run time
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [(record["Name"], record["Type"]) for record in records if record["Type"] not in {"NS", "SOA"}]


def test_certificate_and_the_records_that_prove_whose_its_names_are(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    hosts = ["flyte.ml.example.com", "mlflow.ml.example.com"]
    properties = {
        "DomainName": hosts[0],
        "SubjectAlternativeNames": hosts[1:],
        "ValidationMethod": "DNS",
        "DomainValidationOptions": [{"DomainName": host, "HostedZoneId": ZONE} for host in hosts],
    }
    outputs = stack.deploy(
        {"Certificate": {"Type": "AWS::CertificateManager::Certificate", "Properties": properties}},
        {"Arn": {"Ref": "Certificate"}},
    )
    acm, route53 = embedded_aws.client("acm"), embedded_aws.client("route53")
    certificate = acm.describe_certificate(CertificateArn=outputs["Arn"])["Certificate"]
    assert (certificate["Status"], sorted(certificate["SubjectAlternativeNames"])) == ("ISSUED", hosts)
    tags = acm.list_tags_for_certificate(CertificateArn=outputs["Arn"])["Tags"]
    assert {"Key": "stack-tag", "Value": "inherited"} in tags
    wanted = {one["ResourceRecord"]["Name"] for one in certificate["DomainValidationOptions"]}
    assert {name for name, kind in names_in(route53, ZONE) if kind == "CNAME"} >= wanted
    assert route53.get_hosted_zone(Id=ZONE)["HostedZone"]["Name"] == "ml.example.com."

    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        acm.describe_certificate(CertificateArn=outputs["Arn"])


def firewall(limit: int, *, destination: str = "aws-waf-logs-of-the-test", redacted: str = "cookie") -> Template:
    visible = {"CloudWatchMetricsEnabled": True, "MetricName": "test", "SampledRequestsEnabled": True}
    rate = {"RateBasedStatement": {"AggregateKeyType": "IP", "Limit": limit}}
    return {
        "Acl": {
            "Type": "AWS::WAFv2::WebACL",
            "Properties": {
                "Name": "of-the-test",
                "Scope": "REGIONAL",
                "DefaultAction": {"Allow": {}},
                "VisibilityConfig": visible,
                "Rules": [
                    {
                        "Name": "Rate",
                        "Priority": 0,
                        "Action": {"Block": {}},
                        "Statement": rate,
                        "VisibilityConfig": visible,
                    }
                ],
            },
        },
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": destination}},
        "Logging": {
            "Type": "AWS::WAFv2::LoggingConfiguration",
            "DependsOn": "Log",
            "Properties": {
                "ResourceArn": {"Fn::GetAtt": ["Acl", "Arn"]},
                "LogDestinationConfigs": [
                    {"Fn::Sub": f"arn:aws:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{destination}"}
                ],
                "RedactedFields": [{"SingleHeader": {"Name": redacted}}],
                "LoggingFilter": {
                    "DefaultBehavior": "DROP",
                    "Filters": [
                        {
                            "Behavior": "KEEP",
                            "Requirement": "MEETS_ANY",
                            "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}],
                        }
                    ],
                },
            },
        },
    }


def test_web_acl_and_its_log(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    waf = embedded_aws.client("wafv2")
    outputs = stack.deploy(firewall(100), {"Arn": {"Fn::GetAtt": ["Acl", "Arn"]}, "Id": {"Fn::GetAtt": ["Acl", "Id"]}})

    def limits() -> list[int]:
        rules = waf.get_web_acl(Name="of-the-test", Scope="REGIONAL", Id=outputs["Id"])["WebACL"]["Rules"]
        return [rule["Statement"]["RateBasedStatement"]["Limit"] for rule in rules]

    def redacted() -> list[str]:
        logging = waf.get_logging_configuration(ResourceArn=outputs["Arn"])["LoggingConfiguration"]
        assert logging["LogDestinationConfigs"] == [
            "arn:aws:logs:us-east-1:111122223333:log-group:aws-waf-logs-of-the-test"
        ]
        assert logging["LoggingFilter"]["DefaultBehavior"] == "DROP"
        return [field["SingleHeader"]["Name"] for field in logging["RedactedFields"]]

    assert (limits(), redacted()) == ([100], ["cookie"])
    stack.deploy(firewall(200, redacted="authorization"))
    assert (limits(), redacted()) == ([200], ["authorization"])
    stack.delete()
    with pytest.raises(ClientError, match="WAFNonexistentItemException"):
        waf.get_logging_configuration(ResourceArn=outputs["Arn"])


def test_a_log_of_another_name_is_refused_as_aws_does(stack: Stack) -> None:
    with pytest.raises(DeployError, match="The ARN isn't valid"):
        stack.deploy(firewall(100, destination="front-door"))
