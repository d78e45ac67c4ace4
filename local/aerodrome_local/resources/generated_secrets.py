"""Generated secrets with the characters that the template asks for.

MiniStack's handler of AWS::SecretsManager::Secret heeds only PasswordLength and ExcludeCharacters of
GenerateSecretString, so that a password "without punctuation" has some, which RDS and connection strings refuse.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services.secretsmanager import _get_random_password as get_random_password

from aerodrome_local.resources.conversion import boolean
from aerodrome_local.resources.rds_private import replace_in_cloudformation
from aerodrome_local.runtime import Properties, Runtime

_FLAGS = (
    "ExcludeLowercase",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "IncludeSpace",
    "RequireEachIncludedType",
)


def install(_runtime: Runtime) -> None:
    """Let the API's own generator, which heeds everything, make the passwords."""
    replace_in_cloudformation("_sm_secret_string", _generating)


def _generating(built_in: Callable[[Properties], str]) -> Callable[[Properties], str]:
    def secret_string(properties: Properties) -> str:
        generate = properties.get("GenerateSecretString")
        if not generate or properties.get("SecretString"):
            return built_in(properties)
        password = _password(generate)
        if "SecretStringTemplate" not in generate:
            return password
        fields: dict[str, Any] = json.loads(generate["SecretStringTemplate"])
        return json.dumps({**fields, generate["GenerateStringKey"]: password})

    return secret_string


def _password(generate: Properties) -> str:
    request: dict[str, Any] = {name: boolean(generate[name]) for name in _FLAGS if name in generate}
    request["PasswordLength"] = int(generate.get("PasswordLength", 32))
    request["ExcludeCharacters"] = generate.get("ExcludeCharacters", "")
    status, _, body = get_random_password(request)
    answer = json.loads(body)
    if status >= 400:  # noqa: PLR2004 - HTTP
        raise ValueError(f"GenerateSecretString: {answer.get('message') or answer.get('Message')}")
    return str(answer["RandomPassword"])
