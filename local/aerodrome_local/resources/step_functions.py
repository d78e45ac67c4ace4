"""AWS Step Functions: a state machine's logging, which MiniStack keeps in CloudFormation's spelling, and its stopping.

What its tasks do with jobs is in :mod:`aerodrome_local.batch_service.step_functions`.
"""

from typing import Any

from aerodrome_local.resources import step_functions_private
from aerodrome_local.resources.conversion import boolean, camel
from aerodrome_local.runtime import Properties, Runtime


def install(runtime: Runtime) -> None:
    """Register the hook, and mend how an execution is stopped."""

    def complete(arn: str, properties: Properties, _attributes: dict[str, Any]) -> None:
        logging: dict[str, Any] = {"level": "OFF", **camel(properties.get("LoggingConfiguration") or {})}
        logging["includeExecutionData"] = boolean(logging.get("includeExecutionData", False))
        runtime.client("stepfunctions").update_state_machine(stateMachineArn=arn, loggingConfiguration=logging)

    step_functions_private.keep_stopped_executions()
    runtime.on_create("AWS::StepFunctions::StateMachine", complete)
