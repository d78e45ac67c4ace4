# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum
from types import FrameType
from typing import ClassVar, Self

from _typeshed import Incomplete
from flytekit.configuration import SerializationSettings
from flytekit.core.data_persistence import FileAccessProvider

class ExecutionState:
    class Mode(Enum):
        TASK_EXECUTION = 1

    mode: Mode | None
    def with_params(self, mode: Mode | None = None) -> Self: ...

class FlyteContext:
    serialization_settings: SerializationSettings | None
    execution_state: ExecutionState | None
    file_access: FileAccessProvider
    class Builder: ...

    def new_execution_state(self) -> ExecutionState: ...
    def with_execution_state(self, es: ExecutionState) -> Builder: ...
    def with_serialization_settings(self, ss: SerializationSettings) -> Builder: ...

class FlyteEntities:
    entities: list[Incomplete]

class FlyteContextManager:
    signal_handlers: ClassVar[list[Callable[..., object]]]
    @staticmethod
    def current_context() -> FlyteContext: ...
    @staticmethod
    def with_context(b: FlyteContext.Builder) -> AbstractContextManager[FlyteContext]: ...
    @staticmethod
    def add_signal_handler(handler: Callable[[int, FrameType | None], object]) -> None: ...
