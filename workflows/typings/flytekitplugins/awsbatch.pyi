from collections.abc import Mapping

class AWSBatchConfig:
    def __init__(
        self,
        parameters: Mapping[str, str] | None = None,
        schedulingPriority: int | None = None,  # noqa: N803 - AWS's name
        platformCapabilities: str = "EC2",  # noqa: N803 - AWS's name
        propagateTags: bool | None = None,  # noqa: N803 - AWS's name
        tags: Mapping[str, str] | None = None,
    ) -> None: ...
