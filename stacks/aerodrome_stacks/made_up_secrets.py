"""Secrets that Secrets Manager makes up: the same at every synth, and in no template."""

import json
from dataclasses import dataclass

from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import SECRET_ROTATION, STATEFUL_RETAINED


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUpSecret:
    """A secret that nobody chooses.

    Attributes:
        name: Its name in Secrets Manager.
        description: What it is for.
        key: Encrypts it.
        not_rotated: Why nothing changes it.
        not_retained: Why nothing is lost when it goes with its stack.
        length: Its characters, letters and digits.
        username: A user name that stands beside it, as ``username``, with the secret as ``password``. Default: the
            secret is all there is.
    """

    name: str
    description: str
    key: kms.IKey
    not_rotated: str
    not_retained: str
    length: int = 32
    username: str | None = None


def made_up_secret(scope: Construct, construct_id: str, props: MadeUpSecret) -> secretsmanager.Secret:
    """Make the secret."""
    user = props.username
    secret = secretsmanager.Secret(
        scope,
        construct_id,
        secret_name=props.name,
        description=props.description,
        encryption_key=props.key,
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=None if user is None else json.dumps({"username": user}),
            generate_string_key=None if user is None else "password",
            password_length=props.length,
            exclude_punctuation=True,
        ),
    )
    acknowledge(secret, SECRET_ROTATION, reason=props.not_rotated)
    acknowledge(secret, STATEFUL_RETAINED, reason=props.not_retained)
    return secret
