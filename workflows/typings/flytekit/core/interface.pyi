# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from collections.abc import Set as AbstractSet

class Interface:
    def __init__(self, inputs: dict[str, type] | None = None, outputs: dict[str, type] | None = None) -> None: ...
    @property
    def inputs(self) -> dict[str, type]: ...
    @property
    def outputs(self) -> dict[str, type]: ...

def transform_interface_to_list_interface(
    interface: Interface,
    bound_inputs: AbstractSet[str],
    excluded_inputs: AbstractSet[str],
    optional_outputs: bool = False,
) -> Interface: ...
