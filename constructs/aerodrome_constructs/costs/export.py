"""What was spent on what, as files that can be queried: a Cost and Usage Report with the shares of pods and tasks."""

from dataclasses import dataclass
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_bcmdataexports as exports
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import BUCKET_KMS, BUCKET_REPLICATION
from aerodrome_constructs.storage.lifecycle import lifecycle_rules
from aerodrome_constructs.storage.retained import retained_bucket

# Data Exports has one home, whatever region the bucket is in.
_EXPORTS_REGION = "us-east-1"
_PREFIX = "cost-and-usage"
_TABLE = "COST_AND_USAGE_REPORT"

# What tells who spent what on which resource, and, from `split_line_item`, which share of an instance a pod, an ECS
# task or a Batch job had (https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2.html).
_COLUMNS = (
    "identity_line_item_id",
    "identity_time_interval",
    "bill_billing_period_start_date",
    "bill_payer_account_id",
    "line_item_currency_code",
    "line_item_line_item_type",
    "line_item_operation",
    "line_item_product_code",
    "line_item_resource_id",
    "line_item_unblended_cost",
    "line_item_usage_account_id",
    "line_item_usage_amount",
    "line_item_usage_end_date",
    "line_item_usage_start_date",
    "line_item_usage_type",
    "pricing_public_on_demand_cost",
    "product_region_code",
    "reservation_effective_cost",
    "resource_tags",
    "savings_plan_savings_plan_effective_cost",
    "split_line_item_actual_usage",
    "split_line_item_net_split_cost",
    "split_line_item_net_unused_cost",
    "split_line_item_parent_resource_id",
    "split_line_item_public_on_demand_split_cost",
    "split_line_item_public_on_demand_unused_cost",
    "split_line_item_reserved_usage",
    "split_line_item_split_cost",
    "split_line_item_split_usage",
    "split_line_item_split_usage_ratio",
    "split_line_item_unused_cost",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostExportProps:
    """What an export of costs needs to know.

    Attributes:
        name: The export's name.
        access_logs: The bucket, of the same region, that records who reads the files.
        expire_versions_after: How long a file that was overwritten can still be read, in whole days. Each delivery
            overwrites the month that it belongs to.
    """

    name: str
    access_logs: s3.IBucket
    expire_versions_after: timedelta = timedelta(days=30)


class CostExport(Construct):
    """A bucket, and an export of the account's costs to it, by day and resource, at least once a day.

    The account's, and not an environment's alone: the shares of pods carry the tags of Kubernetes, not the resources'.

    Attributes:
        bucket: The bucket. The files are Parquet, in a folder a month below ``cost-and-usage/``.
    """

    def __init__(self, scope: Construct, construct_id: str, props: CostExportProps) -> None:
        super().__init__(scope, construct_id)
        self.bucket = retained_bucket(
            self,
            "Bucket",
            lifecycle_rules=lifecycle_rules(
                expire_objects_after=None,
                expire_prefixes_after={},
                expire_versions_after=props.expire_versions_after,
                intelligent_tiering=False,
            ),
            access_logs=props.access_logs,
            access_logs_prefix=f"{construct_id}/",
        )
        acknowledge(
            self.bucket,
            BUCKET_KMS,
            reason="Data Exports documents no key policy with which it could write under a customer-managed key",
        )
        acknowledge(
            self.bucket,
            BUCKET_REPLICATION,
            reason="AWS keeps the costs themselves, and exports a month again on demand",
        )
        self._let_in()
        self._export(props.name)

    def _let_in(self) -> None:
        # https://docs.aws.amazon.com/cur/latest/userguide/dataexports-s3-bucket.html
        stack = cdk.Stack.of(self)
        exports_arn = f"arn:{stack.partition}:bcm-data-exports:{_EXPORTS_REGION}:{stack.account}:export/*"
        reports_arn = f"arn:{stack.partition}:cur:{_EXPORTS_REGION}:{stack.account}:definition/*"
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DataExports",
                principals=[
                    iam.ServicePrincipal("bcm-data-exports.amazonaws.com"),
                    iam.ServicePrincipal("billingreports.amazonaws.com"),
                ],
                actions=["s3:GetBucketPolicy", "s3:PutObject"],
                resources=[self.bucket.bucket_arn, self.bucket.arn_for_objects("*")],
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {"aws:SourceArn": [exports_arn, reports_arn]},
                },
            )
        )

    def _export(self, name: str) -> None:
        export = exports.CfnExport(
            self,
            "Resource",
            export=exports.CfnExport.ExportProperty(
                name=name,
                description="Costs by day and resource, with the shares of pods, ECS tasks and Batch jobs",
                data_query=exports.CfnExport.DataQueryProperty(
                    query_statement=" ".join(("SELECT", ", ".join(_COLUMNS), "FROM", _TABLE)),
                    table_configurations={
                        _TABLE: {
                            "TIME_GRANULARITY": "DAILY",
                            "INCLUDE_RESOURCES": "TRUE",
                            "INCLUDE_SPLIT_COST_ALLOCATION_DATA": "TRUE",
                            "INCLUDE_MANUAL_DISCOUNT_COMPATIBILITY": "FALSE",
                        }
                    },
                ),
                destination_configurations=exports.CfnExport.DestinationConfigurationsProperty(
                    s3_destination=exports.CfnExport.S3DestinationProperty(
                        s3_bucket=self.bucket.bucket_name,
                        s3_prefix=_PREFIX,
                        s3_region=cdk.Stack.of(self).region,
                        s3_output_configurations=exports.CfnExport.S3OutputConfigurationsProperty(
                            output_type="CUSTOM",
                            format="PARQUET",
                            compression="PARQUET",
                            overwrite="OVERWRITE_REPORT",
                        ),
                    )
                ),
                refresh_cadence=exports.CfnExport.RefreshCadenceProperty(frequency="SYNCHRONOUS"),
            ),
        )
        # Creating the export writes a test file, which the bucket's policy must let in by then.
        if self.bucket.policy is not None:
            export.node.add_dependency(self.bucket.policy)
