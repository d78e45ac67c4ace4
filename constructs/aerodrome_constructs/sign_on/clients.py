"""What asks a directory for tokens: browsers' applications, command lines and machines."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager

from aerodrome_constructs.policy import acknowledge
from aerodrome_constructs.policy.known_rules import SECRET_ROTATION
from aerodrome_constructs.sign_on.directory import Directory

# A token that is lost is good for an hour at most, and nobody signs in more than once in a working day.
_TOKEN_MINUTES = 60
_SESSION_HOURS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidentialClient:
    """A client with a secret.

    Attributes:
        client_id: The client's ID.
        secret_name: The name of the secret in Secrets Manager, which holds the client's secret and nothing else.
    """

    client_id: str
    secret_name: str


def browser_client(
    directory: Directory,
    construct_id: str,
    *,
    name: str,
    callback_urls: Sequence[str],
    scopes: Sequence[str],
    secret_name: str,
    secrets_key: kms.IKey,
) -> ConfidentialClient:
    """Make the client of web applications, which send people to the sign-in page and exchange codes for tokens.

    Args:
        directory: The directory.
        construct_id: The client's ID there.
        name: Its name, as the console shows it.
        callback_urls: Where people may be sent back to.
        scopes: What it may ask for.
        secret_name: Where its secret is kept.
        secrets_key: The key that encrypts the secret.
    """
    client = _client(
        directory, construct_id, name=name, flow="code", scopes=scopes, callback_urls=callback_urls, secret=True
    )
    return _confidential(client, secret_name=secret_name, secrets_key=secrets_key)


def command_line_client(
    directory: Directory, construct_id: str, *, name: str, callback_url: str, scopes: Sequence[str]
) -> str:
    """Make the client of programs on people's machines, which have no secret and prove who asked with PKCE (RFC 7636).

    Args:
        directory: The directory.
        construct_id: The client's ID there.
        name: Its name, as the console shows it.
        callback_url: Where the program waits on the person's machine.
        scopes: What it may ask for.

    Returns:
        The client's ID.
    """
    client = _client(
        directory, construct_id, name=name, flow="code", scopes=scopes, callback_urls=[callback_url], secret=False
    )
    return client.ref


def machine_client(
    directory: Directory, construct_id: str, *, name: str, secret_name: str, secrets_key: kms.IKey
) -> ConfidentialClient:
    """Make the client of a program that asks on behalf of nobody (client credentials), for the directory's API alone.

    Args:
        directory: The directory.
        construct_id: The client's ID there.
        name: Its name, as the console shows it.
        secret_name: Where its secret is kept.
        secrets_key: The key that encrypts the secret.
    """
    client = _client(
        directory,
        construct_id,
        name=name,
        flow="client_credentials",
        scopes=[directory.api_scope],
        callback_urls=None,
        secret=True,
    )
    return _confidential(client, secret_name=secret_name, secrets_key=secrets_key)


def _client(
    directory: Directory,
    construct_id: str,
    *,
    name: str,
    flow: str,
    scopes: Sequence[str],
    callback_urls: Sequence[str] | None,
    secret: bool,
) -> cognito.CfnUserPoolClient:
    client = cognito.CfnUserPoolClient(
        directory,
        construct_id,
        user_pool_id=directory.pool.ref,
        client_name=name,
        generate_secret=secret,
        allowed_o_auth_flows_user_pool_client=True,
        allowed_o_auth_flows=[flow],
        allowed_o_auth_scopes=[*scopes],
        callback_ur_ls=[*callback_urls] if callback_urls else None,
        supported_identity_providers=["COGNITO"],
        # Nobody hands a password to a client: people give it to the sign-in page alone.
        explicit_auth_flows=["ALLOW_REFRESH_TOKEN_AUTH"],
        prevent_user_existence_errors="ENABLED",
        enable_token_revocation=True,
        access_token_validity=_TOKEN_MINUTES,
        id_token_validity=_TOKEN_MINUTES,
        refresh_token_validity=_SESSION_HOURS,
        token_validity_units=cognito.CfnUserPoolClient.TokenValidityUnitsProperty(
            access_token="minutes",  # noqa: S106 - a unit
            id_token="minutes",  # noqa: S106 - a unit
            refresh_token="hours",  # noqa: S106 - a unit
        ),
    )
    # Cognito refuses a client with a scope that is not there yet.
    client.add_resource_dependency(directory.resource_server)
    return client


def _confidential(client: cognito.CfnUserPoolClient, *, secret_name: str, secrets_key: kms.IKey) -> ConfidentialClient:
    secret = secretsmanager.Secret(
        client,
        "Secret",
        secret_name=secret_name,
        description=f"Secret of the client {client.client_name}",
        encryption_key=secrets_key,
        secret_string_value=cdk.SecretValue.resource_attribute(client.attr_client_secret),
        # Not when its creation is rolled back: its name would be taken at the next try.
        removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )
    acknowledge(
        secret,
        SECRET_ROTATION,
        reason="Cognito makes a client's secret, and a second one for a person who asks: it knows no schedule",
    )
    return ConfidentialClient(client_id=client.ref, secret_name=secret_name)
