"""Amazon SNS: the key of a topic, which MiniStack drops."""

from typing import Any

from aerodrome_local.runtime import Properties, Runtime


def install(runtime: Runtime) -> None:
    """Register the hook."""

    def complete(topic_arn: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        # An empty value takes the key away again, as a template without one does.
        runtime.client("sns").set_topic_attributes(
            TopicArn=topic_arn,
            AttributeName="KmsMasterKeyId",
            AttributeValue=properties.get("KmsMasterKeyId", ""),
        )

    runtime.on_create("AWS::SNS::Topic", complete)
