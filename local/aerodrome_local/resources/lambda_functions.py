"""AWS Lambda: the network of a function, which MiniStack drops. The function runs on this machine whatever it says."""

from typing import Any

from aerodrome_local.resources.conversion import boolean
from aerodrome_local.runtime import Properties, Runtime


def install(runtime: Runtime) -> None:
    """Register the hook."""

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

    runtime.on_create("AWS::Lambda::Function", complete)
