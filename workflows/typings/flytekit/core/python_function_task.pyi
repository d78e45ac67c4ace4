# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from _typeshed import Incomplete
from flytekit.core.python_auto_container import PythonAutoContainerTask

_C = TypeVar("_C")

class PythonFunctionTask(PythonAutoContainerTask[_C]):
    class ExecutionBehavior(Enum):
        DEFAULT = 1
        DYNAMIC = 2
        EAGER = 3

    def __init__(
        self,
        task_config: _C,
        task_function: Callable[..., Incomplete],
        task_type: str = "python-task",
        **kwargs: Incomplete,
    ) -> None: ...
    @property
    def task_function(self) -> Callable[..., Incomplete]: ...
