# As much of flytekit's types as our workflows use: flytekit ships none that a type checker takes.
#
# In a workflow, a task is called like the function that it was made of. That is what these types say, so that mypy
# holds what one task gives against what the next one takes. tests/workflows/flyte holds them against flytekit itself.

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Generic, ParamSpec, TypeVar

from flytekit.core.checkpointer import Checkpoint
from flytekit.models.core.identifier import WorkflowExecutionIdentifier
from flytekit.models.security import Secret as Secret
from flytekit.types.directory import FlyteDirectory as FlyteDirectory
from flytekit.types.file import FlyteFile as FlyteFile

_P = ParamSpec("_P")
_R = TypeVar("_R")

class Resources:
    def __init__(
        self,
        cpu: str | float | None = None,
        mem: str | int | None = None,
        gpu: str | int | None = None,
        ephemeral_storage: str | int | None = None,
    ) -> None: ...

def task(
    *,
    task_config: object = None,
    cache: bool = False,
    cache_version: str = "",
    retries: int = 0,
    interruptible: bool | None = None,
    timeout: timedelta = ...,
    environment: Mapping[str, str] | None = None,
    requests: Resources | None = None,
    limits: Resources | None = None,
    resources: Resources | None = None,
    container_image: str | None = None,
    shared_memory: str | bool | None = None,
    secret_requests: Sequence[Secret] | None = None,
    pod_template: PodTemplate | None = None,
    accelerator: object = None,
    labels: Mapping[str, str] | None = None,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...
def map_task(target: Callable[..., _R]) -> Callable[..., list[_R]]: ...
def dynamic(*, task_config: object = None) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...
def workflow(_workflow_function: Callable[_P, _R]) -> Callable[_P, _R]: ...
def conditional(name: str) -> ConditionalSection: ...

class ConditionalSection:
    def if_(self, expr: bool) -> Case: ...

class Case:
    def then(self, p: _R) -> Condition[_R]: ...

class Condition(Generic[_R]):
    def else_(self) -> ElseCase[_R]: ...

class ElseCase(Generic[_R]):
    def then(self, p: _R) -> _R: ...

class CronSchedule:
    def __init__(self, schedule: str) -> None: ...

class ConcurrencyPolicy:
    def __init__(self, max_concurrency: int) -> None: ...

class LaunchPlan:
    @classmethod
    def get_or_create(
        cls,
        workflow: Callable[..., object],
        name: str,
        default_inputs: Mapping[str, object],
        schedule: CronSchedule,
        concurrency: ConcurrencyPolicy,
    ) -> LaunchPlan: ...

class PodTemplate: ...

class ExecutionParameters:
    @property
    def working_directory(self) -> str: ...
    @property
    def execution_id(self) -> WorkflowExecutionIdentifier: ...
    @property
    def checkpoint(self) -> Checkpoint: ...

def current_context() -> ExecutionParameters: ...
