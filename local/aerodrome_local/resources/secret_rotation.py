"""Rotations of AWS Secrets Manager that run, where MiniStack only moves labels.

The function of the secret is called four times, as the Secrets Manager User Guide has it ("Lambda rotation function"):
``createSecret``, ``setSecret``, ``testSecret``, ``finishSecret``. A step that fails ends the rotation; the version
stays pending, and the next request takes it up again.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import error_response_json, json_response

from aerodrome_local.ministack_private import (
    find_stage_version,
    remove_stage_everywhere,
    replace_in_secrets_manager,
    resolve_secret,
)
from aerodrome_local.runtime import Response, Runtime, current_account, current_region

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")

Request = dict[str, Any]
Action = Callable[[Request], Response]

logger = logging.getLogger("aerodrome_local")


def install(runtime: Runtime) -> None:
    """Put the actions in place."""
    rotations = _Rotations(runtime)
    replace_in_secrets_manager("_rotate_secret", lambda built_in: lambda data: rotations.rotate(data, built_in))
    replace_in_secrets_manager("_get_secret_value", _without_empty_versions)
    replace_in_secrets_manager("_put_secret_value", _moving_labels)


class _Rotations:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def rotate(self, data: Request, built_in: Action) -> Response:
        """RotateSecret. It answers when the rotation has begun, not when it is done."""
        _, secret = resolve_secret(data.get("SecretId"))
        if not secret or secret.get("DeletedDate") or secret.get("_PrimaryRegion"):
            return built_in(data)  # which says what is wrong
        function = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
        if not function:
            return _refuse("No Lambda rotation function ARN is associated with this secret.")
        rules = data.get("RotationRules") or secret.get("RotationRules")
        secret.update({"RotationLambdaARN": function, "RotationRules": rules, "RotationEnabled": True})
        answer = {"ARN": secret["ARN"], "Name": secret["Name"]}
        if data.get("RotateImmediately") is False:
            return _answer(answer)
        token = data.get("ClientRequestToken") or str(uuid.uuid4())
        pending, version = find_stage_version(secret, "AWSPENDING")
        if version and "AWSCURRENT" not in version["Stages"] and pending != token:
            self._begin(secret["ARN"], pending, function)
            return _refuse("A previous rotation isn't complete. That rotation will be reattempted.")
        if token not in secret["Versions"]:
            remove_stage_everywhere(secret, "AWSPENDING")
            secret["Versions"][token] = {
                "SecretString": None,
                "SecretBinary": None,
                "CreatedDate": int(time.time()),
                "Stages": ["AWSPENDING"],
            }
        self._begin(secret["ARN"], token, function)
        return _answer({**answer, "VersionId": token})

    def _begin(self, arn: str, token: str, function: str) -> None:
        # This is the event loop: the function's calls of Secrets Manager come back to it.
        client = self._runtime.client("lambda", current_account(), current_region())
        threading.Thread(
            target=_run, args=(client, arn, token, function), name=f"rotation-{token}", daemon=True
        ).start()


def _run(client: Any, arn: str, token: str, function: str) -> None:  # noqa: ANN401 - boto3 makes the class at run time
    for step in STEPS:
        event = {"Step": step, "SecretId": arn, "ClientRequestToken": token}
        try:
            answer = client.invoke(FunctionName=function, Payload=json.dumps(event))
            problem = answer["Payload"].read().decode() if "FunctionError" in answer else ""
        except (BotoCoreError, ClientError) as error:
            problem = str(error)
        if problem:
            logger.error("rotation of %s: %s failed: %s", arn, step, problem)
            return


def _without_empty_versions(built_in: Action) -> Action:
    """GetSecretValue, which on AWS does not find a version whose value has not been put yet."""

    def get_secret_value(data: Request) -> Response:
        response = built_in(data)
        status, _, body = response
        if status == 200 and not {"SecretString", "SecretBinary"} & json.loads(body).keys():  # noqa: PLR2004 - HTTP
            which = data.get("VersionId") or data.get("VersionStage")
            message = f"Secrets Manager can't find the specified secret value for VersionId: {which}"
            return _error("ResourceNotFoundException", message)
        return response

    return get_secret_value


def _moving_labels(built_in: Action) -> Action:
    """PutSecretValue, which on AWS takes a label from the version that has it: only one can."""

    def put_secret_value(data: Request) -> Response:
        response = built_in(data)
        _, secret = resolve_secret(data.get("SecretId"))
        if secret and response[0] == 200:  # noqa: PLR2004 - HTTP
            put = json.loads(response[2])
            for stage in put["VersionStages"]:
                remove_stage_everywhere(secret, stage, except_version_id=put["VersionId"])
        return response

    return put_secret_value


def _answer(content: dict[str, Any]) -> Response:
    response: Response = json_response(content)
    return response


def _refuse(message: str) -> Response:
    return _error("InvalidRequestException", message)


def _error(code: str, message: str) -> Response:
    response: Response = error_response_json(code, message, 400)
    return response
