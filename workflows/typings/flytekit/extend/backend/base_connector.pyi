# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from typing import Self

from _typeshed import Incomplete
from flytekit.models.literals import LiteralMap
from flytekit.models.task import TaskTemplate

class ResourceMeta:
    def encode(self) -> bytes: ...
    @classmethod
    def decode(cls, data: bytes) -> Self: ...

class Resource:
    def __init__(
        self,
        phase: int,
        message: str | None = None,
        log_links: list[Incomplete] | None = None,
        outputs: LiteralMap | None = None,
        custom_info: dict[str, object] | None = None,
    ) -> None: ...
    phase: int
    message: str | None
    log_links: list[Incomplete] | None
    outputs: LiteralMap | None
    custom_info: dict[str, object] | None

class AsyncConnectorBase:
    name: str
    def __init__(self, metadata_type: type, **kwargs: Incomplete) -> None: ...

class ConnectorRegistry:
    @staticmethod
    def register(connector: AsyncConnectorBase) -> None: ...
    @staticmethod
    def get_connector(task_type_name: str, task_type_version: int = 0) -> AsyncConnectorBase: ...

class AsyncConnectorExecutorMixin:
    _clean_up_task: bool
    _connector: Incomplete
    resource_meta: Incomplete
    def execute(self, **kwargs: Incomplete) -> Incomplete: ...
    async def _create(
        self, task_template: TaskTemplate, output_prefix: str, inputs: dict[str, Incomplete] | None = None
    ) -> ResourceMeta: ...
