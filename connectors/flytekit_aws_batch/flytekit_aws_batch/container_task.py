"""Any container that AWS Batch runs, without flytekit in it."""

import inspect
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flytekit.configuration import SerializationSettings
from flytekit.core.base_task import TaskMetadata
from flytekit.core.interface import Interface
from flytekit.core.python_auto_container import get_registerable_container_image
from flytekit.core.resources import Resources, ResourceSpec
from flytekit.core.utils import _get_container_definition
from flytekit.image_spec.image_spec import ImageSpec
from flytekit.models.security import Secret
from flytekit.models.task import Container

from flytekit_aws_batch.common import TASK_TYPE
from flytekit_aws_batch.config import OUTPUTS_OPTION, AWSBatch, Payload
from flytekit_aws_batch.core.progress import RefusedError
from flytekit_aws_batch.core.words import no_such
from flytekit_aws_batch.literals import READABLE
from flytekit_aws_batch.local_run import LocalRun
from flytekit_aws_batch.task import OPTIONS, payload, refuse, settled

_INPUT = re.compile(r"{{\s*[.$]?inputs\.(?P<name>[^}\s]+)\s*}}", re.IGNORECASE)
# What propeller fills in, but for the dot that it begins with. What else is in braces may be the container's own.
_DOTLESS = re.compile(
    r"{{\s*(?P<said>inputs\.[^}\s]+|input|inputPrefix|outputPrefix|rawOutputDataPrefix)\s*}}", re.IGNORECASE
)
# What only a shell does something with.
_OF_A_SHELL = frozenset("|&;<>")


