"""How people and programs reach Flyte, and who may: traps of flyte-core v1.16.8 that bite on EKS."""

from collections.abc import Mapping

import pytest

from aerodrome_stacks.environment import Environment
from tests.charts.deployed import DeployedRelease

# The prefix of the load balancer controller's annotations.
ALB = "alb.ingress.kubernetes.io"


def test_ingresses_are_the_load_balancer_controllers(flyte: DeployedRelease, environment: Environment) -> None:
    ingress = flyte.value("common", "ingress")

    assert ingress["ingressClassName"] == "alb"
    assert ingress["host"] == f"flyte.{environment.access.domain_name}"
    assert ingress["annotations"][f"{ALB}/target-type"] == "ip"
    assert "kubernetes.io/ingress.class" not in ingress["annotations"]


def test_both_ingresses_share_one_load_balancer(flyte: DeployedRelease, environment: Environment) -> None:
    group = flyte.value("common", "ingress", "annotations", f"{ALB}/group.name")

    assert group == f"aerodrome-{environment.name}"


def test_the_annotations_for_nginx_are_removed(flyte: DeployedRelease) -> None:
    ingress = flyte.value("common", "ingress")

    assert ingress["annotations"]["nginx.ingress.kubernetes.io/app-root"] is None
    assert ingress["annotations"]["nginx.ingress.kubernetes.io/service-upstream"] is None
    assert ingress["separateGrpcIngressAnnotations"]["nginx.ingress.kubernetes.io/backend-protocol"] is None


def test_grpc_has_an_ingress_of_its_own_that_speaks_grpc(flyte: DeployedRelease) -> None:
    ingress = flyte.value("common", "ingress")

    assert ingress["separateGrpcIngress"] is True
    assert ingress["separateGrpcIngressAnnotations"][f"{ALB}/backend-protocol-version"] == "GRPC"


def test_no_common_annotation_overrides_one_of_the_grpc_ingress(flyte: DeployedRelease) -> None:
    # The chart merges the two maps, and the common one wins.
    ingress = flyte.value("common", "ingress")

    assert not ingress["annotations"].keys() & ingress["separateGrpcIngressAnnotations"].keys()


def test_http_is_redirected_and_never_meets_a_grpc_target_group(flyte: DeployedRelease) -> None:
    ingress = flyte.value("common", "ingress")

    assert ingress["annotations"][f"{ALB}/ssl-redirect"] == "443"
    assert ingress["annotations"][f"{ALB}/listen-ports"] == '[{"HTTP":80},{"HTTPS":443}]'
    # The chart's own redirect is a route to a service that the controller no longer needs.
    assert ingress["albSSLRedirect"] is False


@pytest.mark.parametrize(("service", "path"), [("flyteadmin", "/healthcheck"), ("flyteconsole", "/console")])
def test_health_checks_ask_for_a_path_that_is_served(flyte: DeployedRelease, service: str, path: str) -> None:
    assert flyte.value(service, "service", "annotations", f"{ALB}/healthcheck-path") == path


def test_datacatalog_opens_no_port_on_the_nodes(flyte: DeployedRelease) -> None:
    assert flyte.value("datacatalog", "service", "type") == "ClusterIP"


def test_the_published_client_secret_is_removed(flyte: DeployedRelease) -> None:
    assert flyte.value("secrets", "adminOauthClientCredentials", "clientSecret") is None


def test_other_origins_are_refused(flyte: DeployedRelease, environment: Environment) -> None:
    security = flyte.value("configmap", "adminServer", "server", "security")

    assert security["allowedOrigins"] == [f"https://flyte.{environment.access.domain_name}"]


def test_everybody_signs_on(flyte: DeployedRelease) -> None:
    assert flyte.value("configmap", "adminServer", "server", "security", "useAuth") is True
    # Without it, the chart gives flytepropeller and the scheduler no secret to sign on with.
    assert flyte.value("secrets", "adminOauthClientCredentials", "enabled") is True


def test_no_client_is_one_that_everybody_knows(flyte: DeployedRelease) -> None:
    # Google's sample client, and those of flyteadmin's own server, of which the hash of "foobar" is published.
    auth, credentials = flyte.value("configmap", "adminServer", "auth"), flyte.value("secrets")
    clients = [
        auth["userAuth"]["openId"]["clientId"],
        auth["appAuth"]["thirdPartyConfig"]["flyteClient"]["clientId"],
        credentials["adminOauthClientCredentials"]["clientId"],
    ]

    # People's browsers, their command lines, and Flyte's own components.
    assert len(set(clients)) == 3
    assert not {"flytectl", "flyte-cli", "flytepropeller"} & set(clients)
    assert "googleusercontent" not in str(flyte.values)
    assert "foobar" not in str(flyte.values)


