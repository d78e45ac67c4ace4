"""The proxy in front of MLflow that lets nobody in without a valid token or session: OAuth2 Proxy, in each of its pods.

MLflow's own accounts are off: they would be one more list of people. Three kinds of callers come to the proxy, each
with something that an issuer elsewhere has signed:

- people, who are sent to the company's issuer to sign in, and have a session in a cookie afterwards;
- programs such as CI, with an access token of the same issuer in the ``Authorization`` header;
- Flyte's tasks and Prometheus, with a service account token of the cluster, whose audience is MLflow.

All that is asked of a token is that its issuer has signed it, for this audience, and that it has not expired. A service
account token has no e-mail address, and OAuth2 Proxy then takes the subject for one
(``pkg/apis/middleware/session.go``). Every domain of addresses is let in: which one it is decides nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.front_door import host
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.sign_on import USER_SCOPES, SignOnPorts

TASK_AUDIENCE = "mlflow"
"""The audience of the service account tokens with which tasks and Prometheus sign on."""

SECRET = "mlflow-sign-on"  # noqa: S105 - a Kubernetes secret's name
"""The Kubernetes secret with what the proxy must keep to itself."""

CLIENT_SECRET = "client-secret"  # noqa: S105 - a key in it
"""The key of the client's secret."""

COOKIE_SECRET = "cookie-secret"  # noqa: S105 - a key in it
"""The key of what sessions are encrypted with: 32 bytes."""

HEALTH = "/health"
"""MLflow's path that answers without sign-on: whether it lives, and nothing else."""

_PORT = 4180
_METRICS_PORT = 44180

# From this, a client (mlflow/store/artifact/mlflow_artifacts_repo.py) learns that the server hands out presigned URLs
# for files of 500 MiB and more. MLflow has no switch for it. A client that hears 404 sends all files through the
# server, as it does with a server from before the question; any other answer is an error to it.
_CAPABILITIES = "/api/3.0/mlflow/server-info"

# A folder that the image does not have: each path below it is a 404.
_NOWHERE = "file:///nowhere/"

_AWAIT_ISSUER = """\
import sys
import time
import urllib.request

while True:
    try:
        urllib.request.urlopen(sys.argv[1], timeout=5).close()
        break
    except OSError as error:
        print(f"no answer yet: {error}", flush=True)
        time.sleep(5)
"""

# Of a user that no image has, and nothing to be written to.
_RESTRICTED: Mapping[str, Value] = MappingProxyType(
    {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
    }
)


def sign_on_proxy(
    environment: Environment, *, image: str, server_port: int, sign_on: SignOnPorts, cluster_issuer: str
) -> dict[str, Value]:
    """The proxy's container.

    Args:
        environment: What the team decided.
        image: OAuth2 Proxy, with its tag.
        server_port: Where MLflow listens, on the pod's own loopback address.
        sign_on: The issuer of people's and programs' tokens.
        cluster_issuer: The issuer of the cluster's service account tokens, without ``https://``.
    """
    options = _options(environment, server_port=server_port, sign_on=sign_on, cluster_issuer=cluster_issuer)
    return {
        "name": "sign-on",
        "image": image,
        "args": [f"--{name}={value}" for name, values in options.items() for value in values],
        "env": [_from_secret("CLIENT_SECRET", CLIENT_SECRET), _from_secret("COOKIE_SECRET", COOKIE_SECRET)],
        "ports": [{"name": "sign-on-stats", "containerPort": _METRICS_PORT}],
        "livenessProbe": {"httpGet": {"path": "/ping", "port": _PORT}, "periodSeconds": 10},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": _PORT}, "periodSeconds": 10},
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
            "limits": {"memory": "256Mi", "ephemeral-storage": "256Mi"},
        },
        "securityContext": dict(_RESTRICTED),
    }


