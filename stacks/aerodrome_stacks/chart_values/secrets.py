"""Values of ``charts/aerodrome-secrets``: which secrets a namespace takes from AWS Secrets Manager."""

from collections.abc import Mapping
from dataclasses import dataclass

from aerodrome_constructs.helm import Value
from aerodrome_stacks.environment import Environment


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where the value of one key of a Kubernetes secret comes from.

    Attributes:
        secret: Name or ARN of the secret in AWS Secrets Manager.
        json_property: The property to take where the secret is a JSON object; ``None`` takes all of it.
    """

    secret: str
    json_property: str | None = None


def secrets(environment: Environment, by_name: Mapping[str, Mapping[str, SecretSource]]) -> dict[str, Value]:
    """Values of one release of ``charts/aerodrome-secrets``.

    Args:
        environment: The environment.
        by_name: Kubernetes secrets by name, each with its keys and where their values come from.
    """
    return {
        "region": environment.region,
        "secrets": {name: {key: _source(source) for key, source in keys.items()} for name, keys in by_name.items()},
    }


def _source(source: SecretSource) -> dict[str, Value]:
    if source.json_property is None:
        return {"secret": source.secret}
    return {"secret": source.secret, "property": source.json_property}
