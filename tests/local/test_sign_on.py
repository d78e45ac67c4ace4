"""The front door and the sign-on of dev on the embedded AWS: what tokens say, and what stands before the services."""

import base64
import contextlib
import hashlib
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from typing import Any

import aws_cdk as cdk
import pytest

from aerodrome_local.testing import EmbeddedAws
from aerodrome_stacks.alerts_stack import AlertsStack
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.front_door_stack import FrontDoorStack
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.network_stack import NetworkStack
from aerodrome_stacks.sign_on_stack import CLI_CALLBACK_URL, SignOnStack
from aerodrome_stacks.storage_stack import StorageStack
from pytest_cdk.settings import Settings
from tests.local.account import Account
from tests.local.deployment import deployed

Claims = dict[str, Any]


def build(app: cdk.App, _variant: str, *, environment: Environment) -> None:
    keys = KeysStack(app, "Keys", environment=environment).ports
    network = NetworkStack(app, "Network", environment=environment, log_key=keys.logs).ports
    storage = StorageStack(app, "Storage", environment=environment, data_key=keys.data).ports
    alerts = AlertsStack(app, "Alerts", environment=environment, alerts_key=keys.alerts).ports
    FrontDoorStack(
        app, "FrontDoor", environment=environment, access_logs=storage.access_logs, log_key=keys.logs, alerts=alerts
    )
    SignOnStack(app, "SignOn", environment=environment, network=network, keys=keys)


@pytest.fixture(scope="module")
def account(cdk_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """dev's front door and sign-on, on an embedded AWS of the module's own."""
    aws = EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), "--audit")
    try:
        environment = load_environment("dev", cdk_settings.root / "environments")
        yield deployed(partial(build, environment=environment), environment, aws, cdk_settings, tmp_path_factory)
    finally:
        aws.stop()


@pytest.fixture
def cognito(account: Account) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
    return account.client("cognito-idp")


@pytest.fixture
def pool(account: Account) -> str:
    return account.resource("sign-on", "AWS::Cognito::UserPool", "Directory")


def client_id(account: Account, name: str) -> str:
    return account.resource("sign-on", "AWS::Cognito::UserPoolClient", f"Directory{name}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The status.
        location: Where the browser is sent.
        body: The body.
    """

    status: int
    location: str
    body: bytes

    @property
    def json(self) -> dict[str, str]:
        parsed: dict[str, str] = json.loads(self.body)
        return parsed


def post(address: str, form: Mapping[str, str], *, login: tuple[str, str] | None = None) -> Answer:
    """Post a form, as a client with a secret where a login is given, and follow no redirect."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if login is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"
    parts = urllib.parse.urlsplit(address)
    with contextlib.closing(HTTPConnection(parts.netloc, timeout=30)) as connection:
        connection.request("POST", parts.path, urllib.parse.urlencode(form), headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers.get("Location", ""), answer.read())


def claims(token: str) -> Claims:
    body = token.split(".")[1]
    said: Claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return said


@pytest.mark.parametrize(("name", "secret"), [("Service", "service"), ("Pipelines", "ci")])
def test_a_program_gets_a_token_that_flyte_takes(account: Account, name: str, secret: str) -> None:
    client, stored = client_id(account, name), f"aerodrome/dev/sign-on/{secret}"
    value = account.client("secretsmanager").get_secret_value(SecretId=stored)["SecretString"]
    answer = post(
        f"{account.aws.endpoint}/oauth2/token",
        {"grant_type": "client_credentials", "scope": "aerodrome/all"},
        login=(client, value),
    )
    assert answer.status == 200
    token = claims(answer.json["access_token"])
    # What verifyClaims and BlanketAuthorization of flyteadmin look at.
    assert (token["aud"], token["scp"], token["client_id"]) == (client, ["all"], client)
    assert "groups" not in token
    assert token["exp"] - token["iat"] == 3600


def test_a_program_with_a_wrong_secret_gets_none(account: Account) -> None:
    answer = post(
        f"{account.aws.endpoint}/oauth2/token",
        {"grant_type": "client_credentials"},
        login=(client_id(account, "Pipelines"), "wrong"),
    )
    assert (answer.status, answer.json["error"]) == (400, "invalid_client")


@pytest.fixture
def person(cognito: Any, pool: str) -> Iterator[dict[str, str]]:  # noqa: ANN401 - boto3 makes the class at run time
    """Somebody whom an administrator made, who has set a password, and who administers."""
    email, password = "person@example.com", "Correct-horse-battery-1"
    attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
    cognito.admin_create_user(
        UserPoolId=pool, Username=email, UserAttributes=attributes, TemporaryPassword=password, MessageAction="SUPPRESS"
    )
    cognito.admin_set_user_password(UserPoolId=pool, Username=email, Password=password, Permanent=True)
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName="administrators")
    yield {"username": email, "password": password}
    cognito.admin_delete_user(UserPoolId=pool, Username=email)


