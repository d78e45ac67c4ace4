"""Values of Grafana as Helm gets them: who gets in, as what, and what they see."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jmespath  # type: ignore[import-untyped]  # it comes with botocore, and has no stubs
import pytest

from aerodrome_stacks.chart_values.kube_prometheus_stack import MonitoringInputs, kube_prometheus_stack
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.front_door_stack import FrontDoorPorts
from aerodrome_stacks.sign_on import SignOnPorts
from tests.charts.deployed import DeployedRelease


@pytest.fixture
def stack(releases: Mapping[str, DeployedRelease]) -> DeployedRelease:
    return releases["kube-prometheus-stack"]


@pytest.fixture
def with_sign_on(environment: Environment) -> Callable[[SignOnPorts], Mapping[str, Any]]:
    """What Grafana gets with another issuer: the sections of its file."""

    def grafana_ini(sign_on: SignOnPorts) -> Mapping[str, Any]:
        inputs = MonitoringInputs(
            sign_on=sign_on,
            front_door=FrontDoorPorts(certificate_arn=None, web_acl_arn=None, access_log_bucket="logs"),
            alerts_topic_arn="alerts",
            heartbeat_topic_arn="heartbeat",
            prometheus_role_arn=None,
            alertmanager_role_arn="role",
            grafana_role_arn="role",
        )
        grafana: Any = kube_prometheus_stack(environment, inputs)["grafana"]
        return dict(grafana["grafana.ini"])

    return grafana_ini


@pytest.fixture
def company(environment: Environment) -> SignOnPorts:
    assert environment.access.oidc
    return SignOnPorts.of_company(environment.access.oidc)


def test_grafanas_secrets_are_read_from_secrets_that_are_made(
    stack: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    # The chart would make a new password with every render, and every Grafana has the same key by default.
    admin = stack.value("grafana", "admin")
    environment = stack.value("grafana", "envValueFrom")
    read = {(admin["existingSecret"], admin["userKey"]), (admin["existingSecret"], admin["passwordKey"])} | {
        (one["secretKeyRef"]["name"], one["secretKeyRef"]["key"]) for one in environment.values()
    }
    made = releases["monitoring-secrets"].value("secrets")

    assert environment.keys() == {"GF_SECURITY_SECRET_KEY", "GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET"}
    assert read == {(name, key) for name, keys in made.items() for key in keys}
    assert "adminPassword" not in stack.value("grafana")


def test_grafana_starts_anew_when_the_secret_of_its_client_has_changed(
    stack: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    assert stack.value("grafana", "annotations") == {"secret.reloader.stakater.com/reload": "grafana-sign-on"}
    assert stack.namespace in releases["reloader"].value("reloader", "namespaces")


def test_grafana_is_reached_through_the_front_door(
    stack: DeployedRelease, releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    grafana = stack.value("grafana")
    host = f"grafana.{environment.access.domain_name}"

    assert grafana["ingress"]["enabled"] is True
    assert grafana["ingress"]["ingressClassName"] == "alb"
    assert grafana["ingress"]["hosts"] == [host]
    assert grafana["ingress"]["annotations"] == releases["mlflow"].value("ingress", "annotations")
    assert grafana["service"]["annotations"]["alb.ingress.kubernetes.io/healthcheck-path"] == "/api/health"
    # Links in alerts and the path of sign-on start here.
    assert grafana["grafana.ini"]["server"]["root_url"] == f"https://{host}"


def test_nobody_gets_in_but_by_sign_on(stack: DeployedRelease) -> None:
    ini = stack.value("grafana", "grafana.ini")

    assert ini["auth"]["disable_login_form"] is True
    assert ini["auth.anonymous"]["enabled"] is False
    assert ini["users"]["allow_sign_up"] is False
    assert ini["security"]["cookie_secure"] is True
    people = ini["auth.generic_oauth"]
    assert (people["enabled"], people["use_pkce"], people["allow_assign_grafana_admin"]) == (True, True, False)
    # A text, in which the chart would refuse a secret.
    assert "client_secret" not in people


def test_nothing_is_shown_to_the_internet(stack: DeployedRelease) -> None:
    ini = stack.value("grafana", "grafana.ini")

    assert ini["snapshots"]["external_enabled"] is False
    assert ini["public_dashboards"]["enabled"] is False


def test_grafana_needs_nothing_of_the_internet(stack: DeployedRelease) -> None:
    ini = stack.value("grafana", "grafana.ini")

    assert ini["plugins"] == {"preinstall_disabled": True, "plugin_admin_enabled": False}
    assert set(ini["analytics"].values()) == {False}
    assert ini["news"]["news_feed_enabled"] is False
    assert ini["security"]["disable_gravatar"] is True


@pytest.mark.cdk_variants("staging", "prod")
def test_people_sign_in_at_the_companys_issuer(stack: DeployedRelease, company: SignOnPorts) -> None:
    ini = stack.value("grafana", "grafana.ini")

    assert ini["auth.generic_oauth"]["client_id"] == company.client_id
    assert ini["auth.generic_oauth"]["auth_url"] == company.authorization_url
    assert ini["auth.generic_oauth"]["token_url"] == company.token_url
    assert ini["auth.generic_oauth"]["api_url"] == company.userinfo_url
    assert ini["auth.jwt"]["jwk_set_url"] == company.jwks_url
    assert json.loads(ini["auth.jwt"]["expect_claims"]) == {"iss": company.issuer, "aud": [*company.audiences]}


@pytest.mark.cdk_variants("dev")
def test_people_sign_in_at_the_user_pool_where_there_is_no_company(
    stack: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    ini = stack.value("grafana", "grafana.ini")
    secrets = releases["monitoring-secrets"].value("secrets", "grafana-sign-on")

    assert ini["auth.generic_oauth"]["auth_url"].endswith(".amazoncognito.com/oauth2/authorize")
    assert json.loads(ini["auth.jwt"]["expect_claims"])["aud"]
    assert secrets["client-secret"]["secret"]


@pytest.mark.cdk_variants("prod")
@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["people", "ml-platform"]}, "Admin"),
        ({"groups": ["people"]}, "Viewer"),
        # A part of a group's name is no group.
        ({"groups": ["ml-platform-guests"]}, "Viewer"),
        ({"groups": []}, "Viewer"),
        ({}, "Viewer"),
    ],
)
def test_the_group_of_administrators_administers_and_all_others_look(
    with_sign_on: Callable[[SignOnPorts], Mapping[str, Any]],
    company: SignOnPorts,
    claims: Mapping[str, Any],
    role: str,
) -> None:
    path = with_sign_on(company)["auth.generic_oauth"]["role_attribute_path"]

    assert jmespath.search(path, claims) == role
    # grafana.ini takes quotation marks off a value that has the same at both ends.
    assert path[0] != path[-1]


@pytest.mark.cdk_variants("prod")
def test_a_claim_may_have_a_colon(
    with_sign_on: Callable[[SignOnPorts], Mapping[str, Any]], company: SignOnPorts
) -> None:
    path = with_sign_on(replace(company, groups_claim="cognito:groups"))["auth.generic_oauth"]["role_attribute_path"]

    assert jmespath.search(path, {"cognito:groups": ["ml-platform"]}) == "Admin"


@pytest.mark.cdk_variants("prod")
def test_without_such_a_group_nobody_administers_by_sign_on(
    with_sign_on: Callable[[SignOnPorts], Mapping[str, Any]], environment: Environment
) -> None:
    oidc = environment.access.oidc
    assert oidc
    company = SignOnPorts.of_company(oidc.model_copy(update={"admin_group": None}))

    path = with_sign_on(company)["auth.generic_oauth"]["role_attribute_path"]

    assert jmespath.search(path, {"groups": ["ml-platform"]}) == "Viewer"


def test_programs_look_and_no_more(stack: DeployedRelease) -> None:
    programs = stack.value("grafana", "grafana.ini", "auth.jwt")

    assert programs["enabled"] is True
    assert jmespath.search(programs["role_attribute_path"], {"sub": "ci", "groups": ["ml-platform"]}) == "Viewer"
    assert not programs["role_attribute_path"].startswith("'")
    # A token in an address is in logs.
    assert programs["url_login"] is False


def test_dashboards_are_those_of_its_own_namespace(stack: DeployedRelease) -> None:
    grafana = stack.value("grafana")

    assert grafana["rbac"]["namespaced"] is True
    # null: the namespace of the sidecar. The default is all of them.
    assert grafana["sidecar"]["dashboards"]["searchNamespace"] is None
    assert grafana["sidecar"]["dashboards"]["resource"] == grafana["sidecar"]["datasources"]["resource"] == "configmap"


def test_one_grafana_as_its_state_is_its_own(stack: DeployedRelease) -> None:
    assert stack.value("grafana", "replicas") == 1
    assert stack.value("grafana", "persistence", "enabled") is False


def test_grafana_reads_cloudwatch_with_its_role(stack: DeployedRelease, environment: Environment) -> None:
    account = stack.value("grafana", "serviceAccount")
    (cloudwatch,) = stack.value("grafana", "additionalDataSources")

    assert account["name"] == "grafana"
    assert account["annotations"]["eks.amazonaws.com/role-arn"].startswith("${")
    assert cloudwatch["uid"] == "cloudwatch"
    assert cloudwatch["jsonData"] == {"authType": "default", "defaultRegion": environment.region}


def test_the_charts_test_pod_is_not_part_of_the_release(stack: DeployedRelease) -> None:
    assert stack.value("grafana", "testFramework", "enabled") is False
