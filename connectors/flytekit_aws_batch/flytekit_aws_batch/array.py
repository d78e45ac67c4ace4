"""A Python function for each element of a list, as one array of AWS Batch."""

import functools
import hashlib
import math
from collections.abc import Callable
from typing import Any, TypeVar, overload

from flytekit.configuration import SerializationSettings
from flytekit.core.interface import transform_interface_to_list_interface
from flytekit.core.tracker import extract_task_module
from flytekit.models.task import Container
from flytekit.tools.translator import prefix_with_fast_execute

from flytekit_aws_batch.common import TASK_TYPE
from flytekit_aws_batch.config import MAP_OPTION, Mapped
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.spec import MOST_CHILDREN
from flytekit_aws_batch.local_run import LocalRun
from flytekit_aws_batch.task import AWSBatchFunctionTask, refuse

_R = TypeVar("_R")


@overload
def map_task(target: Callable[..., _R], concurrency: int | None = None) -> Callable[..., list[_R]]: ...
@overload
def map_task(
    target: Callable[..., _R], concurrency: int | None = None, *, min_success_ratio: float
) -> Callable[..., list[_R | None]]: ...
def map_task(
    target: Callable[..., Any], concurrency: int | None = None, min_success_ratio: float = 1.0
) -> "AWSBatchMapTask":
    """Run a task for each element of a list, as one array of AWS Batch.

    Each input is a list then, all of one length, but for those that ``functools.partial`` gives; the output is a list
    in the same order. An element that fails is run again as often as the task has ``retries``, and no other with it.
    What is cached is the whole list, with what failed: it is not tried again on a hit.

    Args:
        target: A task with ``task_config=AWSBatch(...)``, or a ``functools.partial`` of one.
        concurrency: How many elements run at once, at most. Default: as many as there is room for.
        min_success_ratio: The part, above 0 to 1, that has to succeed. Below 1, None stands in the list for what
            failed.

    Raises:
        RefusedError: AWS Batch has no such array.
    """
    return AWSBatchMapTask(target, concurrency=concurrency, min_success_ratio=min_success_ratio)


class AWSBatchMapTask(LocalRun[None]):
    """A task for each element of a list: :func:`map_task` makes it."""

    def __init__(
        self,
        target: Callable[..., Any],
        *,
        concurrency: int | None = None,
        min_success_ratio: float = 1.0,
    ) -> None:
        function = target.func if isinstance(target, functools.partial) else target
        self._given: dict[str, Any] = dict(target.keywords) if isinstance(target, functools.partial) else {}
        if not isinstance(function, AWSBatchFunctionTask):
            named = getattr(function, "name", None) or getattr(function, "__qualname__", None) or repr(function)
            raise RefusedError(
                f"map_task({named}): it takes tasks with task_config=AWSBatch(...); for others there is "
                "flytekit.map_task"
            )
        self._function = function
        refuse(function.name, self._problems(target, concurrency, min_success_ratio))
        bound = set(self._given)
        self._mapped = Mapped(
            inputs=tuple(name for name in function.python_interface.inputs if name not in bound),
            concurrency=concurrency,
            min_success_ratio=min_success_ratio,
        )
        _, module, name, _ = extract_task_module(function.task_function)
        said = hashlib.sha256(self._mapped.model_dump_json().encode()).hexdigest()[:12]
        super().__init__(
            task_type=TASK_TYPE,
            name=f"{module}.map_{name}_{said}",
            task_config=None,
            interface=transform_interface_to_list_interface(
                function.python_interface, bound, set(), optional_outputs=min_success_ratio < 1
            ),
            metadata=function.metadata,
            security_ctx=function.security_context,
            docs=function.docs,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - flytekit's
        """Call it with lists; what ``functools.partial`` gave goes with them."""
        return super().__call__(*args, **{**self._given, **kwargs})

    def run_here(self, **inputs: Any) -> list[Any] | None:  # noqa: ANN401 - whatever the author's function takes
        """Call the function for each element in this process.

        Raises:
            RefusedError: The lists differ in length.
        """
        lists = {name: inputs[name] for name in self._mapped.inputs}
        sizes = {name: len(each) for name, each in lists.items()}
        if len(set(sizes.values())) > 1:
            raise RefusedError(f"task {self.name} runs over lists of one length, and got {sizes}; make them equal")
        size = next(iter(sizes.values()))
        others = {name: value for name, value in inputs.items() if name not in lists}
        given: list[Any] = []
        failed = 0
        for index in range(size):
            try:
                given.append(
                    self._function.task_function(**others, **{name: each[index] for name, each in lists.items()})
                )
            except Exception:
                failed += 1
                if size - failed < math.ceil(size * self._mapped.min_success_ratio):
                    raise
                given.append(None)
        return given if self.interface.outputs else None

    def get_custom(self, settings: SerializationSettings) -> dict[str, Any]:
        """What the connector reads."""
        del settings
        payload = self._function.payload(self._function.resources)
        return payload.model_copy(update={"mapped": self._mapped}).to_custom()

    def get_container(self, settings: SerializationSettings) -> Container:
        """The function's container, with a command that picks its element."""
        self._function.set_command_fn(self._command)
        try:
            return self._function.get_container(settings)
        finally:
            self._function.reset_command_fn()

    def _command(self, settings: SerializationSettings) -> list[str]:
        command, *rest = self._function.get_default_command(settings)
        whole = [command, MAP_OPTION, ",".join(self._mapped.inputs), *rest]
        # flytekit's translator does so for the kinds of tasks that it knows.
        return prefix_with_fast_execute(settings, whole) if settings.should_fast_serialize() else whole

    def _problems(self, target: object, concurrency: int | None, ratio: float) -> list[str]:
        inputs = self._function.python_interface.inputs
        outputs = self._function.python_interface.outputs
        problems = []
        if isinstance(target, functools.partial) and target.args:
            problems.append("functools.partial: give the values by name")
        problems += [
            f"functools.partial({name}=...): there is no such input; there are {', '.join(inputs) or 'none'}"
            for name in self._given
            if name not in inputs
        ]
        if not set(inputs) - set(self._given):
            problems.append("no input is left that could be a list; leave one out of functools.partial")
        if len(outputs) > 1:
            problems.append(f"it has {len(outputs)} outputs, and a list has one; return them as one dataclass")
        if concurrency is not None and concurrency < 1:
            problems.append(f"concurrency={concurrency}: 1 to {MOST_CHILDREN:,}, or leave it out")
        if not 0 < ratio <= 1:
            problems.append(f"min_success_ratio={ratio}: above 0, to 1")
        if self._function.task_config.nodes > 1:
            problems.append("nodes: AWS Batch has no arrays of multi-node jobs; leave nodes out, or do not map")
        return problems