def test_tokens_are_the_issuers_and_not_flyteadmins_own(flyte: DeployedRelease) -> None:
    auth = flyte.value("configmap", "adminServer", "auth")
    server = auth["appAuth"]["externalAuthServer"]

    assert auth["appAuth"]["authServerType"] == "External"
    assert server["baseUrl"] == auth["userAuth"]["openId"]["baseUrl"]
    # flyteadmin would ask for /.well-known/oauth-authorization-server, which Amazon Cognito does not have.
    assert server["metadataUrl"] == f"{server['baseUrl']}/.well-known/openid-configuration"
    # Empty, and only the host name itself would do, which no issuer puts into `aud`.
    assert server["allowedAudience"]


def test_programs_ask_for_the_scope_without_which_flyteadmin_refuses_them(flyte: DeployedRelease) -> None:
    own = flyte.value("configmap", "admin", "admin", "scopes")
    people = flyte.value("configmap", "adminServer", "auth", "appAuth", "thirdPartyConfig", "flyteClient", "scopes")

    (scope,) = own
    assert scope.rpartition("/")[2] == "all"
    # `openid` is a person's: issuers refuse it to a client that comes for itself.
    assert set(people) - set(own) == {"openid", "profile", "email"}


def test_flytectl_listens_where_its_client_is_sent_back_to(flyte: DeployedRelease) -> None:
    client = flyte.value("configmap", "adminServer", "auth", "appAuth", "thirdPartyConfig", "flyteClient")

    assert client["redirectUri"] == "http://localhost:53593/callback"


@pytest.mark.cdk_variants("staging", "prod")
def test_people_and_programs_sign_on_at_the_environments_provider(
    flyte: DeployedRelease, environment: Environment
) -> None:
    oidc = environment.access.oidc
    assert oidc is not None
    auth = flyte.value("configmap", "adminServer", "auth")

    assert auth["userAuth"]["openId"]["baseUrl"] == oidc.issuer
    assert auth["userAuth"]["openId"]["clientId"] == oidc.client_id
    assert auth["appAuth"]["externalAuthServer"]["allowedAudience"] == [oidc.audience]
    client = auth["appAuth"]["thirdPartyConfig"]["flyteClient"]
    assert client["clientId"] == oidc.cli_client_id
    # Some issuers give a token for nobody, or none, where the request does not say for whom it is.
    assert client["audience"] == flyte.value("configmap", "admin", "admin", "audience") == oidc.audience
    assert flyte.value("secrets", "adminOauthClientCredentials", "clientId") == oidc.service_client_id


@pytest.mark.cdk_variants("dev")
def test_without_a_provider_of_the_companys_people_sign_on_at_the_pool_that_is_made(flyte: DeployedRelease) -> None:
    server = flyte.value("configmap", "adminServer", "auth", "appAuth", "externalAuthServer")

    assert server["baseUrl"].startswith("https://cognito-idp.")
    client = flyte.value("configmap", "adminServer", "auth", "appAuth", "thirdPartyConfig", "flyteClient")
    assert "audience" not in {**client, **flyte.value("configmap", "admin", "admin")}
    # Cognito lets `aud` be the client's own ID, and nothing else.
    assert flyte.value("secrets", "adminOauthClientCredentials", "clientId") in server["allowedAudience"]


@pytest.mark.cdk_variants("staging", "prod")
def test_each_client_secret_comes_from_a_secret_of_its_own(
    releases: Mapping[str, DeployedRelease], environment: Environment
) -> None:
    oidc = environment.access.oidc
    assert oidc is not None
    secrets = releases["flyte-secrets"].value("secrets")

    # The chart's templates fix the first name and this key.
    assert secrets["flyte-secret-auth"] == {"client_secret": {"secret": oidc.service_client_secret_name}}
    assert secrets["flyte-oidc"] == {"client_secret": {"secret": oidc.client_secret_name}}


def test_flyteadmin_reads_the_client_secret_of_browsers_from_a_secret_that_is_made(
    flyte: DeployedRelease, releases: Mapping[str, DeployedRelease]
) -> None:
    (volume,) = flyte.value("flyteadmin", "additionalVolumes")
    (mount,) = flyte.value("flyteadmin", "additionalVolumeMounts")
    read = flyte.value("configmap", "adminServer", "auth", "userAuth", "openId", "clientSecretFile")
    (key,) = releases["flyte-secrets"].value("secrets", volume["secret"]["secretName"])

    assert volume["name"] == mount["name"]
    assert read == f"{mount['mountPath']}/{key}"


def test_the_uris_that_tokens_are_for_name_the_releases_namespace(
    flyte: DeployedRelease, environment: Environment
) -> None:
    assert flyte.value("configmap", "adminServer", "auth", "authorizedUris") == [
        f"https://flyte.{environment.access.domain_name}",
        "http://flyteadmin:80",
        f"http://flyteadmin.{flyte.namespace}.svc.cluster.local:80",
    ]


def test_links_in_messages_lead_to_the_console(flyte: DeployedRelease, environment: Environment) -> None:
    url = flyte.value("configmap", "adminServer", "flyteadmin", "consoleUrl")

    assert url == f"https://flyte.{environment.access.domain_name}/console"
