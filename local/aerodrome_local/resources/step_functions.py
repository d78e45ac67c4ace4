"""AWS Step Functions: the logging of a state machine, which MiniStack keeps in CloudFormation's spelling."""

from typing import Any

from aerodrome_local.resources.conversion import boolean, camel
from aerodrome_local.runtime import Properties, Runtime


def install(runtime: Runtime) -> None:
    """Register the hook."""

    def complete(arn: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        logging: dict[str, Any] = {"level": "OFF", **camel(properties.get("LoggingConfiguration") or {})}
        logging["includeExecutionData"] = boolean(logging.get("includeExecutionData", False))
        runtime.client("stepfunctions").update_state_machine(stateMachineArn=arn, loggingConfiguration=logging)

    runtime.on_create("AWS::StepFunctions::StateMachine", complete)
