# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

from collections.abc import Sequence

class _Parameter:
    name: str

class _Command:
    params: list[_Parameter]
    def main(self, args: Sequence[str], standalone_mode: bool) -> object: ...

execute_task_cmd: _Command
