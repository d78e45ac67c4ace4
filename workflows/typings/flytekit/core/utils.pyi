# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from collections.abc import Mapping, Sequence

from flytekit.core.resources import ResourceSpec
from flytekit.models.task import Container

def write_proto_to_file(proto: object, path: str) -> None: ...
def _get_container_definition(
    image: str,
    resource_spec: ResourceSpec,
    command: Sequence[str] | None = None,
    args: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Container: ...
