# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from collections.abc import Callable
from typing import TypeVar

from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.core.base_task import PythonTask
from flytekit.core.resources import ResourceSpec
from flytekit.image_spec.image_spec import ImageSpec
from flytekit.models.task import Container

_C = TypeVar("_C")

class PythonAutoContainerTask(PythonTask[_C]):
    @property
    def resources(self) -> ResourceSpec: ...
    def get_default_command(self, settings: SerializationSettings) -> list[str]: ...
    def set_command_fn(self, get_command_fn: Callable[[SerializationSettings], list[str]] | None = None) -> None: ...
    def reset_command_fn(self) -> None: ...
    def get_container(self, settings: SerializationSettings) -> Container: ...

def get_registerable_container_image(img: str | ImageSpec | None, cfg: ImageConfig | None) -> str: ...
