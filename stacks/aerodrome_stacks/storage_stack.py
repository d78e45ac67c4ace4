"""The Storage stack: every bucket of the platform."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from aerodrome_constructs.storage import AccessLogBucket, AccessLogBucketProps, PrivateBucket, PrivateBucketProps
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.names import own_prefix

# What a text of JSON has to escape. EventBridge puts keys into JSON as they are: one with a quotation mark could say
# more of its job than which object it is (aerodrome_constructs/ingest/arrivals.py).
_NOT_IN_JSON = ('"', "\\")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePorts:
    """The buckets that other stacks read and write.

    Attributes:
        metadata: Flyte's own records of executions: small, many, needed as long as an execution can be looked at.
        raw_data: What Flyte tasks hand to each other, below ``<project>/<domain>/``. Expires after the domain's period
            in ``retention.raw_data``, and elsewhere in the bucket after the longest of them.
        mlflow_artifacts: Models and other artifacts of MLflow runs.
        batch_input: What arrives for AWS Batch jobs.
        batch_output: What AWS Batch jobs leave.
        access_logs: Who read and wrote what in the buckets above, and once a week what is in them.
    """

    metadata: s3.IBucket
    raw_data: s3.IBucket
    mlflow_artifacts: s3.IBucket
    batch_input: s3.IBucket
    batch_output: s3.IBucket
    access_logs: s3.IBucket


class StorageStack(AerodromeStack):
    """Buckets for Flyte, MLflow and AWS Batch, and the log of who used them."""

    def __init__(self, scope: Construct, construct_id: str, *, environment: Environment, data_key: kms.IKey) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="S3 buckets: Flyte metadata and raw data, MLflow artifacts, Batch input and output, logs",
            holds_data=True,
        )
        access_logs = AccessLogBucket(
            self, "AccessLogs", AccessLogBucketProps(expire_after=environment.retention.logs)
        ).bucket
        self.ports = StoragePorts(
            # Small records, most of them below the 128 KB that S3 tiers at all.
            metadata=self._bucket("Metadata", data_key, access_logs),
            # Gone before a tier would pay. What lies outside the prefixes stays as long as anything: of two rules that
            # fit an object, S3 takes the shorter period.
            raw_data=self._bucket(
                "RawData",
                data_key,
                access_logs,
                expire_objects_after=max(environment.retention.raw_data.values()),
                expire_prefixes_after=raw_data_periods(environment),
            ),
            # Large, kept, and seldom read once the run, the delivery or the reader has had them.
            mlflow_artifacts=self._bucket("MlflowArtifacts", data_key, access_logs, intelligent_tiering=True),
            batch_input=self._bucket(
                "BatchInput", data_key, access_logs, intelligent_tiering=True, refused_characters=_NOT_IN_JSON
            ),
            batch_output=self._bucket("BatchOutput", data_key, access_logs, intelligent_tiering=True),
            access_logs=access_logs,
        )
        cdk.CfnOutput(self, "BatchInputBucketName", value=self.ports.batch_input.bucket_name)
        cdk.CfnOutput(self, "BatchOutputBucketName", value=self.ports.batch_output.bucket_name)

    def _bucket(
        self,
        construct_id: str,
        key: kms.IKey,
        access_logs: s3.IBucket,
        *,
        expire_objects_after: timedelta | None = None,
        expire_prefixes_after: Mapping[str, timedelta] | None = None,
        intelligent_tiering: bool = False,
        refused_characters: Collection[str] = (),
    ) -> s3.IBucket:
        props = PrivateBucketProps(
            key=key,
            access_logs=access_logs,
            expire_objects_after=expire_objects_after,
            expire_prefixes_after=expire_prefixes_after or {},
            intelligent_tiering=intelligent_tiering,
            refused_characters=refused_characters,
        )
        return PrivateBucket(self, construct_id, props).bucket


def raw_data_periods(environment: Environment) -> Mapping[str, timedelta]:
    """How long what Flyte tasks hand to each other is kept, by the prefix of its project and domain.

    A lifecycle rule knows prefixes and no patterns, and the project comes first: each project and domain has a rule of
    its own. S3 takes 1,000 of them: room for 332 projects with three domains each.

    Args:
        environment: What the team decided.
    """
    return {
        f"{own_prefix(project, domain)}/": environment.retention.raw_data[domain]
        for project, domain in environment.project_domains
    }
