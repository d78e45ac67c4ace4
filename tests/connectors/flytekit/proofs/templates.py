"""Tasks of the proofs, as they are registered. Their jobs are small programs, since thousands of them run here."""

from collections import OrderedDict

from flyteidl.core import tasks_pb2
from flytekit import Resources
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable

from flytekit_aws_batch import AWSBatch, AWSBatchContainerTask
from flytekit_aws_batch.config import Mapped

IMAGE = "tests/proofs:1"
_SETTINGS = SerializationSettings(ImageConfig(Image("default", "tests/proofs", tag="1")), "proofs", "development", "1")


def container(name: str, *command: str, retries: int = 0, config: AWSBatch | None = None) -> tasks_pb2.TaskTemplate:
    """A task that runs a command."""
    task = AWSBatchContainerTask(
        name=name,
        image=IMAGE,
        command=command,
        task_config=config or AWSBatch(),
        limits=Resources(cpu="1", mem="64Mi"),
    )
    task.metadata.retries = retries
    return get_serializable(OrderedDict(), _SETTINGS, task).template.to_flyte_idl()


def mapped(template: tasks_pb2.TaskTemplate, mapped_over: Mapped) -> tasks_pb2.TaskTemplate:
    """The same command for each element of a list, whose output it writes itself."""
    template.custom.update({"mapped": mapped_over.model_dump(mode="json", exclude_defaults=True)})
    return template
