"""Values of ``charts/flyte-core`` about sign-on: who is let in, and as whom Flyte's own components come.

Read in Flyte v1.16.8. flyteadmin takes a token whose signature is the issuer's, whose ``aud`` it knows, and whose
``scp`` names the scope ``all`` (``resource_server.go`` and ``interceptor.go`` in ``flyteadmin/auth``). It gives
flytectl and pyflyte their client, and tells them where the issuer is. flytepropeller and the scheduler ask the issuer
for tokens by themselves (``flyteidl/clients/go/admin/token_source_provider.go``).
"""

from collections.abc import Mapping
from typing import Final

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.secrets import SecretKeys
from aerodrome_stacks.sign_on import USER_SCOPES, SignOnPorts
from aerodrome_stacks.sign_on_stack import CLI_CALLBACK_URL

AUTH_SECRET = "flyte-secret-auth"  # noqa: S105 - the name of a Secret, which the chart's templates fix
"""The Secret with the client secret of Flyte's own components, under the key :data:`CLIENT_SECRET`."""

OIDC_SECRET = "flyte-oidc"  # noqa: S105 - a name
"""The Secret with the secret of the client that people sign in with, under the key :data:`CLIENT_SECRET`. Flyte's own
components do not see it."""

CLIENT_SECRET: Final = "client_secret"  # noqa: S105 - the name of a key, which the chart's templates fix
"""The key of both, and so the name of the file."""

_OIDC_DIRECTORY = "/etc/oidc"


def sign_on(url: str, ports: SignOnPorts) -> dict[str, Value]:
    """Who is let in.

    Args:
        url: Where people reach Flyte, without a slash at its end.
        ports: The issuer and the clients.
    """
    return {
        "flyteadmin": {
            "additionalVolumes": [{"name": "oidc", "secret": {"secretName": OIDC_SECRET}}],
            "additionalVolumeMounts": [{"name": "oidc", "mountPath": _OIDC_DIRECTORY, "readOnly": True}],
        },
        # Enabled, the chart mounts the Secret into flytepropeller and the scheduler, whose pods wait until it is there.
        "secrets": {"adminOauthClientCredentials": {"enabled": True, "clientId": ports.service_client_id}},
        "configmap": {
            "adminServer": {
                # The browser sends its cookies for whatever origin may ask; the chart's default is every one.
                "server": {"security": {"useAuth": True, "allowedOrigins": [url]}},
                "auth": _auth(url, ports),
            },
            # Without scopes of their own, flytepropeller and the scheduler ask for those of flytectl. A person's, such
            # as `openid`, are refused to a client that comes for itself.
            "admin": {"admin": {"scopes": list(ports.scopes), **_audience(ports)}},
        },
    }


def sign_on_secrets(ports: SignOnPorts) -> Mapping[str, SecretKeys]:
    """The Secrets that these values name, and where what is in them comes from."""
    return {
        AUTH_SECRET: {CLIENT_SECRET: ports.service_client_secret},
        OIDC_SECRET: {CLIENT_SECRET: ports.client_secret},
    }


def _auth(url: str, ports: SignOnPorts) -> dict[str, Value]:
    return {
        "authorizedUris": [url, "http://flyteadmin:80", "http://flyteadmin.flyte.svc.cluster.local:80"],
        "appAuth": {
            # The provider issues the tokens of programs, too. flyteadmin's own server ("Self") knows its clients by
            # hashes in a ConfigMap, of which the default is that of a published password.
            "authServerType": "External",
            "externalAuthServer": {
                "baseUrl": ports.issuer,
                # By default flyteadmin asks for /.well-known/oauth-authorization-server, which not every issuer has
                # (Amazon Cognito does not). Of either document it reads `jwks_uri`, and it hands the rest to flytectl.
                "metadataUrl": ports.metadata_url,
                "allowedAudience": list(ports.audiences),
            },
            "thirdPartyConfig": {
                "flyteClient": {
                    "clientId": ports.cli_client_id,
                    "redirectUri": CLI_CALLBACK_URL,
                    "scopes": list(ports.cli_scopes),
                    **_audience(ports),
                }
            },
        },
        "userAuth": {
            "openId": {
                # Has to be what stands in the discovery document and in `iss`, letter for letter.
                "baseUrl": ports.issuer,
                "clientId": ports.client_id,
                # A file of our own: the chart's Secret flyte-admin-secrets would take the value itself.
                "clientSecretFile": f"{_OIDC_DIRECTORY}/{CLIENT_SECRET}",
                "scopes": list(USER_SCOPES),
            }
        },
    }


def _audience(ports: SignOnPorts) -> dict[str, Value]:
    # Sent with each request for a token: of flytectl and pyflyte, which flyteadmin tells, and of Flyte's components.
    return {} if ports.audience is None else {"audience": ports.audience}
