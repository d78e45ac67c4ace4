# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

FLYTE_FAIL_ON_ERROR: str
