"""AWS Lambda: a function's network and dead letters and a mapping's tags, which MiniStack drops; output; crashes.

A function runs on this machine, whatever its network says.
"""

import logging
from typing import Any

from aerodrome_local.ministack_private import fail_custom_resources_of_crashed_functions, on_lambda_output
from aerodrome_local.resources.conversion import boolean, tag_map
from aerodrome_local.resources.lambda_private import gather_batches_of_queues
from aerodrome_local.runtime import Properties, Runtime

logger = logging.getLogger("lambda-output")


def install(runtime: Runtime) -> None:
    """Register the hooks."""

    def complete(name: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        client = runtime.client("lambda")
        present = client.get_function_configuration(FunctionName=name)
        changes: dict[str, Any] = {}
        network, dead_letters = properties.get("VpcConfig"), properties.get("DeadLetterConfig")
        if network is not None or present.get("VpcConfig", {}).get("SubnetIds"):
            changes["VpcConfig"] = _network(network or {})
        if dead_letters is not None or present.get("DeadLetterConfig", {}).get("TargetArn"):
            changes["DeadLetterConfig"] = {"TargetArn": (dead_letters or {}).get("TargetArn", "")}
        if changes:
            client.update_function_configuration(FunctionName=name, **changes)

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
    gather_batches_of_queues(runtime.on_event_loop)
    runtime.on_create("AWS::Lambda::Function", complete)
    runtime.on_create("AWS::Lambda::EventSourceMapping", tag)


def _network(given: dict[str, Any]) -> dict[str, Any]:
    network = {name: given.get(name, []) for name in ("SubnetIds", "SecurityGroupIds")}
    if "Ipv6AllowedForDualStack" in given:
        network["Ipv6AllowedForDualStack"] = boolean(given["Ipv6AllowedForDualStack"])
    return network
