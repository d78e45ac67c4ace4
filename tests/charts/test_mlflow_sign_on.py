"""The proxy in front of MLflow: who gets past it, with what, and that there is no other way in."""

import re
from collections.abc import Mapping
from email.message import Message
from io import BytesIO
from typing import Any
from unittest.mock import patch
from urllib.error import HTTPError, URLError

import pytest

from aerodrome_stacks.chart_values.flyte_projects import MLFLOW_TOKEN_FOLDER
from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease

Options = Mapping[str, list[str]]


@pytest.fixture
def mlflow(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["mlflow"]


@pytest.fixture
def proxy(mlflow: DeployedRelease) -> Mapping[str, Any]:
    """The proxy's container."""
    (container,) = mlflow.value("extraContainers")
    return dict(container)


@pytest.fixture
def options(proxy: Mapping[str, Any]) -> Options:
    """What it is started with, by option."""
    found: dict[str, list[str]] = {}
    for argument in proxy["args"]:
        name, _, value = argument.removeprefix("--").partition("=")
        found.setdefault(name, []).append(value)
    return found


def test_mlflow_is_reached_through_the_proxy_alone(mlflow: DeployedRelease, options: Options) -> None:
    # `mlflow server` gets --port twice, from the chart and from extraArgs, and takes the second.
    server = f"http://{mlflow.value('serverHost')}:{mlflow.value('extraArgs', 'port')}/"

    assert mlflow.value("serverHost") == "127.0.0.1"
    assert options["upstream"][0] == server
    # What the chart's Service, Ingress and probes take for MLflow's port.
    assert options["http-address"] == [f"0.0.0.0:{mlflow.value('service', 'containerPort')}"]
    # The chart's own container would be refused by Pod Security.
    assert mlflow.value("oauth2Proxy", "enabled") is False


def test_a_health_check_passes_without_sign_on_and_nothing_else(mlflow: DeployedRelease, options: Options) -> None:
    (route,) = options["skip-auth-route"]
    method, _, pattern = route.partition("=")
    asked = mlflow.value("service", "annotations", "alb.ingress.kubernetes.io/healthcheck-path")

    assert method == "GET"
    assert re.search(pattern, asked)
    others = ["/", "/metrics", "/health/x", "/api/2.0/mlflow/runs/search", "/x/health", "/version"]
    assert [path for path in others if re.search(pattern, path)] == []
    assert not {"trusted-ip", "skip-auth-regex", "skip-auth-preflight", "skip-auth-strip-headers"} & options.keys()


def test_whoever_calls_an_api_without_sign_on_hears_so(options: Options) -> None:
    # And is not sent to a page for people, which a program takes for an answer.
    def answers_401(path: str) -> bool:
        return any(re.search(pattern, path) for pattern in options["api-route"])

    assert all(answers_401(path) for path in ("/api/2.0/mlflow/runs/get", "/ajax-api/2.0/mlflow/runs/get", "/metrics"))
    assert not answers_401("/")
    # A token that is not valid is an error, too.
    assert options["bearer-token-login-fallback"] == ["false"]


def test_people_sign_in_at_the_issuer_of_flyte(
    options: Options, environment: Environment, releases: Mapping[str, DeployedRelease]
) -> None:
    server = releases["flyte"].value("configmap", "adminServer", "auth")

    assert options["provider"] == ["oidc"]
    assert options["oidc-issuer-url"] == [server["userAuth"]["openId"]["baseUrl"]]
    assert options["redirect-url"] == [f"https://mlflow.{environment.access.domain_name}/oauth2/callback"]
    assert options["code-challenge-method"] == ["S256"]


@pytest.mark.cdk_variants("staging", "prod")
def test_the_proxy_starts_while_the_companys_issuer_is_down(options: Options, environment: Environment) -> None:
    assert environment.access.oidc is not None
    endpoints = environment.access.oidc.endpoints

    assert options["skip-oidc-discovery"] == ["true"]
    assert options["login-url"] == [endpoints.authorization]
    assert options["redeem-url"] == [endpoints.token]
    assert options["profile-url"] == [endpoints.userinfo]
    assert options["oidc-jwks-url"] == [endpoints.jwks]
    assert options["oidc-enabled-signing-alg"] == ["RS256", "ES256"]
    # A program's token is for the platform, a person's for the client.
    assert options["oidc-extra-audience"] == [environment.access.oidc.audience]
    assert options["client-id"] == [environment.access.oidc.client_id]


def test_sessions_are_encrypted_and_stay_with_this_host(options: Options) -> None:
    # A __Host- cookie has neither a domain nor another path than /, and comes over TLS only.
    assert options["cookie-name"][0].startswith("__Host-")
    assert options["cookie-secure"] == ["true"]
    assert not {"cookie-domain", "cookie-path", "cookie-secret", "client-secret"} & options.keys()
    # No token of a person's is kept, nor handed on to MLflow.
    assert options["session-cookie-minimal"] == ["true"]
    assert options["pass-basic-auth"] == ["false"]
    assert not {"pass-access-token", "pass-authorization-header", "set-authorization-header"} & options.keys()


def test_tasks_sign_on_with_the_token_of_their_service_account(
    options: Options, releases: Mapping[str, DeployedRelease]
) -> None:
    (issuer,) = options["extra-jwt-issuers"]
    url, _, audience = issuer.rpartition("=")
    templates = {one["key"]: one["value"] for one in releases["flyte"].value("cluster_resource_manager", "templates")}
    (pod_template,) = [text for text in templates.values() if "kind: PodTemplate" in text]

    assert options["skip-jwt-bearer-tokens"] == ["true"]
    # The cluster's, from its stack.
    assert url.startswith("https://${")
    assert "OpenIdConnectIssuerUrl" in url
    assert audience == "mlflow"
    assert f"audience: {audience}\n" in pod_template
    assert f"mountPath: {MLFLOW_TOKEN_FOLDER}\n" in pod_template


def test_the_proxy_starts_when_it_can_ask_where_the_clusters_keys_are(
    mlflow: DeployedRelease, options: Options
) -> None:
    # Without an answer it would look for them at <issuer>/.well-known/jwks.json, where EKS has none.
    (waiting,) = mlflow.value("initContainers")
    issuer = options["extra-jwt-issuers"][0].rpartition("=")[0]
    image = mlflow.value("image")

    assert waiting["command"][-1] == f"{issuer}/.well-known/openid-configuration"
    assert waiting["image"] == f"{image['repository']}:{image['tag']}"


def test_waiting_ends_with_the_first_good_answer(mlflow: DeployedRelease) -> None:
    (waiting,) = mlflow.value("initContainers")
    python, option, program, url = waiting["command"]
    unavailable = HTTPError(url, 503, "Service Unavailable", Message(), None)
    answers = [URLError("no such host"), TimeoutError(), unavailable, BytesIO()]
    with (
        patch("urllib.request.urlopen", side_effect=answers) as opened,
        patch("time.sleep"),
        patch("sys.argv", ["-c", url]),
    ):
        exec(compile(program, "await-issuer", "exec"), {})  # noqa: S102 - the program of the container

    assert (python, option) == ("python", "-c")
    assert [call.args for call in opened.call_args_list] == [(url,)] * len(answers)


def test_any_name_will_do_as_only_signatures_and_audiences_decide(options: Options) -> None:
    # A service account token has no e-mail address: the subject stands in for it, and is of no domain.
    assert options["email-domain"] == ["*"]
    assert options["insecure-oidc-allow-unverified-email"] == ["true"]
    # What would let in tokens of another issuer, or for another audience.
    assert (
        not {
            "insecure-oidc-skip-issuer-verification",
            "insecure-oidc-skip-nonce",
            "oidc-audience-claim",
            "ssl-insecure-skip-verify",
        }
        & options.keys()
    )


def test_no_client_learns_that_it_might_ask_for_presigned_urls(options: Options) -> None:
    # mlflow/store/artifact/mlflow_artifacts_repo.py, `_SERVER_INFO_ENDPOINT`: 404 is "no" to every client.
    _, closed = options["upstream"]

    assert closed == "file:///nowhere/#/api/3.0/mlflow/server-info"


def test_a_large_file_may_take_its_time_to_s3(options: Options) -> None:
    # The default is 30 seconds, from the last byte of the request to the first of the answer.
    assert options["upstream-timeout"] == ["10m"]


def test_what_the_proxy_keeps_to_itself_comes_from_secrets_manager(
    proxy: Mapping[str, Any], releases: Mapping[str, DeployedRelease]
) -> None:
    variables = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in proxy["env"]}
    made = releases["mlflow-secrets"].value("secrets")

    assert variables == {
        "OAUTH2_PROXY_CLIENT_SECRET": {"name": "mlflow-sign-on", "key": "client-secret"},
        "OAUTH2_PROXY_COOKIE_SECRET": {"name": "mlflow-sign-on", "key": "cookie-secret"},
    }
    assert {one["key"] for one in variables.values()} == made["mlflow-sign-on"].keys()
    # What the chart would otherwise make up at each render: templates/flask_secret.yaml looks for this one first.
    assert made["mlflow-flask-server-secret-key"].keys() == {"MLFLOW_FLASK_SERVER_SECRET_KEY"}


def test_the_proxy_is_pinned_and_meets_pod_security_restricted(
    mlflow: DeployedRelease, proxy: Mapping[str, Any]
) -> None:
    image = mlflow.value("oauth2Proxy", "image")
    security = proxy["securityContext"]

    assert proxy["image"] == f"{image['repository']}:{image['tag']}"
    assert re.fullmatch(r"v\d+\.\d+\.\d+", image["tag"])
    assert security["runAsNonRoot"] is True
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert {"livenessProbe", "readinessProbe"} <= proxy.keys()
    assert {"cpu", "memory"} <= proxy["resources"]["requests"].keys()
    assert "memory" in proxy["resources"]["limits"]
