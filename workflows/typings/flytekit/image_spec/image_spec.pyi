# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from collections.abc import Callable

class ImageSpec: ...

class ImageBuildEngine:
    build: Callable[..., object]
