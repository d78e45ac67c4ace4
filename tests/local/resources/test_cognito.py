"""A user pool with what belongs to it, through its life."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aerodrome_local.testing import EmbeddedAws, Stack, Template

POOL = {"Ref": "Pool"}


def directory(*, mfa: str, scope: str, callback: str, precedence: int) -> Template:
    return {
        "Pool": {
            "Type": "AWS::Cognito::UserPool",
            "Properties": {
                "UserPoolName": "of-the-test",
                "MfaConfiguration": mfa,
                "EnabledMfas": ["SOFTWARE_TOKEN_MFA"],
                "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True},
                "UserPoolTier": "PLUS",
                "UserPoolAddOns": {"AdvancedSecurityMode": "ENFORCED"},
            },
        },
        "Domain": {
            "Type": "AWS::Cognito::UserPoolDomain",
            "Properties": {"UserPoolId": POOL, "Domain": "of-the-test"},
        },
        "Api": {
            "Type": "AWS::Cognito::UserPoolResourceServer",
            "Properties": {
                "UserPoolId": POOL,
                "Identifier": "api",
                "Name": "api",
                "Scopes": [{"ScopeName": scope, "ScopeDescription": "All of it"}],
            },
        },
        "Group": {
            "Type": "AWS::Cognito::UserPoolGroup",
            "Properties": {"UserPoolId": POOL, "GroupName": "people", "Precedence": precedence},
        },
        "Client": {
            "Type": "AWS::Cognito::UserPoolClient",
            "DependsOn": "Api",
            "Properties": {
                "UserPoolId": POOL,
                "ClientName": "web",
                "GenerateSecret": True,
                "AllowedOAuthFlowsUserPoolClient": True,
                "AllowedOAuthFlows": ["code"],
                "AllowedOAuthScopes": ["openid", f"api/{scope}"],
                "CallbackURLs": [callback],
                "SupportedIdentityProviders": ["COGNITO"],
            },
        },
        "Secret": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"Name": "of-the-client", "SecretString": {"Fn::GetAtt": ["Client", "ClientSecret"]}},
        },
    }


def test_user_pool_with_what_belongs_to_it(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    cognito, secrets = embedded_aws.client("cognito-idp"), embedded_aws.client("secretsmanager")

    def client() -> dict[str, Any]:
        answer = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=outputs["Client"])
        found: dict[str, Any] = answer["UserPoolClient"]
        return found

    first = directory(mfa="OPTIONAL", scope="all", callback="https://first.example.com/callback", precedence=1)
    outputs = stack.deploy(first, {"Pool": POOL, "Client": {"Ref": "Client"}, "Api": {"Ref": "Api"}})
    pool = outputs["Pool"]
    assert cognito.describe_user_pool(UserPoolId=pool)["UserPool"]["MfaConfiguration"] == "OPTIONAL"
    assert cognito.describe_user_pool_domain(Domain="of-the-test")["DomainDescription"]["UserPoolId"] == pool
    assert outputs["Api"] == "api"
    assert client()["CallbackURLs"] == ["https://first.example.com/callback"]
    assert secrets.get_secret_value(SecretId="of-the-client")["SecretString"] == client()["ClientSecret"]

    stack.deploy(directory(mfa="ON", scope="some", callback="https://second.example.com/callback", precedence=2))
    described = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]
    assert (described["MfaConfiguration"], described["UserPoolTier"]) == ("ON", "PLUS")
    assert client()["CallbackURLs"] == ["https://second.example.com/callback"]
    server = cognito.describe_resource_server(UserPoolId=pool, Identifier="api")["ResourceServer"]
    assert [scope["ScopeName"] for scope in server["Scopes"]] == ["some"]
    assert cognito.get_group(UserPoolId=pool, GroupName="people")["Group"]["Precedence"] == 2

    stack.delete()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cognito.describe_user_pool(UserPoolId=pool)
