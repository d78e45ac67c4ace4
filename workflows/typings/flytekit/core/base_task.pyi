# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from datetime import timedelta
from typing import Generic, TypeVar

from _typeshed import Incomplete
from flytekit.core.context_manager import FlyteContext
from flytekit.core.interface import Interface
from flytekit.models.core.workflow import NodeMetadata
from flytekit.models.interface import TypedInterface
from flytekit.models.literals import LiteralMap
from flytekit.models.security import SecurityContext

_C = TypeVar("_C")

class TaskMetadata:
    interruptible: bool | None
    retries: int
    timeout: timedelta | int | None
    def __init__(
        self,
        cache: bool = False,
        cache_version: str = "",
        interruptible: bool | None = None,
        retries: int = 0,
        timeout: timedelta | int | None = None,
    ) -> None: ...

class PythonTask(Generic[_C]):
    def __init__(
        self,
        task_type: str,
        name: str,
        task_config: _C,
        interface: Interface | None = None,
        environment: dict[str, str] | None = None,
        **kwargs: Incomplete,
    ) -> None: ...
    def __call__(self, *args: object, **kwargs: object) -> Incomplete: ...
    @property
    def name(self) -> str: ...
    @property
    def task_type(self) -> str: ...
    @property
    def environment(self) -> dict[str, str]: ...
    @property
    def interface(self) -> TypedInterface: ...
    @property
    def python_interface(self) -> Interface: ...
    @property
    def task_config(self) -> _C: ...
    @property
    def metadata(self) -> TaskMetadata: ...
    @property
    def security_context(self) -> SecurityContext | None: ...
    @property
    def docs(self) -> object: ...
    def dispatch_execute(self, ctx: FlyteContext, input_literal_map: LiteralMap) -> Incomplete: ...
    def construct_node_metadata(self) -> NodeMetadata: ...
    def get_input_types(self) -> dict[str, type]: ...
