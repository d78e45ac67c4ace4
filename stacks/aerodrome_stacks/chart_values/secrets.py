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


@dataclass(frozen=True, slots=True)
class Certificates:
    """Certificates that go beside the values of a secret, into the same files. They are public.

    Attributes:
        pem: The certificates.
    """

    pem: str


SecretKeys = Mapping[str, SecretSource | Certificates]
"""The keys of one Kubernetes secret, each with what it holds."""

# A changed password is refused by the database at once, and every minute until clients have it counts. Prod has 7 keys:
# 7 x 43,200 reads a month at $0.05 for 10,000, and as many decryptions at $0.03, are $2.42.
_OFTEN = "1m"
_SELDOM = "1h"


def secrets(environment: Environment, by_name: Mapping[str, SecretKeys]) -> dict[str, Value]:
    """Values of one release of ``charts/aerodrome-secrets``.

    Args:
        environment: The environment.
        by_name: Kubernetes secrets by name, each with its keys and where their values come from.
    """
    return {
        "region": environment.region,
        "refreshInterval": _SELDOM if environment.database.password_rotation is None else _OFTEN,
        "secrets": {name: {key: _source(source) for key, source in keys.items()} for name, keys in by_name.items()},
    }


def _source(source: SecretSource | Certificates) -> dict[str, Value]:
    if isinstance(source, Certificates):
        return {"certificates": source.pem}
    if source.json_property is None:
        return {"secret": source.secret}
    return {"secret": source.secret, "property": source.json_property}
