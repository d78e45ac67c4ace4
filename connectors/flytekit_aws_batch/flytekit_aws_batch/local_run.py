"""A task that is run from somebody's own machine: sent to AWS Batch by a connector in the same process."""

import asyncio
import re
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType
from typing import Any, TypeVar

from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.core import utils
from flytekit.core.base_task import PythonTask
from flytekit.core.context_manager import ExecutionState, FlyteContext, FlyteContextManager
from flytekit.core.type_engine import TypeEngine
from flytekit.extend.backend.base_connector import AsyncConnectorExecutorMixin, Resource, ResourceMeta
from flytekit.extend.backend.utils import is_terminal_phase
from flytekit.models.core.workflow import NodeMetadata
from flytekit.models.literals import Literal, LiteralMap, Primitive, Scalar
from flytekit.models.task import TaskTemplate

from flytekit_aws_batch.closing import close_at_exit
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.local_lines import Lines

# As propeller has them (flyteplugins/go/tasks/pluginmachinery/core/template/template.go): whatever the case.
_TEMPLATE = re.compile(r"{{\s*[.$](?P<name>[A-Za-z]+)(\.(?P<input>[^}\s]+))?\s*}}")

_GO_WRITES_EXPONENTS = 1e21

_SECONDS = 1.0
_INTERRUPTED = "interrupted on the machine that ran it (Ctrl-C)"

_C = TypeVar("_C")


class LocalRun(AsyncConnectorExecutorMixin, PythonTask[_C]):
    """A task that a local run sends to AWS Batch if its data can be found from there, and runs in process otherwise."""

    def run_here(self, **inputs: Any) -> Any:  # noqa: ANN401 - whatever the author's function takes and gives
        """Run the task in this process.

        Raises:
            RefusedError: It cannot be.
        """
        raise NotImplementedError

    def execute(self, **inputs: Any) -> Any:  # noqa: ANN401 - whatever the author's function takes and gives
        """Run the task: in its container and without S3 in this process, else as a job."""
        context = FlyteContextManager.current_context()
        if _in_container(context) or not str(context.file_access.raw_output_prefix).startswith("s3://"):
            return self.run_here(**inputs)
        try:
            if context.serialization_settings and context.serialization_settings.image_config:
                return super().execute(**inputs)
            settings = SerializationSettings(image_config=ImageConfig.auto_default_image())
            with FlyteContextManager.with_context(context.with_serialization_settings(settings)):
                return super().execute(**inputs)
        finally:
            close_at_exit()

    def construct_node_metadata(self) -> NodeMetadata:
        """What a workflow's node says of the task: all but its timeout, which the connector reads in the template.

        propeller counts a node's from the create on, queues, reclaims and all portions of a list included, and ends it
        after twice as long for good, whatever its retries (``nodes/executor.go``, ``transformers/k8s/node.go``).
        """
        metadata = super().construct_node_metadata()
        metadata._timeout = timedelta()  # noqa: SLF001 - as flytekit's with_overrides does
        return metadata

    async def _create(
        self, task_template: TaskTemplate, output_prefix: str, inputs: dict[str, Any] | None = None
    ) -> ResourceMeta:
        """Put the inputs where the job finds them, fill in the templates as propeller would, and submit."""
        context = FlyteContextManager.current_context()
        state = context.new_execution_state().with_params(mode=ExecutionState.Mode.TASK_EXECUTION)
        with FlyteContextManager.with_context(context.with_execution_state(state)) as uploading:
            # The asynchronous of its methods: this one is called inside an event loop.
            types = self.get_input_types()
            literals = await TypeEngine._dict_to_literal_map(uploading, inputs or {}, types)  # noqa: SLF001 - see above
            path = uploading.file_access.get_random_local_path()
            utils.write_proto_to_file(literals.to_flyte_idl(), path)
            await uploading.file_access.async_put_data(path, f"{output_prefix}/inputs.pb")
        if task_template.container is not None:
            arguments = rendered(task_template.container.args, output_prefix, literals)
            task_template.container._args = arguments  # noqa: SLF001 - as flytekit's translator does
        meta: ResourceMeta = await self._connector.create(
            task_template=task_template, inputs=literals, output_prefix=output_prefix
        )
        self.resource_meta = meta
        return meta

    async def _get(self, resource_meta: ResourceMeta) -> Resource:
        """Ask how the job stands until it has ended, and tell it."""
        lines = Lines(self.name)
        handler = partial(self._interrupt, resource_meta, lines)
        FlyteContextManager.add_signal_handler(handler)
        try:
            while True:
                resource: Resource = await self._connector.get(resource_meta=resource_meta)
                if self._clean_up_task:
                    sys.exit(1)
                lines.tell(resource)
                if is_terminal_phase(resource.phase):
                    return resource
                # As flytekit waits: what Ctrl-C raises ends this very call, and leaves no task behind in the loop.
                time.sleep(_SECONDS)  # noqa: ASYNC251 - see above; nothing else is in the loop
        finally:
            # A job that has ended needs no end when a later one is interrupted.
            FlyteContextManager.signal_handlers.remove(handler)

    def _interrupt(self, resource_meta: ResourceMeta, lines: Lines, signum: int, frame: FrameType | None) -> None:
        """Ctrl-C: end the job.

        In a thread of its own, as this one has an event loop that waits and lets no other begin.
        """
        del signum, frame
        problems: list[str] = []

        def end() -> None:
            try:
                asyncio.run(self._connector.delete(resource_meta=resource_meta, reason=_INTERRUPTED))
            except Exception as error:  # noqa: BLE001 - whatever it is, the job may go on, and that is to be told
                problems.append(str(error) or type(error).__name__)

        ending = threading.Thread(target=end)
        ending.start()
        ending.join()
        lines.tell_ended(problems[0] if problems else None)
        self._clean_up_task = True


