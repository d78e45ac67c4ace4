# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from typing import Self

from flytekit import Resources as Resources

class ResourceSpec:
    requests: Resources
    limits: Resources
    def __init__(self, requests: Resources, limits: Resources) -> None: ...
    @classmethod
    def from_multiple_resource(cls, resource: Resources) -> Self: ...
