# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from _typeshed import Incomplete

class Variable:
    @property
    def type(self) -> Incomplete: ...

class TypedInterface:
    @property
    def inputs(self) -> dict[str, Variable]: ...
    @property
    def outputs(self) -> dict[str, Variable]: ...
    def to_flyte_idl(self) -> Incomplete: ...
