# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from enum import Enum

class Secret:
    def __init__(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | None = None,
        mount_requirement: MountType = ...,
        env_var: str | None = None,
    ) -> None: ...
    class MountType(Enum):
        ANY = 0
        ENV_VAR = 1
        FILE = 2

    group: str | None
    key: str | None
    group_version: str | None
    mount_requirement: MountType
    env_var: str | None

class Identity:
    iam_role: str | None
    def __init__(self, iam_role: str | None = None) -> None: ...

class SecurityContext: ...