def sign_in(account: Account, person: Mapping[str, str], client: str, callback: str, scopes: str) -> dict[str, str]:
    """What a command line does: a browser for the code, which only who asked for it can exchange for tokens."""
    verifier = "v" * 64
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {"client_id": client, "redirect_uri": callback}
    login = post(
        f"{account.aws.endpoint}/login",
        {
            **asked,
            **person,
            "scope": scopes,
            "response_type": "code",
            "state": "state",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        },
    )
    assert login.status == 302, login.body
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(login.location).query)["code"][0]
    exchange = {**asked, "grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    return post(f"{account.aws.endpoint}/oauth2/token", exchange).json


def test_a_person_gets_tokens_with_groups_and_with_the_scope_that_was_asked_for(
    account: Account, person: dict[str, str]
) -> None:
    client = client_id(account, "CommandLine")
    tokens = sign_in(account, person, client, CLI_CALLBACK_URL, "openid profile email aerodrome/all")
    access, identity = claims(tokens["access_token"]), claims(tokens["id_token"])
    assert (access["aud"], access["scp"]) == (client, ["all"])
    assert (access["email"], access["groups"]) == ("person@example.com", ["administrators"])
    assert (identity["aud"], identity["groups"]) == (client, ["administrators"])


def test_a_token_without_the_scope_says_so_itself(account: Account, person: dict[str, str]) -> None:
    tokens = sign_in(account, person, client_id(account, "CommandLine"), CLI_CALLBACK_URL, "openid email")

    assert claims(tokens["access_token"])["scp"] == []


def test_nobody_makes_an_account_of_their_own(cognito: Any, pool: str) -> None:  # noqa: ANN401 - boto3 makes the class
    described = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]

    assert described["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert (described["MfaConfiguration"], described["DeletionProtection"]) == ("ON", "ACTIVE")
    assert described["LambdaConfig"]["PreTokenGenerationConfig"]["LambdaVersion"] == "V3_0"
    assert cognito.get_user_pool_mfa_config(UserPoolId=pool)["SoftwareTokenMfaConfiguration"]["Enabled"] is True


def test_the_issuer_is_where_its_discovery_document_says(account: Account, pool: str) -> None:
    address = f"{account.aws.endpoint}/{pool}/.well-known/openid-configuration"
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - http, on loopback
        document = json.load(answer)

    assert document["issuer"].endswith(f"/{pool}")
    assert {"authorization_endpoint", "token_endpoint", "jwks_uri"} <= document.keys()


def test_the_three_names_have_a_certificate(account: Account) -> None:
    (arn,) = account.resources("front-door", "AWS::CertificateManager::Certificate").values()
    certificate = account.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]

    assert certificate["Status"] == "ISSUED"
    assert sorted(certificate["SubjectAlternativeNames"]) == [
        f"{service}.ml.dev.example.com" for service in ("flyte", "grafana", "mlflow")
    ]


def test_the_firewall_keeps_a_log_of_what_it_refuses_without_what_lets_people_in(account: Account) -> None:
    (found,) = account.resources("front-door", "AWS::WAFv2::WebACL").values()
    name, acl_id, _ = found.split("|")
    waf = account.client("wafv2")
    acl = waf.get_web_acl(Name=name, Scope="REGIONAL", Id=acl_id)["WebACL"]
    logging = waf.get_logging_configuration(ResourceArn=acl["ARN"])["LoggingConfiguration"]

    assert {field["SingleHeader"]["Name"] for field in logging["RedactedFields"]} >= {"authorization", "cookie"}
    group = logging["LogDestinationConfigs"][0].partition(":log-group:")[2]
    (log,) = account.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert (log["logGroupName"], log["retentionInDays"]) == ("aws-waf-logs-aerodrome-dev-front-door", 30)
    assert log["kmsKeyId"]


def test_the_load_balancer_may_write_its_log_and_nothing_else(account: Account) -> None:
    principal = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    (statement,) = [one for one in account.policy("AccessLogs") if one["Principal"] == principal]

    assert statement["Action"] == "s3:PutObject"
    assert statement["Resource"].endswith("/front-door/AWSLogs/111122223333/*")
