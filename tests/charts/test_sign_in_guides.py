"""What the guides tell people and pipelines to write is what the services are set to."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from ruamel.yaml import YAML

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.hosts import hosts
from aerodrome_stacks.sign_on_stack import CLI_CALLBACK_URL, sign_on_secret
from pytest_cdk import AssemblyFactory
from tests.charts.deployed import DeployedRelease
from tests.templates import ROOT, TemplateJson, text

pytestmark = pytest.mark.cdk_variants("dev")

GUIDES = {
    name: (ROOT / "docs" / "how-to" / f"{name}.md").read_text(encoding="utf-8")
    for name in (
        "sign-in",
        "machine-tokens",
    )
}
# What flytekit (flytekit.configuration.internal) and flytectl (flyteidl/clients/go/admin/config.go) read below `admin`.
KNOWN = {"endpoint", "authType", "insecure", "clientId", "clientSecretEnvVar", "scopes"}


def config(guide: str, marked: str) -> Mapping[str, Any]:
    """The configuration file behind a mark in a guide."""
    (block,) = re.findall(rf"<!-- {marked} -->\n```yaml\n(.*?)```", GUIDES[guide], re.DOTALL)
    admin: Mapping[str, Any] = YAML(typ="safe").load(block)["admin"]
    return admin


@pytest.fixture
def sign_on(cdk_assembly: AssemblyFactory) -> TemplateJson:
    return cdk_assembly("dev").stacks["SignOn"]


@pytest.fixture
def external(flyte: DeployedRelease) -> Mapping[str, Any]:
    """What flyteadmin is told of the issuer and of others' clients."""
    found: Mapping[str, Any] = flyte.value("configmap", "adminServer", "auth", "appAuth")
    return found


@pytest.mark.parametrize(("guide", "marked"), [("sign-in", "sign-in"), ("machine-tokens", "machine")])
def test_configurations_lead_to_flyte_over_tls(guide: str, marked: str, environment: Environment) -> None:
    admin = config(guide, marked)

    assert admin.keys() <= KNOWN
    assert admin["endpoint"] == f"dns:///flyte.{environment.access.domain_name}"
    assert admin["insecure"] is False


def test_a_person_names_no_client_for_flyteadmin_does(external: Mapping[str, Any], sign_on: TemplateJson) -> None:
    assert config("sign-in", "sign-in")["authType"] == "Pkce"
    client = external["thirdPartyConfig"]["flyteClient"]
    assert "CommandLine" in client["clientId"]
    assert client["redirectUri"] == CLI_CALLBACK_URL
    assert CLI_CALLBACK_URL in GUIDES["sign-in"]
    (redirects,) = [
        one["Properties"]["CallbackURLs"]
        for one in sign_on["Resources"].values()
        if one["Type"] == "AWS::Cognito::UserPoolClient" and one["Properties"]["ClientName"].endswith("-cli")
    ]
    assert redirects == [CLI_CALLBACK_URL]


def test_a_pipeline_asks_for_what_its_client_may(flyte: DeployedRelease, sign_on: TemplateJson) -> None:
    admin = config("machine-tokens", "machine")
    (pipeline,) = [
        one["Properties"]
        for one in sign_on["Resources"].values()
        if one["Type"] == "AWS::Cognito::UserPoolClient" and one["Properties"]["ClientName"].endswith("-ci")
    ]

    assert admin["authType"] == "ClientSecret"
    assert admin["scopes"] == pipeline["AllowedOAuthScopes"]
    # Flyte's own components ask for the same.
    assert admin["scopes"] == flyte.value("configmap", "admin", "admin", "scopes")
    assert f"scope={admin['scopes'][0]}" in GUIDES["machine-tokens"]
    assert "export CLIENT_ID=$(output PipelineClientId)" in GUIDES["machine-tokens"]
    assert f"export {admin['clientSecretEnvVar']}=$(aws secretsmanager get-secret-value" in GUIDES["machine-tokens"]


def test_a_pipelines_token_is_for_every_service(
    external: Mapping[str, Any], releases: Mapping[str, DeployedRelease]
) -> None:
    def names_pipelines(value: object) -> bool:
        return "Pipelines" in text(value) if not isinstance(value, list) else any(map(names_pipelines, value))

    assert names_pipelines(external["externalAuthServer"]["allowedAudience"])
    (proxy,) = [one for one in releases["mlflow"].value("extraContainers") if one["name"] == "sign-on"]
    assert names_pipelines(proxy["args"])
    grafana = releases["kube-prometheus-stack"].value("grafana", "grafana.ini", "auth.jwt")
    assert names_pipelines(grafana["expect_claims"])
    assert grafana["header_name"] == "Authorization"


def test_the_outputs_and_secrets_that_guides_name_are_there(sign_on: TemplateJson, environment: Environment) -> None:
    named = {
        *re.findall(r"\$\(output (\w+)\)", GUIDES["machine-tokens"]),
        *re.findall(r"OutputKey=='(\w+)'", GUIDES["sign-in"]),
    }
    assert named == {"PipelineClientId", "TokenUrl", "UserPoolId"}
    assert named <= sign_on["Outputs"].keys()
    secrets = {
        one["Properties"]["Name"]
        for one in sign_on["Resources"].values()
        if one["Type"] == "AWS::SecretsManager::Secret"
    }
    mentioned = set(re.findall(r"--secret-id (\S+)", GUIDES["machine-tokens"]))
    assert mentioned == {sign_on_secret(environment, "ci")} <= secrets


def test_the_addresses_in_the_guides_are_the_front_doors(environment: Environment) -> None:
    for guide in GUIDES.values():
        named = set(re.findall(rf"([\w-]+\.{re.escape(environment.access.domain_name)})", guide))
        assert named
        assert named <= set(hosts(environment))


def test_the_sign_in_page_sends_people_back_to_what_the_guide_tells_the_company(sign_on: TemplateJson) -> None:
    (web,) = [
        one["Properties"]["CallbackURLs"]
        for one in sign_on["Resources"].values()
        if one["Type"] == "AWS::Cognito::UserPoolClient" and one["Properties"]["ClientName"].endswith("-web")
    ]

    for address in web:
        assert address.replace("ml.dev.example.com", "<domain>") in GUIDES["sign-in"]
