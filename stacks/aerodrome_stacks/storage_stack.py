"""The Storage stack: every bucket of the platform."""

from dataclasses import dataclass
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from aerodrome_constructs.storage import AccessLogBucket, AccessLogBucketProps, PrivateBucket, PrivateBucketProps
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePorts:
    """The buckets that other stacks read and write.

    Attributes:
        metadata: Flyte's own records of executions: small, many, needed as long as an execution can be looked at.
        raw_data: What Flyte tasks hand to each other. Expires after ``retention.raw_data``.
        mlflow_artifacts: Models and other artifacts of MLflow runs.
        batch_input: What arrives for AWS Batch jobs. EventBridge is told of new objects.
        batch_output: What AWS Batch jobs leave.
        access_logs: Who read and wrote what in the buckets above.
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

        def bucket(
            construct_id: str, *, expire_after: timedelta | None = None, send_events: bool = False
        ) -> s3.IBucket:
            props = PrivateBucketProps(
                key=data_key, access_logs=access_logs, expire_objects_after=expire_after, send_events=send_events
            )
            return PrivateBucket(self, construct_id, props).bucket

        self.ports = StoragePorts(
            metadata=bucket("Metadata"),
            raw_data=bucket("RawData", expire_after=max(environment.retention.raw_data.values())),
            mlflow_artifacts=bucket("MlflowArtifacts"),
            batch_input=bucket("BatchInput", send_events=True),
            batch_output=bucket("BatchOutput"),
            access_logs=access_logs,
        )
        cdk.CfnOutput(self, "BatchInputBucketName", value=self.ports.batch_input.bucket_name)
        cdk.CfnOutput(self, "BatchOutputBucketName", value=self.ports.batch_output.bucket_name)
