"""AWS Secrets Manager: resource policies and rotation schedules.

A schedule is recorded; no time makes a rotation begin. It does when it is asked for, through the API or because the
schedule says that it begins at once, and it runs: :mod:`aerodrome_local.resources.secret_rotation`.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.ministack_private import resolve_secret
from aerodrome_local.resources import secret_rotation
from aerodrome_local.resources.conversion import boolean, pick
from aerodrome_local.runtime import Created, Properties, Runtime


def install(runtime: Runtime) -> None:
    """Register the types."""
    secret_rotation.install(runtime)
    secrets = _SecretsManager(runtime)
    runtime.resource(
        "AWS::SecretsManager::ResourcePolicy",
        create=secrets.create_policy,
        update=secrets.update_policy,
        delete=secrets.delete_policy,
        replaces=("SecretId",),
    )
    runtime.resource(
        "AWS::SecretsManager::RotationSchedule",
        create=secrets.create_rotation,
        update=secrets.update_rotation,
        delete=secrets.delete_rotation,
        replaces=("SecretId",),
    )


class _SecretsManager:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def create_policy(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        result = self._runtime.client("secretsmanager").put_resource_policy(
            SecretId=properties["SecretId"],
            ResourcePolicy=json.dumps(properties["ResourcePolicy"]),
            BlockPublicPolicy=boolean(properties.get("BlockPublicPolicy", True)),
        )
        return result["ARN"], {"Id": result["ARN"]}

    def update_policy(self, _physical_id: str, _old: Properties, new: Properties, stack_name: str) -> Created:
        return self.create_policy("", new, stack_name)

    def delete_policy(self, _physical_id: str, properties: Properties) -> None:
        try:
            self._runtime.client("secretsmanager").delete_resource_policy(SecretId=properties["SecretId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise

    def create_rotation(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        if "HostedRotationLambda" in properties:
            raise ValueError(
                "HostedRotationLambda needs the transform AWS::SecretsManager-2024-09-16, which the embedded AWS does "
                "not have: name a function with RotationLambdaARN"
            )
        fields = {"RotationEnabled": True, **pick(properties, "RotationLambdaARN", "RotationRules")}
        arn = self._change(properties["SecretId"], fields)
        if boolean(properties.get("RotateImmediatelyOnUpdate", True)):
            self._runtime.client("secretsmanager").rotate_secret(SecretId=arn)
        return properties["SecretId"], {"Id": arn}

    def update_rotation(self, _physical_id: str, _old: Properties, new: Properties, stack_name: str) -> Created:
        return self.create_rotation("", new, stack_name)

    def delete_rotation(self, physical_id: str, _properties: Properties) -> None:
        self._change(physical_id, {"RotationEnabled": False, "RotationLambdaARN": None, "RotationRules": None})

    def _change(self, secret_id: str, fields: dict[str, Any]) -> str:
        def change() -> str:
            _, secret = resolve_secret(secret_id)
            if secret is None:
                return secret_id
            for name, value in fields.items():
                if value is None:
                    secret.pop(name, None)
                else:
                    secret[name] = value
            return str(secret["ARN"])

        return self._runtime.on_event_loop(change)
