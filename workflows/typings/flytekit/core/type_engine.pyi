# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from collections.abc import Mapping

from _typeshed import Incomplete
from flytekit.core.context_manager import FlyteContext
from flytekit.models.literals import LiteralMap

class TypeEngine:
    @classmethod
    def dict_to_literal_map(
        cls, ctx: FlyteContext, d: Mapping[str, Incomplete], type_hints: Mapping[str, type] | None = None
    ) -> LiteralMap: ...
    @classmethod
    def literal_map_to_kwargs(
        cls, ctx: FlyteContext, lm: LiteralMap, python_types: Mapping[str, type] | None = None
    ) -> dict[str, Incomplete]: ...
    @classmethod
    async def _dict_to_literal_map(
        cls, ctx: FlyteContext, d: Mapping[str, Incomplete], type_hints: Mapping[str, type] | None = None
    ) -> LiteralMap: ...
