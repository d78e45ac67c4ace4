from typing import Any

import pytest
from aws_cdk import aws_kms as kms

from aerodrome_constructs.sign_on import (
    Directory,
    DirectoryProps,
    browser_client,
    command_line_client,
    machine_client,
)
from aerodrome_constructs.sign_on.token_handler import API_VARIABLE
from tests.constructs.surroundings import place_in
from tests.templates import TemplateJson, new_stack, only, resources, synthesized, text

PROPS = {"name": "people", "domain_prefix": "people-1", "admin_group": "administrators", "api": "api", "scope": "all"}


@pytest.fixture(scope="module")
def template() -> TemplateJson:
    stack = new_stack()
    key = kms.Key(stack, "SecretsKey")
    directory = Directory(stack, "Directory", DirectoryProps(place=place_in(stack), **PROPS))
    browser_client(
        directory,
        "Web",
        name="web",
        callback_urls=["https://a.example.com/callback"],
        scopes=["openid"],
        secret_name="sign-on/web",
        secrets_key=key,
    )
    command_line_client(
        directory, "CommandLine", name="cli", callback_url="http://localhost:1/callback", scopes=["openid", "api/all"]
    )
    machine_client(directory, "Machine", name="machine", secret_name="sign-on/machine", secrets_key=key)
    return synthesized(stack)


def client(template: TemplateJson, name: str) -> dict[str, Any]:
    clients = resources(template, "AWS::Cognito::UserPoolClient").values()
    (found,) = [one for one in clients if one["Properties"]["ClientName"] == name]
    return dict(found)


def test_the_people_stay_whatever_becomes_of_the_stack(template: TemplateJson) -> None:
    (pool,) = resources(template, "AWS::Cognito::UserPool").values()

    assert (pool["DeletionPolicy"], pool["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert pool["Properties"]["DeletionProtection"] == "ACTIVE"


def test_administrators_make_the_users_and_everybody_has_a_second_factor(template: TemplateJson) -> None:
    pool = only(template, "AWS::Cognito::UserPool")

    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == ("ON", ["SOFTWARE_TOKEN_MFA"])
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] == 14


def test_the_plan_has_the_trigger_that_is_asked_for_programs_tokens_too(template: TemplateJson) -> None:
    pool = only(template, "AWS::Cognito::UserPool")

    # Version 3 wants Essentials or Plus.
    assert (pool["UserPoolTier"], pool["UserPoolAddOns"]) == ("PLUS", {"AdvancedSecurityMode": "ENFORCED"})
    trigger = pool["LambdaConfig"]["PreTokenGenerationConfig"]
    assert trigger["LambdaVersion"] == "V3_0"
    assert "TokenFunction" in text(trigger["LambdaArn"])


def test_this_pool_alone_may_call_the_function(template: TemplateJson) -> None:
    permission = only(template, "AWS::Lambda::Permission")

    assert permission["Principal"] == "cognito-idp.amazonaws.com"
    assert text(permission["SourceArn"]).startswith("${Directory")


def test_the_function_answers_before_cognito_gives_up_and_knows_the_api(template: TemplateJson) -> None:
    functions = resources(template, "AWS::Lambda::Function")
    (function,) = [one["Properties"] for name, one in functions.items() if name.startswith("Directory")]

    assert function["Timeout"] == 5
    assert function["Environment"]["Variables"] == {API_VARIABLE: "api"}
    assert function["Handler"] == "aerodrome_constructs.sign_on.token_handler.handler.handle"


def test_the_function_reaches_nobody(template: TemplateJson) -> None:
    (egress,) = only(template, "AWS::EC2::SecurityGroup")["SecurityGroupEgress"]

    # What the CDK writes for nothing at all.
    assert (egress["CidrIp"], egress["IpProtocol"]) == ("255.255.255.255/32", "icmp")


def test_web_interfaces_exchange_codes_and_have_a_secret(template: TemplateJson) -> None:
    web = client(template, "web")["Properties"]

    assert web["GenerateSecret"] is True
    assert (web["AllowedOAuthFlows"], web["AllowedOAuthScopes"]) == (["code"], ["openid"])
    assert web["CallbackURLs"] == ["https://a.example.com/callback"]


def test_a_command_line_has_no_secret(template: TemplateJson) -> None:
    command_line = client(template, "cli")["Properties"]

    assert command_line["GenerateSecret"] is False
    assert command_line["CallbackURLs"] == ["http://localhost:1/callback"]


def test_a_machine_asks_for_nobody_and_for_the_api_alone(template: TemplateJson) -> None:
    machine = client(template, "machine")["Properties"]

    assert machine["GenerateSecret"] is True
    assert (machine["AllowedOAuthFlows"], machine["AllowedOAuthScopes"]) == (["client_credentials"], ["api/all"])
    assert "CallbackURLs" not in machine


def test_no_client_takes_a_password(template: TemplateJson) -> None:
    for one in resources(template, "AWS::Cognito::UserPoolClient").values():
        assert one["Properties"]["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
        assert one["Properties"]["PreventUserExistenceErrors"] == "ENABLED"


def test_clients_come_after_the_scope_that_they_name(template: TemplateJson) -> None:
    (server,) = resources(template, "AWS::Cognito::UserPoolResourceServer")

    for one in resources(template, "AWS::Cognito::UserPoolClient").values():
        assert one["DependsOn"] == [server]


def test_clients_secrets_are_in_secrets_manager_and_not_in_the_template(template: TemplateJson) -> None:
    secrets = resources(template, "AWS::SecretsManager::Secret").values()

    assert {secret["Properties"]["Name"] for secret in secrets} == {"sign-on/web", "sign-on/machine"}
    for secret in secrets:
        (attribute,) = secret["Properties"]["SecretString"].values()
        assert attribute[1] == "ClientSecret"
        assert text(secret["Properties"]["KmsKeyId"]).startswith("${SecretsKey")
        assert secret["DeletionPolicy"] == "RetainExceptOnCreate"