class AWSBatchContainerTask(LocalRun[AWSBatch]):
    """Any container that AWS Batch runs.

    Templates in its command and arguments are filled in before it starts: ``{{.inputs.x}}`` is input ``x``, of a file
    or a directory its address in S3, and ``{{.rawOutputDataPrefix}}`` a prefix in S3 that is this run's own. Output
    ``x`` is what the container writes to ``<that prefix>/x``; it finds the prefix in ``FLYTE_AWS_BATCH_OUTPUTS``, too.
    A file is an object, a directory the objects below it, and a ``str``, ``int``, ``float`` or ``bool`` an object of up
    to 64 KiB with the value as text.

    ::

        count = AWSBatchContainerTask(
            name="count-words",
            image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/tools:7",
            command=["count-words"],
            arguments=["--from", "{{.inputs.book}}", "--to", "{{.rawOutputDataPrefix}}/words"],
            inputs={"book": FlyteFile},
            outputs={"words": int},
            task_config=AWSBatch(queue="fargate"),
            limits=Resources(cpu="1", mem="2Gi"),
        )

    Args:
        name: Its name, of which there is one in a project's domain.
        image: The container's image.
        command: What it runs. Batch hands it to the image's ENTRYPOINT, if it has one, and cannot replace that.
        arguments: What comes after the command.
        inputs: Python types of the inputs, by name.
        outputs: The same of the outputs.
        task_config: What it says of its job.
        requests: As of any task.
        limits: As of any task.
        resources: As of any task.
        environment: Environment variables.
        secret_requests: Secrets, which are environment variables.
        metadata: Retries, timeout, cache and the like.
        options: ``shared_memory``, as of any task. Anything else is refused, with what to say instead.

    Raises:
        RefusedError: AWS Batch has no such job.
    """

    def __init__(
        self,
        name: str,
        image: str | ImageSpec,
        command: Sequence[str] = (),
        arguments: Sequence[str] = (),
        *,
        inputs: Mapping[str, type] | None = None,
        outputs: Mapping[str, type] | None = None,
        task_config: AWSBatch | None = None,
        requests: Resources | None = None,
        limits: Resources | None = None,
        resources: Resources | None = None,
        environment: dict[str, str] | None = None,
        secret_requests: list[Secret] | None = None,
        metadata: TaskMetadata | None = None,
        **options: Any,  # noqa: ANN401 - flytekit's
    ) -> None:
        config = AWSBatch() if task_config is None else task_config
        spec, problems = settled(config, {**options, "secret_requests": secret_requests})
        problems += [*_word_problems("command", command), *_word_problems("arguments", arguments)]
        problems += _option_problems(options)
        if resources is not None and (requests is not None or limits is not None):
            problems.append(
                "resources: stands for requests and limits, and is given beside them; give one or the other"
            )
        problems += [
            f"{what} {each!r}: is no name in Python, as Flyte's are; give letters, digits and underscores"
            for what, names in (("input", inputs), ("output", outputs))
            for each in names or ()
            if not each.isidentifier()
        ]
        refuse(name, problems)
        super().__init__(
            task_type=TASK_TYPE,
            name=name,
            task_config=spec,
            interface=Interface(dict(inputs or {}), dict(outputs or {})),
            metadata=metadata or TaskMetadata(),
            environment=environment,
        )
        self._image = image
        self._command = (*command, *arguments)
        self._resources = (
            ResourceSpec.from_multiple_resource(resources)
            if resources is not None
            else ResourceSpec(requests=requests or Resources(), limits=limits or Resources())
        )
        refuse(name, [*self._template_problems(), *self._output_problems()])
        self._payload = payload(name, spec, self._resources, self.metadata).model_copy(update={"kind": "container"})

    def run_here(self, **inputs: Any) -> Any:  # noqa: ANN401 - flytekit's
        """Refuse: what it writes is looked for in S3.

        Raises:
            RefusedError: Always.
        """
        del inputs
        raise RefusedError(
            f"task {self.name} is a container, which is run as a job only: give pyflyte run --raw-output-data-prefix "
            "s3://BUCKET/PREFIX, or set it in flytekit's configuration"
        )

    def payload(self) -> Payload:
        """What the template says of the job."""
        return self._payload

    def get_custom(self, settings: SerializationSettings) -> dict[str, Any]:
        """What the connector reads."""
        del settings
        return self._payload.to_custom()

    def get_container(self, settings: SerializationSettings) -> Container:
        """The container, all of whose command is in its arguments, as propeller fills in templates there alone."""
        return _get_container_definition(
            image=get_registerable_container_image(self._image, settings.image_config),
            resource_spec=self._resources,
            command=[],
            args=[*self._command, *((OUTPUTS_OPTION, "{{.rawOutputDataPrefix}}") if self.interface.outputs else ())],
            environment={**(settings.env or {}), **(self.environment or {})},
        )

    def _template_problems(self) -> list[str]:
        there = self.interface.inputs
        asked = [match["name"] for argument in self._command for match in _INPUT.finditer(argument)]
        said = f"there are {', '.join(there)}" if there else "there are none"
        dotless = [match for argument in self._command for match in _DOTLESS.finditer(argument)]
        return [
            *(f"{match[0]}: a template begins with a dot; write {{{{.{match['said']}}}}}" for match in dotless),
            *(f"{{{{.inputs.{name}}}}}: there is no such input; {said}" for name in asked if name not in there),
        ]

    def _output_problems(self) -> list[str]:
        kinds = {name: variable.type.to_flyte_idl() for name, variable in self.interface.outputs.items()}
        return [
            f"output {name}: a container writes files, directories, str, int, float or bool; declare a file, and read"
            " it in the next task"
            for name, kind in kinds.items()
            if not (
                kind.WhichOneof("type") == "blob" or (kind.WhichOneof("type") == "simple" and kind.simple in READABLE)
            )
        ]


def _word_problems(option: str, words: object) -> Iterator[str]:
    """What is wrong with a command, or with arguments: text is a sequence of letters to Python."""
    if isinstance(words, str):
        given = ["sh", "-c", words] if _OF_A_SHELL & set(words) else _split(words)
        yield f"{option}={words!r}: a list of words is needed; write {option}={given!r}"
    elif not isinstance(words, Sequence):
        yield f"{option}={words!r}: a list of words is needed; write such as {option}=['echo', 'hi']"
    else:
        for position, word in enumerate(words):
            if not isinstance(word, str):
                yield f"{option}[{position}]={word!r}: text is needed; write {str(word)!r}"


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quotation mark that nothing closes
        return text.split()


def _option_problems(options: Mapping[str, object]) -> Iterator[str]:
    for name, value in options.items():
        if name in OPTIONS:
            continue
        if name in _METADATA:
            yield f"{name}={value!r}: give metadata=TaskMetadata({name}={value!r})"
        else:
            yield f"{name}={value!r}: {no_such(name, _KNOWN)}"


_METADATA = frozenset(inspect.signature(TaskMetadata).parameters)
_KNOWN = (
    *(
        name
        for name, parameter in inspect.signature(AWSBatchContainerTask.__init__).parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    ),
    "shared_memory",
)
