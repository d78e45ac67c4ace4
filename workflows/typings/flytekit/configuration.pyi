# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from typing import Self

class Image:
    def __init__(self, name: str, fqn: str, tag: str | None = None) -> None: ...

class ImageConfig:
    def __init__(self, default_image: Image | None = None) -> None: ...
    @classmethod
    def auto(cls, *, img_name: str | None = None) -> Self: ...
    @classmethod
    def auto_default_image(cls) -> Self: ...

class FastSerializationSettings:
    def __init__(
        self, enabled: bool = False, destination_dir: str | None = None, distribution_location: str | None = None
    ) -> None: ...

class SerializationSettings:
    image_config: ImageConfig | None
    env: dict[str, str] | None
    def __init__(
        self,
        image_config: ImageConfig,
        project: str | None = None,
        domain: str | None = None,
        version: str | None = None,
        fast_serialization_settings: FastSerializationSettings | None = None,
        source_root: str | None = None,
    ) -> None: ...
    def should_fast_serialize(self) -> bool: ...
