# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from datetime import timedelta

class NodeMetadata:
    _timeout: timedelta