def await_issuer(*, image: str, cluster_issuer: str) -> dict[str, Value]:
    """A container that ends when the cluster's issuer answers, and before which the pod does not begin.

    The proxy asks that issuer once, as it starts, where its keys are. Left without an answer it takes a place for
    granted at which EKS has none (``pkg/validation/options.go``, ``newVerifierFromJwtIssuer``), and refuses every task
    until somebody starts it anew.

    Args:
        image: One with Python: MLflow's.
        cluster_issuer: The issuer of the cluster's service account tokens, without ``https://``.
    """
    return {
        "name": "await-issuer",
        "image": image,
        "command": ["python", "-c", _AWAIT_ISSUER, f"https://{cluster_issuer}/.well-known/openid-configuration"],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
            "limits": {"memory": "128Mi", "ephemeral-storage": "64Mi"},
        },
        "securityContext": dict(_RESTRICTED),
    }


def _options(
    environment: Environment, *, server_port: int, sign_on: SignOnPorts, cluster_issuer: str
) -> Mapping[str, tuple[str, ...]]:
    return {
        "http-address": (f"0.0.0.0:{_PORT}",),
        "metrics-address": (f"0.0.0.0:{_METRICS_PORT}",),
        "upstream": (f"http://127.0.0.1:{server_port}/", f"{_NOWHERE}#{_CAPABILITIES}"),
        # How long the server may take to answer once it has all of a request: it sends a large file on to S3 meanwhile.
        "upstream-timeout": ("10m",),
        **_of_people(environment, sign_on),
        **_of_programs(sign_on, cluster_issuer),
        "email-domain": ("*",),
        "insecure-oidc-allow-unverified-email": ("true",),
        # GET only, and this path only. Whoever may connect to the proxy may see it.
        "skip-auth-route": (f"GET=^{HEALTH}$",),
        # Whoever calls an API without signing on hears 401, not where to send a browser. The web interface calls
        # ajax-api.
        "api-route": ("^/(api|ajax-api)/", "^/metrics$"),
        "silence-ping-logging": ("true",),
        "exclude-logging-path": (HEALTH,),
    }


def _of_people(environment: Environment, sign_on: SignOnPorts) -> Mapping[str, tuple[str, ...]]:
    return {
        "provider": ("oidc",),
        "client-id": (sign_on.client_id,),
        "oidc-issuer-url": (sign_on.issuer,),
        # The environment knows these addresses: the proxy starts while the issuer is down, and knows its keys as soon
        # as it is back.
        "skip-oidc-discovery": ("true",),
        "login-url": (sign_on.authorization_url,),
        "redeem-url": (sign_on.token_url,),
        "profile-url": (sign_on.userinfo_url,),
        "oidc-jwks-url": (sign_on.jwks_url,),
        # What issuers sign with. Left out, it is RS256 alone where nothing is discovered.
        "oidc-enabled-signing-alg": ("RS256", "ES256"),
        "redirect-url": (f"https://{host(environment, 'mlflow')}/oauth2/callback",),
        "scope": (" ".join(USER_SCOPES),),
        "code-challenge-method": ("S256",),
        "skip-provider-button": ("true",),
        # The prefix makes browsers refuse a cookie of this name from any other host, and over plain HTTP (RFC 6265bis).
        "cookie-name": ("__Host-mlflow",),
        "cookie-secure": ("true",),
        "cookie-samesite": ("lax",),
        # A working day. Until then, who has left the company keeps a session.
        "cookie-expire": ("10h",),
        # MLflow needs no token of a person's, so that none is kept: a session is small, and no use elsewhere.
        "session-cookie-minimal": ("true",),
        "pass-basic-auth": ("false",),
    }


def _of_programs(sign_on: SignOnPorts, cluster_issuer: str) -> Mapping[str, tuple[str, ...]]:
    return {
        "skip-jwt-bearer-tokens": ("true",),
        # A token that is not valid is refused with 403. By default a program would be sent to the page for people.
        "bearer-token-login-fallback": ("false",),
        "oidc-extra-audience": tuple(one for one in sign_on.audiences if one != sign_on.client_id),
        "extra-jwt-issuers": (f"https://{cluster_issuer}={TASK_AUDIENCE}",),
    }


def _from_secret(name: str, key: str) -> dict[str, Value]:
    return {"name": f"OAUTH2_PROXY_{name}", "valueFrom": {"secretKeyRef": {"name": SECRET, "key": key}}}
