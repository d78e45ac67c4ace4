# As much of flytekit as the connector for AWS Batch uses: connectors/flytekit_aws_batch.

class TaskPlugins:
    @classmethod
    def register_pythontask_plugin(cls, plugin_config_type: type, plugin: type) -> None: ...
