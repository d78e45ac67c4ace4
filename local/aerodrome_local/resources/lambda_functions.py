"""AWS Lambda: a function's network and a mapping's tags, which MiniStack drops, and a function's output and crashes.

A function runs on this machine, whatever its network says.
"""

import logging
from typing import Any

from aerodrome_local.ministack_private import fail_custom_resources_of_crashed_functions, on_lambda_output
from aerodrome_local.resources.conversion import boolean, tag_map
from aerodrome_local.runtime import Properties, Runtime

logger = logging.getLogger("lambda-output")


def install(runtime: Runtime) -> None:
    """Register the hooks."""

    def complete(name: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        given = properties.get("VpcConfig")
        client = runtime.client("lambda")
        present = client.get_function_configuration(FunctionName=name).get("VpcConfig", {})
        if given is None and not present.get("SubnetIds"):
            return
        network: dict[str, Any] = {
            "SubnetIds": (given or {}).get("SubnetIds", []),
            "SecurityGroupIds": (given or {}).get("SecurityGroupIds", []),
        }
        if given is not None and "Ipv6AllowedForDualStack" in given:
            network["Ipv6AllowedForDualStack"] = boolean(given["Ipv6AllowedForDualStack"])
        client.update_function_configuration(FunctionName=name, VpcConfig=network)

    def tag(_mapping: str, properties: Properties, attributes: dict[str, Any]) -> None:
        client, arn = runtime.client("lambda"), attributes["EventSourceMappingArn"]
        wanted, present = tag_map(properties.get("Tags")), client.list_tags(Resource=arn).get("Tags", {})
        if surplus := [key for key in present if key not in wanted]:
            client.untag_resource(Resource=arn, TagKeys=surplus)
        if wanted:
            client.tag_resource(Resource=arn, Tags=wanted)

    def log(function: str, text: str) -> None:
        for line in text.splitlines():
            logger.info("%s: %s", function, line)

    on_lambda_output(log)
    fail_custom_resources_of_crashed_functions()
    runtime.on_create("AWS::Lambda::Function", complete)
    runtime.on_create("AWS::Lambda::EventSourceMapping", tag)