def _in_container(context: FlyteContext) -> bool:
    return bool(context.execution_state and context.execution_state.mode == ExecutionState.Mode.TASK_EXECUTION)


def rendered(arguments: list[str], output_prefix: str, inputs: LiteralMap) -> list[str]:
    """A container's arguments with what propeller would put in place of the templates.

    Raises:
        RefusedError: A template asks for what there is not.
    """
    places = {
        "input": f"{output_prefix}/inputs.pb",
        "inputprefix": output_prefix,
        "outputprefix": output_prefix,
        "rawoutputdataprefix": f"{output_prefix}/raw_output",
        "checkpointoutputprefix": f"{output_prefix}/checkpoint_output",
        # What propeller gives for a first attempt.
        "prevcheckpointprefix": '""',
        "perretryuniquekey": re.sub(r"[^A-Za-z0-9_]+", "_", "a" + output_prefix.rpartition("/")[2]),
    }

    def replaced(match: re.Match[str]) -> str:
        name, variable = match["name"].lower(), match["input"]
        if variable is None:
            return places.get(name, match[0])
        if name != "inputs":
            return match[0]
        if variable not in inputs.literals:
            raise RefusedError(
                f"{match[0]}: there is no input {variable}; there are {', '.join(inputs.literals) or 'none'}"
            )
        return _written(inputs.literals[variable], match[0])

    return [_TEMPLATE.sub(replaced, argument) for argument in arguments]


def _written(literal: Literal, template: str) -> str:
    if literal.collection is not None:
        return f"[{','.join(_written(each, template) for each in literal.collection.literals)}]"
    text = _scalar(literal.scalar) if literal.scalar is not None else None
    if text is None:
        raise RefusedError(f"{template}: a value of this type cannot be written into an argument; hand over a file")
    return text


def _scalar(scalar: Scalar) -> str | None:
    if scalar.primitive is not None:
        return _primitive(scalar.primitive)
    for place in (scalar.blob, scalar.schema, scalar.structured_dataset):
        if place is not None:
            return str(place.uri)
    return None


def _primitive(primitive: Primitive) -> str:
    value = primitive.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _GO_WRITES_EXPONENTS:
        return str(int(value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
