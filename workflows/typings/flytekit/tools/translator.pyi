# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from collections import OrderedDict

from _typeshed import Incomplete
from flytekit.configuration import SerializationSettings

def get_serializable(
    entity_mapping: OrderedDict[Incomplete, Incomplete], settings: SerializationSettings, entity: object
) -> Incomplete: ...
def prefix_with_fast_execute(settings: SerializationSettings, cmd: list[str]) -> list[str]: ...
