"""One sign-on for people and programs: what Flyte, MLflow and Grafana know of the issuer of tokens."""

from dataclasses import dataclass
from typing import Self

from aerodrome_stacks.chart_values.secrets import SecretSource
from aerodrome_stacks.environment.people import Oidc

USER_SCOPES = ("openid", "profile", "email")
"""What a person's sign-in in a browser asks for. Every OpenID provider knows them (OpenID Connect Core 1.0, 5.4)."""

FLYTE_SCOPE = "all"
"""What has to stand in ``scp`` of an access token for Flyte. One that has ``client_id`` or ``scp``, and not this, it
refuses (``verifyClaims`` and ``BlanketAuthorization`` in flyteadmin/auth at v1.16.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOnPorts:
    """The issuer of tokens, and the platform's clients there.

    Attributes:
        issuer: What stands in ``iss`` of its tokens.
        metadata_url: The issuer's discovery document (OpenID Connect Discovery 1.0).
        audiences: What may stand in ``aud`` of an access token for the platform. At least one.
        client_id: The confidential client with which people sign in to the three web interfaces.
        client_secret: Where its secret is.
        cli_client_id: The public client of flytectl and pyflyte, which use PKCE and have no secret.
        service_client_id: The confidential client of Flyte's own components, which use client credentials.
        service_client_secret: Where its secret is.
        authorization_url: Where a browser is sent to sign in.
        token_url: Where codes and client credentials become tokens.
        userinfo_url: Where an access token becomes a person's claims.
        jwks_url: The public keys that tokens are signed with.
        groups_claim: The claim with a person's groups.
        admin_group: The group whose members administer Grafana. None: nobody does by sign-on; all may view.
        scopes: What an access token for Flyte's API is asked for with: those of Flyte's own components and of pipelines
            with nothing else, those of flytectl and pyflyte with ``USER_SCOPES``. :data:`FLYTE_SCOPE`, as the issuer
            spells it.
        audience: What programs and command lines ask for a token for, where the issuer gives one to nobody who does not
            say (``audience`` in the request, as Auth0 wants it). Others do not read it. None: it is not sent.
    """

    issuer: str
    metadata_url: str
    audiences: tuple[str, ...]
    client_id: str
    client_secret: SecretSource
    cli_client_id: str
    service_client_id: str
    service_client_secret: SecretSource
    authorization_url: str
    token_url: str
    userinfo_url: str
    jwks_url: str
    groups_claim: str
    admin_group: str | None
    scopes: tuple[str, ...]
    audience: str | None = None

    @property
    def cli_scopes(self) -> tuple[str, ...]:
        """What flytectl and pyflyte ask for on behalf of a person."""
        return (*USER_SCOPES, *self.scopes)

    @classmethod
    def of_company(cls, oidc: Oidc) -> Self:
        """The company's own issuer, as the environment describes it."""
        return cls(
            issuer=oidc.issuer,
            metadata_url=metadata_url(oidc.issuer),
            audiences=(oidc.audience,),
            client_id=oidc.client_id,
            client_secret=SecretSource(oidc.client_secret_name),
            cli_client_id=oidc.cli_client_id,
            service_client_id=oidc.service_client_id,
            service_client_secret=SecretSource(oidc.service_client_secret_name),
            authorization_url=oidc.endpoints.authorization,
            token_url=oidc.endpoints.token,
            userinfo_url=oidc.endpoints.userinfo,
            jwks_url=oidc.endpoints.jwks,
            groups_claim=oidc.groups_claim,
            admin_group=oidc.admin_group,
            scopes=(FLYTE_SCOPE,),
            audience=oidc.audience,
        )


def metadata_url(issuer: str) -> str:
    """Where an issuer's discovery document is.

    Args:
        issuer: What stands in ``iss``. A slash at its end is not part of the path (OpenID Connect Discovery 1.0, 4.1).
    """
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"
