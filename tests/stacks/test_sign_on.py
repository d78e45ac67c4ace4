from collections.abc import Mapping
from typing import Any

import pytest

from aerodrome_stacks.chart_values.secrets import SecretSource
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.sign_on import FLYTE_SCOPE, USER_SCOPES, SignOnPorts, metadata_url
from aerodrome_stacks.sign_on_stack import ADMIN_GROUP, CLI_CALLBACK_URL
from tests.iam.account import Account
from tests.stacks.conftest import StackArtifact
from tests.templates import ROOT, TemplateJson, only, resources, text

CLIENTS = ("web", "cli", "service", "ci")


def clients(template: TemplateJson) -> dict[str, Mapping[str, Any]]:
    """The clients by their names, without what those begin with."""
    found = resources(template, "AWS::Cognito::UserPoolClient").values()
    return {one["Properties"]["ClientName"].rpartition("-")[2]: one["Properties"] for one in found}


def test_there_is_a_user_pool_where_no_companys_issuer_is_given(
    artifacts: Mapping[str, StackArtifact], environment: Environment
) -> None:
    assert ("SignOn" in artifacts) is (environment.access.oidc is None)


@pytest.mark.cdk_variants("dev")
def test_the_stack_is_protected(artifacts: Mapping[str, StackArtifact]) -> None:
    assert artifacts["SignOn"].protected


@pytest.mark.cdk_variants("dev")
def test_there_is_a_client_for_each_kind_of_caller(stacks: Mapping[str, TemplateJson]) -> None:
    assert sorted(clients(stacks["SignOn"])) == sorted(CLIENTS)


@pytest.mark.cdk_variants("dev")
def test_people_come_back_to_the_three_web_interfaces(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    domain = environment.access.domain_name

    assert clients(stacks["SignOn"])["web"]["CallbackURLs"] == [
        f"https://flyte.{domain}/callback",
        f"https://mlflow.{domain}/oauth2/callback",
        f"https://grafana.{domain}/login/generic_oauth",
    ]
    assert clients(stacks["SignOn"])["cli"]["CallbackURLs"] == [CLI_CALLBACK_URL]


@pytest.mark.cdk_variants("dev")
def test_pipelines_have_a_client_of_their_own_which_can_be_taken_away(stacks: Mapping[str, TemplateJson]) -> None:
    of_programs = {name: one for name, one in clients(stacks["SignOn"]).items() if name in {"service", "ci"}}

    assert len(of_programs) == 2
    assert {tuple(one["AllowedOAuthFlows"]) for one in of_programs.values()} == {("client_credentials",)}


@pytest.mark.cdk_variants("dev")
def test_the_scope_is_the_one_that_flyte_reads(stacks: Mapping[str, TemplateJson]) -> None:
    server = only(stacks["SignOn"], "AWS::Cognito::UserPoolResourceServer")

    assert [scope["ScopeName"] for scope in server["Scopes"]] == [FLYTE_SCOPE]
    scope = f"{server['Identifier']}/{FLYTE_SCOPE}"
    assert clients(stacks["SignOn"])["cli"]["AllowedOAuthScopes"] == [*USER_SCOPES, scope]
    assert clients(stacks["SignOn"])["ci"]["AllowedOAuthScopes"] == [scope]
    assert clients(stacks["SignOn"])["web"]["AllowedOAuthScopes"] == [*USER_SCOPES]


@pytest.mark.cdk_variants("dev")
def test_the_sign_in_page_has_a_name_that_no_other_account_has(
    stacks: Mapping[str, TemplateJson], environment: Environment
) -> None:
    prefix = only(stacks["SignOn"], "AWS::Cognito::UserPoolDomain")["Domain"]

    assert prefix == f"aerodrome-dev-{environment.account}"
    # What Cognito refuses in one.
    assert not [word for word in ("aws", "amazon", "cognito") if word in prefix]


@pytest.mark.cdk_variants("dev")
def test_external_secrets_may_read_the_clients_secrets(
    stacks: Mapping[str, TemplateJson], account: Account, environment: Environment
) -> None:
    secrets = resources(stacks["SignOn"], "AWS::SecretsManager::Secret").values()
    names = {secret["Properties"]["Name"] for secret in secrets}
    role = account.role("Identity", "ExternalSecrets")

    assert names == {f"aerodrome/dev/sign-on/{client}" for client in ("web", "service", "ci")}
    for secret in secrets:
        tags = {f"secretsmanager:ResourceTag/{tag['Key']}": tag["Value"] for tag in secret["Properties"]["Tags"]}
        arn = f"arn:aws:secretsmanager:us-east-1:{environment.account}:secret:{secret['Properties']['Name']}-AbCdEf"
        assert account.can(role, "secretsmanager:GetSecretValue", arn, tags)


@pytest.mark.cdk_variants("dev")
def test_administrators_are_a_group(stacks: Mapping[str, TemplateJson]) -> None:
    assert only(stacks["SignOn"], "AWS::Cognito::UserPoolGroup")["GroupName"] == ADMIN_GROUP


@pytest.mark.cdk_variants("dev")
def test_the_outputs_are_what_people_need_to_sign_in(stacks: Mapping[str, TemplateJson]) -> None:
    outputs = stacks["SignOn"]["Outputs"]

    assert {"CommandLineClientId", "PipelineClientId", "TokenUrl", "UserPoolId"} <= outputs.keys()
    assert text(outputs["TokenUrl"]["Value"]).endswith(".auth.us-east-1.amazoncognito.com/oauth2/token")


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_a_companys_issuer_is_taken_as_the_environment_says(name: str) -> None:
    oidc = load_environment(name, ROOT / "environments").access.oidc
    assert oidc is not None
    ports = SignOnPorts.of_company(oidc)

    assert (ports.issuer, ports.audiences) == (oidc.issuer, (oidc.audience,))
    assert ports.metadata_url == f"{oidc.issuer}/.well-known/openid-configuration"
    assert (ports.token_url, ports.jwks_url) == (oidc.endpoints.token, oidc.endpoints.jwks)
    assert (ports.authorization_url, ports.userinfo_url) == (oidc.endpoints.authorization, oidc.endpoints.userinfo)
    assert (ports.client_id, ports.client_secret) == (oidc.client_id, SecretSource(oidc.client_secret_name))
    assert ports.service_client_secret == SecretSource(oidc.service_client_secret_name)
    assert (ports.cli_client_id, ports.service_client_id) == (oidc.cli_client_id, oidc.service_client_id)
    assert (ports.groups_claim, ports.admin_group) == (oidc.groups_claim, oidc.admin_group)
    assert ports.scopes == (FLYTE_SCOPE,)
    assert ports.cli_scopes == (*USER_SCOPES, FLYTE_SCOPE)


@pytest.mark.parametrize("issuer", ["https://login.example.com/a", "https://login.example.com/a/"])
def test_a_slash_at_the_end_of_an_issuer_is_not_doubled(issuer: str) -> None:
    assert metadata_url(issuer) == "https://login.example.com/a/.well-known/openid-configuration"
