import re

import pytest
from aws_cdk import aws_s3 as s3

from aerodrome_constructs.costs import CostExport, CostExportProps
from tests.templates import (
    ACCOUNT,
    REGION,
    Properties,
    TemplateJson,
    new_stack,
    only,
    resources,
    statements,
    synthesized,
    text,
    with_id,
)


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    CostExport(stack, "Export", CostExportProps(name="costs", access_logs=s3.Bucket(stack, "Logs")))
    return synthesized(stack)


@pytest.fixture(scope="module")
def export(template: TemplateJson) -> Properties:
    found: Properties = only(template, "AWS::BCMDataExports::Export")["Export"]
    return found


def test_it_has_the_shares_of_pods_by_day_and_resource(export: Properties) -> None:
    table = export["DataQuery"]["TableConfigurations"]["COST_AND_USAGE_REPORT"]
    assert table["INCLUDE_SPLIT_COST_ALLOCATION_DATA"] == "TRUE"
    assert (table["INCLUDE_RESOURCES"], table["TIME_GRANULARITY"]) == ("TRUE", "DAILY")


def test_it_asks_for_each_column_once_with_the_tags_and_the_shares(export: Properties) -> None:
    query = re.fullmatch(r"SELECT (.+) FROM COST_AND_USAGE_REPORT", export["DataQuery"]["QueryStatement"])
    assert query
    columns = query[1].split(", ")
    assert len(columns) == len(set(columns))
    assert {"line_item_resource_id", "line_item_unblended_cost", "resource_tags"} <= set(columns)
    assert {"split_line_item_split_cost", "split_line_item_unused_cost"} <= set(columns)


def test_each_delivery_overwrites_the_month_that_it_belongs_to(export: Properties, template: TemplateJson) -> None:
    destination = export["DestinationConfigurations"]["S3Destination"]
    assert text(destination["S3Bucket"]).startswith("${ExportBucket")
    assert destination["S3Region"] == REGION
    assert destination["S3OutputConfigurations"]["Overwrite"] == "OVERWRITE_REPORT"
    bucket = with_id(template, "AWS::S3::Bucket", "ExportBucket")
    assert bucket["VersioningConfiguration"]["Status"] == "Enabled", "what was overwritten can be read for a while"


def test_the_bucket_is_private_encrypted_logged_and_kept(template: TemplateJson) -> None:
    (bucket,) = [one for key, one in resources(template, "AWS::S3::Bucket").items() if "ExportBucket" in key]
    found = bucket["Properties"]
    assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = found["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert text(found["LoggingConfiguration"]["DestinationBucketName"]).startswith("${Logs")
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_only_data_exports_of_this_account_write_to_it(template: TemplateJson) -> None:
    (writers,) = [one for one in statements(template, "ExportBucketPolicy") if one.allows]
    assert set(writers.principals) == {"bcm-data-exports.amazonaws.com", "billingreports.amazonaws.com"}
    assert set(writers.actions) == {"s3:PutObject", "s3:GetBucketPolicy"}
    assert writers.conditions["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert [text(arn).partition("arn:aws:")[2] for arn in writers.conditions["ArnLike"]["aws:SourceArn"]] == [
        f"bcm-data-exports:us-east-1:{ACCOUNT}:export/*",
        f"cur:us-east-1:{ACCOUNT}:definition/*",
    ]


def test_the_export_is_made_once_the_bucket_lets_it_in(template: TemplateJson) -> None:
    (export,) = resources(template, "AWS::BCMDataExports::Export").values()
    (policy,) = [key for key in resources(template, "AWS::S3::BucketPolicy") if key.startswith("Export")]
    assert policy in export["DependsOn"]
